/* What stands between SQLite and the disk, and between the daemon and the clock, in tests that fail them.
 *
 * Loaded by LD_PRELOAD. Driven from within the process through the shim_… functions (tests/disk/shim.py), and
 * for the clock from outside too, through the file named by SHIM_CLOCK: two int64 of nanoseconds, added to
 * CLOCK_REALTIME and to CLOCK_BOOTTIME. Only files with SHIM_MATCH in their path are touched; a lock file and
 * SQLite's shared index, which is no part of what lasts, are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NONE, EXIT, TORN, EIO_ONCE, FULL, SLOW, READONLY };
enum { WRITE = 'w', SYNC = 's', TRUNCATE = 't', UNLINK = 'u', NOTE = 'n' };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static long calls, strike;
static int kind, slow_ms, is_paused, record = -1;

#define REAL(name, type) \
    static type real; \
    if (real == NULL) real = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*pwrite_t)(int, const void *, size_t, off64_t);
typedef ssize_t (*write_t)(int, const void *, size_t);
typedef int (*fd_t)(int);
typedef int (*truncate_t)(int, off64_t);
typedef int (*unlink_t)(const char *);
typedef int (*gettime_t)(clockid_t, struct timespec *);

/* -- driven by tests */

void shim_arm(long at, int what, int ms) { pthread_mutex_lock(&turn); calls = 0; strike = at; kind = what; slow_ms = ms; pthread_mutex_unlock(&turn); }
long shim_calls(void) { return calls; }
void shim_pause(int paused) { is_paused = paused; }

static void put(const void *data, size_t size) {
    REAL("write", write_t);
    if (real(record, data, size) != (ssize_t)size) abort();
}

/* One record: kind, length of the name, name, offset, length of the data, data. */
static void keep(char what, const char *path, int64_t offset, const void *data, int64_t size) {
    if (record < 0) return;
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    uint8_t length = (uint8_t)strlen(name);
    put(&what, 1); put(&length, 1); put(name, length);
    put(&offset, 8); put(&size, 8);
    if (size > 0) put(data, (size_t)size);
}

void shim_record(const char *path) { record = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); }
void shim_note(const char *text) {
    pthread_mutex_lock(&turn);
    keep(NOTE, "", 0, text, (int64_t)strlen(text));
    pthread_mutex_unlock(&turn);
}

/* -- the disk */

static int is_ours(const char *path) {
    const char *match = getenv("SHIM_MATCH");
    return match != NULL && strstr(path, match) != NULL && strstr(path, ".lock") == NULL && strstr(path, "-shm") == NULL;
}

static int path_of(int fd, char *path, size_t size) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

/* Count the call; say what is to become of it. */
static int struck(void) {
    if (is_paused) return NONE;
    calls++;
    if (kind == FULL || kind == READONLY) return calls >= strike ? kind : NONE;
    return calls == strike ? kind : NONE;
}

static int failed(int what, int makes_room) {
    switch (what) {
    case EXIT: _exit(99);
    case EIO_ONCE: errno = EIO; return 1;
    case FULL: if (makes_room) { errno = ENOSPC; return 1; } return 0;
    case READONLY: errno = EROFS; return 1;
    case SLOW: usleep((useconds_t)slow_ms * 1000); return 0;
    default: return 0;
    }
}

static ssize_t written(int fd, const void *data, size_t size, off64_t offset) {
    REAL("pwrite64", pwrite_t);
    char path[4096];
    if (!path_of(fd, path, sizeof path)) return real(fd, data, size, offset);
    pthread_mutex_lock(&turn);
    int what = struck();
    if (what == TORN) { real(fd, data, size / 2, offset); _exit(99); }
    ssize_t done = failed(what, 1) ? -1 : real(fd, data, size, offset);
    if (done > 0) keep(WRITE, path, offset, data, done);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return written(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return written(fd, data, size, offset); }

static int synced(int fd, fd_t real) {
    char path[4096];
    if (!path_of(fd, path, sizeof path)) return real(fd);
    pthread_mutex_lock(&turn);
    int what = struck();
    if (what == TORN) _exit(99);
    int done = failed(what, 0) ? -1 : real(fd);
    if (done == 0) keep(SYNC, path, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int fsync(int fd) { REAL("fsync", fd_t); return synced(fd, real); }
int fdatasync(int fd) { REAL("fdatasync", fd_t); return synced(fd, real); }

static int truncated(int fd, off64_t size) {
    REAL("ftruncate64", truncate_t);
    char path[4096];
    if (!path_of(fd, path, sizeof path)) return real(fd, size);
    pthread_mutex_lock(&turn);
    int what = struck();
    if (what == TORN) _exit(99);
    int done = failed(what, 0) ? -1 : real(fd, size);
    if (done == 0) keep(TRUNCATE, path, size, NULL, 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncated(fd, size); }

int unlink(const char *path) {
    REAL("unlink", unlink_t);
    if (!is_ours(path)) return real(path);
    pthread_mutex_lock(&turn);
    int what = struck();
    if (what == TORN) _exit(99);
    int done = failed(what, 0) ? -1 : real(path);
    if (done == 0) keep(UNLINK, path, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    return done;
}

/* -- the clock */

static const volatile int64_t *stepped(void) {
    static const volatile int64_t *offsets;
    static int is_known;
    if (!is_known) {
        const char *path = getenv("SHIM_CLOCK");
        int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0) close(fd);
        if (map != MAP_FAILED) offsets = map;
        is_known = 1;
    }
    return offsets;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    REAL("clock_gettime", gettime_t);
    int done = real(id, now);
    const volatile int64_t *offsets = id == CLOCK_REALTIME || id == CLOCK_BOOTTIME ? stepped() : NULL;
    if (done == 0 && offsets != NULL) {
        int64_t at = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + offsets[id == CLOCK_BOOTTIME];
        now->tv_sec = at / 1000000000;
        now->tv_nsec = at % 1000000000;
    }
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec at;
    if (clock_gettime(CLOCK_REALTIME, &at) != 0) return -1;
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out != NULL) *out = at.tv_sec;
    return at.tv_sec;
}

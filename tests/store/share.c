/* A network share without locks, shared memory and sync of folders, for files whose path contains $SHARE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int on_share(int fd) {
    char link[64], path[4096] = {0};
    const char *share = getenv("SHARE");
    if (fd < 0 || share == NULL) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && strstr(path, share) != NULL;
}

static int refuse_lock(int fd, int command) {
    return (command == F_SETLK || command == F_SETLKW || command == F_GETLK) && on_share(fd);
}

int fcntl64(int fd, int command, ...) {
    static int (*real)(int, int, ...);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (real == NULL) real = dlsym(RTLD_NEXT, "fcntl64");
    if (refuse_lock(fd, command)) { errno = ENOLCK; return -1; }
    return real(fd, command, argument);
}

int fcntl(int fd, int command, ...) {
    static int (*real)(int, int, ...);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (real == NULL) real = dlsym(RTLD_NEXT, "fcntl");
    if (refuse_lock(fd, command)) { errno = ENOLCK; return -1; }
    return real(fd, command, argument);
}

int flock(int fd, int operation) {
    static int (*real)(int, int);
    if (real == NULL) real = dlsym(RTLD_NEXT, "flock");
    if (on_share(fd)) { errno = ENOLCK; return -1; }
    return real(fd, operation);
}

void *mmap(void *start, size_t length, int protection, int flags, int fd, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "mmap");
    if (flags & MAP_SHARED && on_share(fd)) { errno = ENODEV; return MAP_FAILED; }
    return real(start, length, protection, flags, fd, offset);
}

int fsync(int fd) {
    static int (*real)(int);
    struct stat status;
    if (real == NULL) real = dlsym(RTLD_NEXT, "fsync");
    if (on_share(fd) && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) { errno = EINVAL; return -1; }
    return real(fd);
}

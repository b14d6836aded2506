#!/bin/bash
# Run by box.py as the first process of new namespaces: makes a root to throw away and becomes its systemd.
#   boot.sh FOLDER LOWER     FOLDER/upper and FOLDER/root are empty; LOWER is the root to lay a layer over
# In the environment: BOX_CONSOLE, a terminal; BOX_BINDS, "OUTSIDE:INSIDE …".
set -eu
PATH=$PATH:/usr/sbin:/sbin # pivot_root, and ip: not in the PATH that su leaves
folder=$1 lower=$2 root=$1/root
read -r _ # the parent has put unshare, which only waits for us, outside our control group

# Nothing that is mounted here is seen outside.
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=4g upper "$folder/upper"
mkdir "$folder/upper/files" "$folder/upper/work"
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper/files,workdir=$folder/upper/work" overlay "$root"

# The kernel's files: what belongs to the whole machine is read-only.
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
for shared in sys sysrq-trigger; do
    [ -e "$root/proc/$shared" ] || continue
    mount --bind "$root/proc/$shared" "$root/proc/$shared"
    mount -o remount,bind,ro "$root/proc/$shared"
done
mount --bind "$root/proc/sys/net" "$root/proc/sys/net" # of our own network namespace
mount -o remount,bind,rw "$root/proc/sys/net"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys" # read-only: udev stays off
# The unified hierarchy and no other: the filter of addresses needs it, and newer systemds refuse the old one.
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for name in null zero full random urandom tty; do
    mknod -m 666 "$root/dev/$name" c $(stat -c '0x%t 0x%T' "/dev/$name")
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
: >"$root/dev/console"
mount --bind "$BOX_CONSOLE" "$root/dev/console"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%%:*}" "$root/dev/${n#*:}"; done

# A /tmp of its own: systemd-tmpfiles empties it at the start.
mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
for bind in $BOX_BINDS; do
    mkdir -p "$root${bind#*:}"
    mount --bind "${bind%%:*}" "$root${bind#*:}"
done

hostname box
ip link set lo up
rm -rf "$root/etc/machine-id" "$root/var/log/journal" "$root/etc/notifier" "$root/var/lib/notifier"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
mkdir -p "$root/var/log/journal" "$root/run/systemd/system"
ln -s /dev/null "$root/run/systemd/system/systemd-modules-load.service"

cd "$root"
pivot_root . .
umount -l .
cd /
mount --make-rshared / # else LoadCredential= gives an empty folder, with no word in the log
systemd=/usr/lib/systemd/systemd
[ -x $systemd ] || systemd=/lib/systemd/systemd
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio \
    env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    $systemd --system --unit=basic.target --log-target=journal-or-kmsg </dev/console >/dev/console 2>&1

"""Run in the service's own sandbox: tries what a break-in would try, and prints as JSON what worked."""

import ctypes
import json
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PLACES = [
    *("/", "/etc", "/etc/notifier", "/usr", "/usr/local/bin", "/opt", "/opt/notifier", "/opt/notifier/bin"),
    *("/boot", "/root", "/home", "/run", "/run/lock", "/var", "/var/lib", "/var/lib/private", "/var/cache"),
    *("/var/log", "/srv", "/proc/sys/kernel", "/sys/fs/cgroup"),
    *("/var/lib/notifier", "/run/notifier", "/tmp", "/var/tmp", "/dev/shm"),
]
FILES = ["/etc/shadow", "/proc/1/environ", "/proc/kcore", "/dev/mem"]
FAMILIES = ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"]
ADDRESSES = ("127.0.0.1", "192.0.2.10", "169.254.169.254")
CLONE_NEWUSER = 0x10000000  # linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)


def works(attempt: Callable[[], object]) -> bool:
    try:
        return attempt() is not False
    except Exception:
        return False


def all_that(attempt: Callable[[str], object], names: Iterable[str]) -> list[str]:
    return [name for name in names if works(lambda name=name: attempt(name))]  # type: ignore[misc]


def writes(place: str) -> None:
    path = Path(place, f"probe-{os.getpid()}")
    path.touch(exist_ok=False)
    path.unlink()


def executes(place: str) -> bool:
    path = Path(place, f"probe-{os.getpid()}")
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o700)
    try:
        return subprocess.run([path], check=False).returncode == 0
    finally:
        path.unlink()


def reads(path: str) -> None:
    with Path(path).open("rb") as file:
        file.read(1)


def sees_kernel_addresses() -> bool:
    return any(line.split()[0].strip("0") for line in Path("/proc/kallsyms").read_text().splitlines())


def opens(family: str) -> None:
    socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()


def connects(address: str) -> None:
    socket.create_connection((address, int(sys.argv[1])), timeout=2).close()


def strangers() -> list[str]:
    numbers = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [path.name for path in numbers if path.stat().st_uid != os.getuid()]


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    pairs = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: pairs[name] for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}


CALLS: Mapping[str, Callable[[], object]] = {
    "kernel addresses": sees_kernel_addresses,
    "/root": lambda: bool(list(Path("/root").iterdir())),
    "a new namespace": lambda: LIBC.unshare(CLONE_NEWUSER) == 0,
    "code made at run time": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC).close(),
    "a real-time priority": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "a higher priority": lambda: os.nice(-1),
    "another host name": lambda: socket.sethostname("probe"),
    "a mount": lambda: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0,
    "another root": lambda: os.chroot("/"),
    "the personality of a 32-bit machine": lambda: LIBC.personality(0x0008) >= 0,
    "a set-uid file": lambda: os.close(os.open("/tmp/probe-suid", os.O_CREAT | os.O_WRONLY, 0o4755)),
}


def main() -> None:
    writable = all_that(writes, PLACES)
    told = {
        "writes": writable,
        "executes": all_that(executes, writable),
        "reads": all_that(reads, FILES),
        "families": all_that(opens, FAMILIES),
        "connects": all_that(connects, ADDRESSES),
        "calls": [name for name, attempt in CALLS.items() if works(attempt)],
        "processes": strangers(),
        "status": status(),
    }
    print("PROBE " + json.dumps(told), flush=True)


main()

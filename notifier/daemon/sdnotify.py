"""Exchange state with systemd: readiness, the watchdog, passed sockets.

This is our own code, because the protocol is one datagram, and the small package for it loses characters
outside Latin-1. Without systemd (no ``NOTIFY_SOCKET``) the functions have no effect.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping, MutableMapping

FIRST_LISTEN_FD = 3  # sd_listen_fds(3): SD_LISTEN_FDS_START
_SEND_TIMEOUT_S = 1.0  # a manager that does not read must not block the event loop


def notify(*fields: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send one datagram of ``NAME=value`` fields. Return whether it was sent; never raise."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):  # unset, or the vsock of a virtual machine
        return False
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_SEND_TIMEOUT_S)
            sender.connect(address)
            sender.sendall("\n".join(fields).encode(errors="replace"))
    except (OSError, ValueError):  # ValueError: a NUL inside the path
        return False
    return True


def has_manager(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a service manager receives notifications."""
    return bool(environ.get("NOTIFY_SOCKET"))


def report_ready(status: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Report that the start or a reload is complete."""
    return notify("READY=1", _status(status), environ=environ)


def report_status(text: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Report the state in one line, for ``systemctl status``."""
    return notify(_status(text), environ=environ)


def extend_start(by_s: int, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Extend the start by ``by_s`` seconds from now, beyond TimeoutStartSec=."""
    return notify(f"EXTEND_TIMEOUT_USEC={by_s * 1_000_000}", environ=environ)


def report_reloading(*, environ: Mapping[str, str] = os.environ) -> bool:
    """Report that a reload begins; ``report_ready`` ends it. Type=notify-reload requires the clock."""
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    return notify("RELOADING=1", f"MONOTONIC_USEC={now_us}", environ=environ)


def report_stopping(status: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Report that the stop begins."""
    return notify("STOPPING=1", _status(status), environ=environ)


def report_progress(*, environ: Mapping[str, str] = os.environ) -> bool:
    """Report progress to the watchdog of systemd."""
    return notify("WATCHDOG=1", environ=environ)


def watchdog_interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds between two reports of progress, half of the limit; None without a watchdog."""
    allowed_us = environ.get("WATCHDOG_USEC", "")
    if not _is_number(allowed_us) or int(allowed_us) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(allowed_us) / 2_000_000


def take_listen_sockets(environ: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the sockets passed to this process, and remove them from the environment.

    Descriptors that are no sockets stay as they are. Sockets become non-blocking and are not inherited.
    """
    pid, count, _names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not _is_number(count):
        return []
    sockets: list[socket.socket] = []
    for fd in range(FIRST_LISTEN_FD, FIRST_LISTEN_FD + int(count)):
        with contextlib.suppress(OSError):
            os.set_inheritable(fd, False)
            listener = socket.socket(fileno=fd)
            listener.setblocking(False)
            sockets.append(listener)
    return sockets


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())  # a line break would begin another field


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20

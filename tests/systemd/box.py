"""A real systemd as PID 1 of new namespaces, on a throw-away layer over a root directory.

What it writes goes into memory, its network has only a loopback, its control groups are a subtree made for
it. The machine's own services, files and network stay as they are, and nothing is left behind.
"""

import contextlib
import ctypes
import os
import pty
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

BOOT = Path(__file__).with_name("boot.sh")
TOOLS = ("unshare", "nsenter", "setpriv", "pivot_root", "ip", "systemctl", "systemd-analyze", "journalctl")
BOOT_S = 60.0
POWER_OFF = signal.SIGRTMIN + 4  # starts poweroff.target: systemd(1)
CLONE_NEWNET = 0x40000000  # linux/sched.h
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSIDE = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
UNSHARE = ["unshare", "--pid", "--fork", "--mount", "--cgroup", "--uts", "--ipc", "--net"]


def why_not() -> str | None:
    """Say in words why no box can be had on this machine; None when it can."""
    if os.geteuid() != 0:
        return "it needs root, to make namespaces and a systemd in them"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not any(Path(path).exists() for path in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")):
        return "it needs systemd, which is not installed"
    group = _cgroup2()
    if group is None:
        return "it needs a cgroup2 file system, and none is mounted"
    return _why_no_namespaces() or _why_read_only(group) or _why_no_boot()


def _why_no_namespaces() -> str | None:
    """Try it: containers often forbid one of these."""
    tried = subprocess.run(
        [*UNSHARE, "sh", "-c", "mount --make-rprivate / && mount -t tmpfs try /mnt && ip link set lo up"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    said = " ".join(tried.stderr.split())
    return f"this machine allows no new namespaces and mounts ({said})" if tried.returncode else None


def _why_read_only(group: Path) -> str | None:
    probe = group / f"notifier-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as fault:
        return f"it may make no control group below {group} ({fault.strerror})"
    return None


def _why_no_boot() -> str | None:
    """Try that too: nothing of ours is in it yet."""
    try:
        with Box():
            return None
    except (OSError, RuntimeError) as fault:
        return f"a systemd does not come up here: {fault}"


class Box:
    """``binds`` are pairs of a folder outside and its place inside."""

    def __init__(self, root: str = "/", *, binds: Sequence[tuple[Path, str]] = ()) -> None:
        self._lower = root
        self._binds = binds
        self._leader = 0

    def __enter__(self) -> "Box":
        self._folder = Path(tempfile.mkdtemp(prefix="notifier-box-", dir="/tmp"))
        for name in ("upper", "root"):
            (self._folder / name).mkdir()
        self._groups = (_cgroup2() or Path()) / self._folder.name
        for group in (self._groups, self._groups / "inside", self._groups / "outside"):
            group.mkdir()
        self._console, self._terminal = pty.openpty()
        threading.Thread(target=self._keep_console, daemon=True).start()
        try:
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    # -- use

    @property
    def root(self) -> Path:
        """The box's files, as seen from outside. An absolute link in them leads astray."""
        return Path(f"/proc/{self._leader}/root")

    def command(self, *words: str | Path, is_online: bool = False) -> list[str]:
        """What to execute to have a command run inside; ``is_online``: in the machine's own network."""
        namespaces = ["-m", "-p", "-u", "-i", "-C", *([] if is_online else ["-n"])]
        return ["nsenter", "-t", str(self._leader), *namespaces, "-r", "-w", "--", *map(str, words)]

    def run(
        self, *words: str | Path, check: bool = True, given: str | None = None, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root; a failure is told with what it said."""
        ended = subprocess.run(
            self.command(*words), capture_output=True, text=True, input=given, timeout=timeout_s, check=False,
            env=INSIDE,
        )  # fmt: skip
        assert not check or ended.returncode == 0, f"{words} ended with {ended.returncode}: {ended}"
        return ended

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the box."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def listener(self, port: int = 0, *, host: str = "127.0.0.1") -> socket.socket:
        """A socket that listens in the box's network, to be served from outside."""
        return self._in_its_network(lambda: socket.create_server((host, port)))

    def connect(self, address: str) -> socket.socket:
        """Connect to ``host:port`` of the box's network, or to ``unix:/path``."""
        if address.startswith("unix:"):
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(str(self.root / address.removeprefix("unix:/")))
            return connected
        host, _, port = address.rpartition(":")
        return self._in_its_network(lambda: socket.create_connection((host, int(port)), timeout=30))

    def _in_its_network(self, make: Callable[[], T]) -> T:
        """A socket belongs to the network that its thread was in when it was made."""
        made: list[T | BaseException] = []

        def work() -> None:
            try:
                with Path(f"/proc/{self._leader}/ns/net").open() as network:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                made.append(make())
            except BaseException as fault:
                made.append(fault)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]

    # -- life

    def _boot(self) -> None:
        environ = {
            **os.environ,
            "BOX_CONSOLE": os.ttyname(self._terminal),
            "BOX_BINDS": " ".join(f"{outside}:{inside}" for outside, inside in self._binds),
        }
        # The shell joins the group that the new control group namespace begins at.
        enter = 'echo $$ >"$0/inside/cgroup.procs"; exec "$@"'
        unshare = [*UNSHARE, "--kill-child=SIGKILL"]
        with (self._folder / "boot.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", enter, self._groups, *unshare, "bash", BOOT, self._folder, self._lower],
                env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._leader = self._until(self._child, "a first process")
        (self._groups / "outside" / "cgroup.procs").write_text(str(self._process.pid))
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.close()
        self._until(lambda: _name_of(self._leader) == "systemd", "systemd")
        self._until(self._is_up, "the end of the boot")

    def _child(self) -> int:
        of_ours = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return (
            int((of_ours.read_text().split() or ["0"])[0]) if _name_of(self._process.pid) == "unshare" else 0
        )

    def _is_up(self) -> bool:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in (
            "running",
            "degraded",
        )

    def _until(self, look: Callable[[], T], what: str) -> T:
        ends_at = time.monotonic() + BOOT_S
        while time.monotonic() < ends_at and self._process.poll() is None:
            with contextlib.suppress(OSError):
                if found := look():
                    return found
            time.sleep(0.02)
        logs = (self._folder / name for name in ("boot.log", "console.log"))
        said = "\n".join(log.read_text(errors="replace")[-4_000:] for log in logs if log.exists())
        raise RuntimeError(f"the box did not come to {what}:\n{said}")

    def _end(self) -> None:
        """Power off; then end what we started, and take away what we made."""
        for number in (POWER_OFF, signal.SIGKILL):  # PID 1 gone: the kernel ends all in its namespace
            if self._leader and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._leader, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(15)
        if hasattr(self, "_process") and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._terminal)
        _remove_groups(self._groups)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _keep_console(self) -> None:
        with (self._folder / "console.log").open("ab", 0) as log, contextlib.suppress(OSError):
            while said := os.read(self._console, 65_536):
                log.write(said)


def _name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _cgroup2() -> Path | None:
    """Our own control group, as a folder of the unified hierarchy."""
    ours = next((line[3:].strip() for line in _lines("/proc/self/cgroup") if line.startswith("0::")), None)
    for line in _lines("/proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        if right.split()[0] == "cgroup2" and ours is not None:
            return Path(left.split()[4]) / ours.lstrip("/")
    return None


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _remove_groups(groups: Path) -> None:
    """A task that has exited leaves its group a moment later."""
    for _ in range(50):
        for folder in sorted((path for path in groups.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            groups.rmdir()
        if not groups.exists():
            return
        time.sleep(0.1)


def environ_for_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip needs to find its index: the machine's own settings, and a search path of the box."""
    kept = {
        name: value for name, value in environ.items() if name.startswith("PIP_") or "proxy" in name.lower()
    }
    return {**kept, "PATH": PATH, "HOME": environ.get("HOME", "/root"), "LANG": "C.UTF-8"}

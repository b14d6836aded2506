"""The shim of ``shim.c``: compiled where there is a compiler, and driven from within a process under it."""

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
MATCH = "notifier.db"


class Kind(IntEnum):
    """What becomes of the n-th call. ``FULL`` and ``READONLY`` last; ``TORN`` writes half and ends it all."""

    NONE = 0
    EXIT = 1
    TORN = 2
    EIO = 3
    FULL = 4
    SLOW = 5
    READONLY = 6


def why_not() -> str | None:
    """Why the shim cannot be used here, with the fix; None when it can."""
    if sys.platform != "linux":
        return "the disk is failed through LD_PRELOAD, which Linux has"
    if shutil.which("cc") is None:
        return "no C compiler: install one as `cc` to have the disk fail (Debian: apt install gcc libc6-dev)"
    return None


def built(folder: Path) -> Path:
    """Compile it into ``folder``; returns the library."""
    library = folder / "shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def environ(library: Path, **more: str) -> dict[str, str]:
    """Variables that put a process under it."""
    return {**os.environ, "LD_PRELOAD": str(library), "SHIM_MATCH": MATCH, **more}


def quick_folder() -> str | None:
    """Where files cost no disk, as its faults are ours to make; None is the usual place for scratch."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Shim:
    """The one that this process runs under; raises AttributeError when it runs under none."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.shim_arm.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_int]
        self._library.shim_calls.restype = ctypes.c_long

    def arm(self, at: int, kind: Kind, slow_ms: int = 0) -> None:
        """Have the ``at``-th call from now on fail."""
        self._library.shim_arm(at, kind, slow_ms)

    def disarm(self) -> int:
        """Have no call fail; returns how many were made since it was armed."""
        calls = int(self._library.shim_calls())
        self.arm(0, Kind.NONE)
        return calls

    def pause(self, is_paused: bool) -> None:
        """Have the disk be well meanwhile; calls are not counted."""
        self._library.shim_pause(int(is_paused))

    def record(self, path: Path) -> None:
        """Keep every call from now on in a file."""
        self._library.shim_record(str(path).encode())

    def note(self, text: str) -> None:
        """Put a line among what is kept."""
        self._library.shim_note(text.encode())


class SteppedClock:
    """Two offsets in a file: what a process under the shim has added to its clocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.step(0, 0)

    def step(self, wall_s: float, boot_s: float = 0.0) -> None:
        """Set both, in seconds from the real clocks: of day, and since boot with sleep."""
        content = struct.pack("=qq", round(wall_s * 1e9), round(boot_s * 1e9))
        if self.path.exists():
            with self.path.open("r+b") as file:
                file.write(content)
        else:
            self.path.write_bytes(content)

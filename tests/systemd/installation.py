"""The wheel of this checkout, installed where the unit expects it: /opt/notifier of the box.

The dependencies are those of requirements.lock, fetched once by pip and kept in build/systemd; after that no
network is needed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.systemd.box import Box, environ_for_pip

REPOSITORY = Path(__file__).parents[2]
PLACE = "/opt/notifier"
KEPT = REPOSITORY / "build" / "systemd"
HIDDEN = ("/root", "/home", "/run/user", "/tmp")  # from a service with ProtectHome= and PrivateTmp=


@cache
def python() -> str | None:
    """A Python that a sandboxed service may run: 3.11 or newer, in nobody's home; None if there is none."""
    names = [
        f"/usr/{place}/python3{minor}"
        for place in ("bin", "local/bin")
        for minor in ("", ".13", ".12", ".11")
    ]
    return next((name for name in names if _is_fit(name)), None)


def _is_fit(name: str) -> bool:
    path = Path(name)
    if not path.exists() or str(path.resolve()).startswith(HIDDEN):
        return False
    ask = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([name, "-c", ask], capture_output=True, timeout=30, check=False).returncode == 0


def why_not() -> str | None:
    """Say in words why it cannot be installed here; None when it can."""
    if python() is None:
        return "it needs a Python 3.11 or newer with venv outside /root and /home (python3 and python3-venv)"
    return None


def prepare() -> Path:
    """Build and install; returns the folder that is to be bound to ``PLACE``. One at a time."""
    venv, wheels = KEPT / "venv", KEPT / "wheels"
    venv.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wheel = _build(wheels)
        if _has_mark(venv, "lock", _lock_mark()) and _has_mark(venv, "wheel", _digest(wheel)):
            return venv
        with Box(binds=[(venv, PLACE), (wheels, "/mnt")]) as box:
            _install(box, venv, wheel)
    return venv


def _install(box: Box, venv: Path, wheel: Path) -> None:
    if not _has_mark(venv, "lock", _lock_mark()):
        _install_locked(box, venv)
    pip = (f"{PLACE}/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-index")
    box.run(*pip, "--force-reinstall", f"/mnt/{wheel.name}")
    (venv / "wheel.mark").write_text(_digest(wheel))


def _build(wheels: Path) -> Path:
    """Build with the locked build tools of this very environment."""
    shutil.rmtree(wheels, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)],
        cwd=REPOSITORY, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    return wheel


def _lock_mark() -> str:
    lock = (REPOSITORY / "requirements.lock").read_bytes()
    return hashlib.sha256(lock + (python() or "").encode()).hexdigest()


def _digest(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _has_mark(venv: Path, name: str, wanted: str) -> bool:
    mark = venv / f"{name}.mark"
    return mark.exists() and mark.read_text() == wanted


def _install_locked(box: Box, venv: Path) -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    box.write("/requirements.lock", lock)
    for words in (
        (python() or "", "-m", "venv", "--clear", PLACE),
        (f"{PLACE}/bin/python", "-m", "pip", "install", "-qq", "--disable-pip-version-check",
         "--require-hashes", "--only-binary", ":all:", "-r", "/requirements.lock"),
    ):  # fmt: skip
        subprocess.run(
            box.command(*words, is_online=True), env=environ_for_pip(os.environ), check=True, timeout=600
        )
    (venv / "lock.mark").write_text(_lock_mark())

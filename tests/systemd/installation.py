"""The wheel of this checkout, installed where the unit expects it: /opt/notifier of the box.

The dependencies are those of requirements.lock, fetched once by pip and kept in build/systemd; after that no
network is needed.
"""

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
    """Build and install; returns the folder that is to be bound to ``PLACE``."""
    venv, wheels = KEPT / "venv", KEPT / "wheels"
    venv.mkdir(parents=True, exist_ok=True)
    wheel = _build(wheels)
    with Box(binds=[(venv, PLACE), (wheels, "/mnt")]) as box:
        if not _is_current(venv):
            _install_locked(box, venv)
        pip = (
            f"{PLACE}/bin/python",
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-index",
            "--force-reinstall",
        )
        box.run(*pip, f"/mnt/{wheel.name}")
    return venv


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


def _is_current(venv: Path) -> bool:
    mark = venv / "lock.mark"
    return mark.exists() and mark.read_text() == _lock_mark()


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

"""What it was measured on."""

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = (
    "aiosqlite",
    "apscheduler",
    "h11",
    "httpx",
    "msgspec",
    "starlette",
    "structlog",
    "uvicorn",
)


def facts(disk: Path) -> dict[str, str]:
    """Return what a reader must know to compare, in the order to show it."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "code": _commit(),
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}, {_file_system(disk)}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "libraries": libraries,
        "peers, where they were measured": _peers(),
        "load average when it began": load,
    }


def _peers() -> str:
    """Return the peers that were chosen; what they need in turn stands below an empty line."""
    text = Path(__file__).with_name("peers").joinpath("requirements.txt").read_text()
    chosen, _, _ = text.partition("\n\n")
    return ", ".join(line.replace("==", " ") for line in chosen.splitlines() if "==" in line)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(disk: Path) -> str:
    """Return the type of the file system that the databases were on: on tmpfs a commit costs nothing."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        if disk.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _commit() -> str:
    """Return the commit, and whether the package differed from it."""
    try:
        root = Path(__file__).resolve().parent.parent
        told = [
            subprocess.run(
                ["git", "-C", root, *words], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (
                ("rev-parse", "--short", "HEAD"),
                ("status", "--porcelain", "--", "notifier"),
            )
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{told[0]}{', with uncommitted changes in the package' if told[1] else ''}"

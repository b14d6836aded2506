"""What a process has used, as the kernel counts it: all its threads together."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return user and system time since the start of the process."""
    # The name, in brackets, may hold anything; what follows the last bracket is in fixed places.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Return the memory that is resident now."""
    return _status_mb(pid, "VmRSS")


def peak_rss_mb(pid: int) -> float:
    """Return the most that was ever resident."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) / 1_024
    raise LookupError(f"the kernel does not tell {name}")


class Busy:
    """Who used the processor from here to ``stop``: processes of ours by name, ourselves, all others.

    ``seconds`` is CPU time, ``cores`` the same over the time that passed.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.seconds: dict[str, float] = {}
        self.cores: dict[str, float] = {}
        self._pids = {**pids, "bench": os.getpid()}
        self._began = time.monotonic()
        self._before = self._now()

    def stop(self) -> None:
        """End the measurement."""
        passed_s = time.monotonic() - self._began
        after = self._now()
        self.seconds = {name: after[name] - self._before[name] for name in after}
        machine_s = self.seconds.pop("machine")
        self.seconds["others"] = max(0.0, machine_s - sum(self.seconds.values()))
        self.cores = {name: used_s / passed_s for name, used_s in self.seconds.items()}

    def __str__(self) -> str:
        return ", ".join(f"{name} {share:.2f}" for name, share in self.cores.items())

    def _now(self) -> dict[str, float]:
        own = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        return {**own, "machine": _machine_seconds()}


def _machine_seconds() -> float:
    """Return the time that all cores together were not idle, nor waiting for a disk, nor lent out."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS_PER_S

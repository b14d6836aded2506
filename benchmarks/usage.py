"""What a process and its children have used, as the kernel counts it: all their threads together."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


def cpu_seconds(pid: int) -> float:
    """Return user and system time since the start of the process, with its children, the dead included."""
    # The name, in brackets, may hold anything; what follows the last bracket is in fixed places.
    ticks = 0
    for each in _tree(pid):
        with suppress(*_GONE):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Return the memory that is resident now; what several processes share is counted once."""
    if len([*_tree(pid)]) == 1:
        return _kib(f"/proc/{pid}/status", "VmRSS") / 1_024
    return _shared_out_mb(pid)


def peak_rss_mb(pid: int) -> float:
    """Return the most that was ever resident; of a process with children what is now, as no more is told."""
    if len([*_tree(pid)]) == 1:
        return _kib(f"/proc/{pid}/status", "VmHWM") / 1_024
    return _shared_out_mb(pid)


def _shared_out_mb(pid: int) -> float:
    total = 0
    for each in _tree(pid):
        with suppress(*_GONE):
            total += _kib(f"/proc/{each}/smaps_rollup", "Pss")
    return total / 1_024


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(*_GONE):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _tree(int(child))


def _kib(file: str, name: str) -> int:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise LookupError(f"{file} does not tell {name}")


class Busy:
    """Who used the processor from here to ``stop``: our children by name, we ourselves, all others.

    ``seconds`` is CPU time, ``cores`` the same over the time that passed.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.seconds: dict[str, float] = {}
        self.cores: dict[str, float] = {}
        self._pids = pids
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
        return {**own, "bench": time.process_time(), "machine": _machine_seconds()}


def _machine_seconds() -> float:
    """Return the time that all cores together were not idle, nor waiting for a disk, nor lent out."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS_PER_S

"""What is seen of a daemon from outside, second by second, and whether any of it drifts."""

import statistics
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024
WARM_UP = 0.25  # the share of the run whose figures are still those of a start
MEMORY_MIB, MEMORY_SHARE = 8.0, 0.10
DESCRIPTORS = 20
LOG_MIB = 96.0
HEALTH_P99_S = 0.5
LATER_S = 1.0


@dataclass
class Gauges:
    """Samples of one run, in order."""

    memory_mib: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)
    log_mib: list[float] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    def sample(self, pid: int, database: Path) -> None:
        """Look at the process and at its log of writes."""
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        self.memory_mib.append(int(resident.split()[1]) / 1024)
        self.descriptors.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        log = database.with_name(f"{database.name}-wal")
        self.log_mib.append(log.stat().st_size / MIB if log.exists() else 0.0)

    def report(self) -> list[str]:
        """One line a gauge."""
        return [
            f"{name:12} {_halves(values)}  p50 {percentile(values, 50):.3f}  p99 {percentile(values, 99):.3f}"
            f"  max {max(values):.3f}  of {len(values)}"
            for name, values in vars(self).items()
        ]

    def drifts(self) -> list[str]:
        """What grew, or was over its bound."""
        found = []
        early, late = halves(self.memory_mib)
        if late - early > max(MEMORY_MIB, MEMORY_SHARE * early):
            found.append(f"memory grew from {early:.1f} to {late:.1f} MiB")
        early, late = halves(self.descriptors)
        if late - early > DESCRIPTORS:
            found.append(f"descriptors grew from {early:.0f} to {late:.0f}")
        if max(self.log_mib) > LOG_MIB:
            found.append(f"the log of writes grew to {max(self.log_mib):.0f} MiB")
        if percentile(self.health_s, 99) > HEALTH_P99_S:
            found.append(f"/healthz took {percentile(self.health_s, 99):.2f} s")
        early, late = halves(self.late_s)
        if late - early > LATER_S:
            found.append(f"callbacks came later: {early:.2f} s, then {late:.2f} s")
        return found


def halves(values: list[float]) -> tuple[float, float]:
    """The medians of the two halves of what follows the start."""
    warm = values[round(len(values) * WARM_UP) :]
    middle = max(1, len(warm) // 2)
    return statistics.median(warm[:middle]), statistics.median(warm[middle:] or warm)


def percentile(values: list[float], share: int) -> float:
    """The value that ``share`` of a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def _halves(values: list[float]) -> str:
    early, late = halves(values)
    return f"{early:.3f} -> {late:.3f}"

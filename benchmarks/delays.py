"""What the ledger says against what the provider knows: how late the daemon was, and what it lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from benchmarks.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from a task's true end until the daemon noticed it, and until the callback was here.

    ``delivered_s`` lies between the two: it is what delivering took.
    """

    lost: int
    duplicates: int
    noticed_s: Sequence[float]
    called_back_s: Sequence[float]
    delivered_s: Sequence[float]

    @classmethod
    def of(cls, ledger: Ledger, ends: Mapping[str, int]) -> Self:
        """Compare; ``ends`` holds when each task ended, in epoch milliseconds, by its id."""
        pairs = [(entry, ends[task]) for task, entry in ledger.entries.items() if task in ends]
        return cls(
            lost=len(ends) - len(pairs),
            duplicates=ledger.duplicates,
            noticed_s=[(entry.ended_at - end) / 1_000 for entry, end in pairs],
            called_back_s=[(entry.received_at - end) / 1_000 for entry, end in pairs],
            delivered_s=[(entry.received_at - entry.ended_at) / 1_000 for entry, _ in pairs],
        )

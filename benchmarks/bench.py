"""What every scenario is handed: where its files go, how much it shall do, and how it speaks."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks. ``is_quick`` is for trying them: its figures prove nothing."""

    is_quick: bool
    disk: Path
    began_at: float = field(default_factory=time.monotonic)

    def pick(self, full: T, quick: T) -> T:
        """Return the size for this run."""
        return quick if self.is_quick else full

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Give a new folder on the disk that is measured, for the block."""
        with tempfile.TemporaryDirectory(prefix="notifier-bench-", dir=self.disk) as name:
            yield Path(name)

    def say(self, text: str) -> None:
        """Tell how far it is."""
        print(f"{time.monotonic() - self.began_at:6.1f} s  {text}", flush=True)

"""What is outside the daemon and survives it: time, chance, the trace, and what was found wrong."""

import hashlib
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.fakes import NOON

LAST_LINES = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was not kept, when, and how it showed."""

    rule: str
    at_ms: int
    text: str

    def __str__(self) -> str:
        return f"[{self.rule}] at {self.at_ms / 1000:.3f} s: {self.text}"


@dataclass
class World:
    """``mono`` is the loop's time in seconds; it stands still while the machine sleeps (``slept_s``).

    ``stepped_ms`` is how far the wall clock was set away from the time that has truly passed.
    ``chance`` is the world's own: what the daemon draws comes from another.
    """

    seed: str
    mono: float = 0.0
    slept_s: float = 0.0
    stepped_ms: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    breaches: list[Breach] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    calm_since: int = 0
    """When (``elapsed_ms``) the last thing happened that excuses lateness everywhere."""

    leapt_at: int = 0
    """When the machine last woke, or its clock was set."""

    def __post_init__(self) -> None:
        self.on_breach: Callable[[], None] = lambda: None
        self.rng = random.Random(f"world {self.seed}")
        self._digest = hashlib.sha256(self.seed.encode())

    def elapsed_ms(self) -> int:
        """Milliseconds that have truly passed, asleep or not: CLOCK_BOOTTIME."""
        return int((self.mono + self.slept_s) * 1_000 + 1e-6)

    def wall_ms(self) -> int:
        """What the machine's wall clock shows, epoch milliseconds."""
        return NOON + self.elapsed_ms() + self.stepped_ms

    def wall(self) -> datetime:
        """The same with microseconds, as APScheduler reads it."""
        micros = round((self.mono + self.slept_s) * 1_000_000) + (NOON + self.stepped_ms) * 1_000
        return _EPOCH + timedelta(microseconds=micros)

    def note(self, what: str, *facts: object) -> None:
        """Add a line to the trace, and to its hash."""
        line = f"{self.elapsed_ms()} {what} {' '.join(map(str, facts))}"
        self._digest.update(line.encode())
        self.lines.append(line)
        self.counts[what] += 1

    def disturb(self, for_ms: int = 0) -> None:
        """Something has happened that excuses lateness everywhere, until it is over."""
        self.calm_since = max(self.calm_since, self.elapsed_ms() + for_ms)

    def breach(self, rule: str, text: str) -> None:
        """A promise was not kept."""
        self.note("BREACH", rule, text)
        self.breaches.append(Breach(rule, self.elapsed_ms(), text))
        self.on_breach()

    @property
    def hash(self) -> str:
        """Of everything that happened so far."""
        return self._digest.hexdigest()[:16]

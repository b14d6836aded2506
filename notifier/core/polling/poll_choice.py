"""Choose which due watches of a provider are polled now, so that no api_path takes the room of another.

``limit`` requests may start. What fails or hangs is suspect, and all of it together holds a part of the
slots. No path takes more than half of the slots that the others leave free. Where more is due than may start,
the paths are served in rotation: the one that was served longest ago goes first. Watches whose own last poll
failed take what is left, and a share that keeps them from waiting for ever.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType

_EMPTY: Mapping[str, int] = MappingProxyType({})
_NO_PROBES: "Mapping[str, PathProbe]" = MappingProxyType({})


class PathProbe(Enum):
    """Which watch of a blocked api_path may be polled now."""

    NONE = auto()
    FRESH = auto()
    """One that has never failed."""
    ANY = auto()


@dataclass(frozen=True, slots=True)
class DueWatch:
    """A watch that is due. ``failures`` counts its own failed polls in a row."""

    seq: int
    api_path: str
    due_at: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What a claim must respect, beside the number of requests that may start.

    ``in_flight`` counts the requests of each api_path. ``suspects`` are the paths that fail or hang;
    ``suspect_room`` is how many more requests may be to one of these, or for a watch that failed last.
    ``probe_room`` is the same for probes of blocked paths.
    ``blocked`` are the paths that are held back, and the probe that may go out. ``served`` orders the paths:
    what was served longest ago has the lowest number. ``is_shared``: more than one path is known.
    ``favours_troubled``: a watch that failed last goes first. ``is_probe``: the provider itself is blocked,
    and the claim is for its probe.
    """

    max_in_flight: int = 1
    in_flight: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    suspects: Collection[str] = frozenset()
    suspect_room: int = 0
    probe_room: int = 0
    blocked: Mapping[str, PathProbe] = field(default_factory=lambda: _NO_PROBES)
    served: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    is_shared: bool = False
    favours_troubled: bool = False
    is_probe: bool = False

    @property
    def is_simple(self) -> bool:
        """Return whether any due watch may be claimed, as long as there is room."""
        return not (self.blocked or self.suspects or self.is_probe)


UNRESTRICTED = ClaimRules(suspect_room=1_000_000, probe_room=1_000_000)
"""For a claim with no other bound than its limit; far above any limit."""


def choose_polls(due: Sequence[DueWatch], *, limit: int, rules: ClaimRules) -> list[DueWatch]:
    """Return which of the due watches are polled now.

    ``due`` holds the watches of each path in the order in which they are to be polled. The watches of a
    blocked path are passed over, except for a probe.
    """
    if rules.is_probe:
        return sorted(due, key=lambda each: _order_probes(each, rules))[: min(limit, 1)]
    choice = _Choice(limit, rules)
    for probe in _list_probes(due, rules):
        choice.take_probe(probe)
    allowed = [each for each in due if each.api_path not in rules.blocked]
    troubled = deque(each for each in allowed if each.failures)
    if rules.favours_troubled and troubled and choice.take(troubled[0], is_suspect=True):
        troubled.popleft()
    for watch in _rotate([each for each in allowed if not each.failures], choice):
        choice.take(watch, is_suspect=watch.api_path in rules.suspects)
    for watch in troubled:
        choice.take(watch, is_suspect=True)
    return choice.chosen


class _Choice:
    """The watches chosen so far, and the room that they leave."""

    def __init__(self, limit: int, rules: ClaimRules) -> None:
        self.chosen: list[DueWatch] = []
        self.rules = rules
        self._limit = limit
        self._suspect_room = rules.suspect_room
        self._in_flight = Counter(rules.in_flight)
        self._total = self._in_flight.total()

    def has_room(self, api_path: str, *, is_suspect: bool) -> bool:
        """Return whether one more request to this path may start."""
        if len(self.chosen) >= self._limit or (is_suspect and self._suspect_room <= 0):
            return False
        own, rules = self._in_flight[api_path], self.rules
        return not rules.is_shared or own < find_path_slots(rules.max_in_flight, self._total - own)

    def take_probe(self, watch: DueWatch) -> bool:
        """Choose the probe of a blocked path if there is room; return whether it was chosen."""
        spent = self.rules.suspect_room - self._suspect_room
        if spent >= self.rules.probe_room or not self.has_room(watch.api_path, is_suspect=False):
            return False
        self.take(watch, is_suspect=False)
        self._suspect_room -= 1
        return True

    def take(self, watch: DueWatch, *, is_suspect: bool) -> bool:
        """Choose the watch if there is room; return whether it was chosen."""
        if not self.has_room(watch.api_path, is_suspect=is_suspect):
            return False
        self.chosen.append(watch)
        self._in_flight[watch.api_path] += 1
        self._total += 1
        self._suspect_room -= is_suspect
        return True


def find_path_slots(max_in_flight: int, in_flight_of_others: int) -> int:
    """Return how many requests one api_path may have in flight: half of what the others leave, rounded up.

    So however many paths take their part, a slot is left for the next, until each has few.
    """
    return max(0, max_in_flight - in_flight_of_others + 1) // 2


def _order_probes(watch: DueWatch, rules: ClaimRules) -> tuple[int, int, int]:
    """Order probes: of the path that was served longest ago, what failed least, and is due longest."""
    return rules.served.get(watch.api_path, -1), watch.failures, watch.due_at


def _list_probes(due: Sequence[DueWatch], rules: ClaimRules) -> Iterator[DueWatch]:
    """Yield for each blocked path its probe: what failed least, and of that what is due longest."""
    candidates: dict[str, DueWatch] = {}
    for watch in due:
        probe = rules.blocked.get(watch.api_path, PathProbe.NONE)
        if probe is PathProbe.NONE or (probe is PathProbe.FRESH and watch.failures):
            continue
        best = candidates.get(watch.api_path)
        if best is None or _order_probes(watch, rules) < _order_probes(best, rules):
            candidates[watch.api_path] = watch
    yield from sorted(candidates.values(), key=lambda each: _order_probes(each, rules))


def _rotate(due: Sequence[DueWatch], choice: _Choice) -> Iterator[DueWatch]:
    """Yield one watch of each path in rotation, that of the path that was served longest ago first.

    A path that has no room any more is left out: room never grows again within a choice.
    """
    queues: dict[str, deque[DueWatch]] = {}
    for watch in due:
        queues.setdefault(watch.api_path, deque()).append(watch)
    served, suspects = choice.rules.served, choice.rules.suspects
    rotation = deque(sorted(queues, key=lambda api_path: served.get(api_path, -1)))
    while rotation:
        api_path = rotation.popleft()
        if not choice.has_room(api_path, is_suspect=api_path in suspects):
            continue
        yield queues[api_path].popleft()
        if queues[api_path]:
            rotation.append(api_path)

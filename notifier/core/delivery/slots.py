"""Divide the slots of deliveries (``callbacks.max_in_flight``) among classes of endpoints.

An endpoint that hangs holds a slot for the whole timeout. However many of them there are, they must leave
slots to the endpoints that work, and to those that may work: the ones that are new, and the ones that failed
but worked before. So each class (``classify_endpoint.py``) has a limit. One slot is kept for what a user
sends again by hand.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from notifier.core.model import SlotClass

RESERVE_FROM = 8  # trade-off: of fewer slots, one in reserve would cost more than 1/8 of the throughput


@dataclass(frozen=True, slots=True)
class SlotUsage:
    """The number of slots, and the origins of the deliveries in flight by class."""

    total: int
    in_flight: Mapping[SlotClass, Collection[str]] = field(default_factory=dict)

    def count_used(self, *classes: SlotClass) -> int:
        """Return how many slots deliveries of these classes use."""
        return sum(len(self.in_flight.get(slot_class, ())) for slot_class in classes)

    def count_free(self, slot_class: SlotClass) -> int:
        """Return how many more deliveries of this class may be in flight."""
        free = self.total - self.count_used(*SlotClass)
        if slot_class is SlotClass.FORCED:
            return max(0, free)
        is_reserved = self.total >= RESERVE_FROM and not self.count_used(SlotClass.FORCED)
        return max(0, min(free - is_reserved, self._count_free_of_class(slot_class)))

    def occupy(self, slot_class: SlotClass, origins: Collection[str]) -> "SlotUsage":
        """Return the usage with deliveries to these origins in flight too."""
        used = (*self.in_flight.get(slot_class, ()), *origins)
        return SlotUsage(self.total, {**self.in_flight, slot_class: used})

    def _count_free_of_class(self, slot_class: SlotClass) -> int:
        """Return the room within the limit of the class.

        Trials, which are new or recovering endpoints, have half of the slots. Of those new ones leave an
        eighth to the recovering ones, because very many may be new at once. Those that hang have a quarter.
        """
        trials = max(1, self.total // 2) - self.count_used(SlotClass.RECOVERING, SlotClass.NEW)
        match slot_class:
            case SlotClass.RECOVERING:
                return trials
            case SlotClass.NEW:
                limit = max(1, self.total // 2 - self.total // 16)
                return min(trials, limit - self.count_used(SlotClass.NEW))
            case SlotClass.HANGING:
                return max(1, self.total // 4) - self.count_used(SlotClass.HANGING)
            case _:
                return self.total

"""The limits of a claim of deliveries: in flight to each origin and of each class, and the rates."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from notifier.core.delivery.slots import SlotUsage
from notifier.core.formats.urls import url_to_origin
from notifier.core.model import ClaimedDelivery, SlotClass
from notifier.store.values import MAX_CLAIMED_BYTES, RateAllowance, count_body_bytes


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """The requests in flight and their limits: to each origin, and of each class; and the rates.

    ``max_bytes`` is what the bodies of the next ones may have together.
    """

    busy: Mapping[str, int]
    per_origin: int
    slots: SlotUsage
    rates: RateAllowance | None = None
    max_bytes: int = MAX_CLAIMED_BYTES

    def room_at(self, origin: str) -> int:
        """Return how many more requests may go to this origin."""
        room = self.per_origin - self.busy.get(origin, 0)
        return room if self.rates is None else min(room, self.rates.tokens.get(origin, self.rates.burst))

    def without_rates(self) -> Self:
        """Return the limits of what is sent whatever the rate is."""
        return replace(self, rates=None)

    def full(self, slot_class: SlotClass) -> str:
        """List the origins that have no room for a delivery of this class, as JSON for the statements.

        Two deliveries to endpoints of one origin that do not work are not in flight together. Of new ones
        that depends on the origin, see ``exclude``.
        """
        full = [origin for origin in self.busy if self.room_at(origin) <= 0]
        if self.rates is not None:
            full += [origin for origin, tokens in self.rates.tokens.items() if tokens <= 0]
        if slot_class in (SlotClass.RECOVERING, SlotClass.HANGING):
            full += self.slots.in_flight.get(slot_class, ())
        return json.dumps(full)

    def exclude(self, slot_class: SlotClass) -> Mapping[str, str]:
        """Return the parameters by which the statement of a class leaves out origins.

        ``tried`` are those with a delivery to a new endpoint in flight.
        """
        full = {"full": self.full(slot_class)}
        if slot_class is not SlotClass.NEW:
            return full
        return {**full, "tried": json.dumps(list(self.slots.in_flight.get(SlotClass.NEW, ())))}

    def after(self, deliveries: Iterable[ClaimedDelivery]) -> Self:
        """Return the limits with these deliveries in flight too."""
        busy, slots, rates, max_bytes = Counter(self.busy), self.slots, self.rates, self.max_bytes
        for delivery in deliveries:
            max_bytes -= count_body_bytes(delivery)
            origin = url_to_origin(delivery.url)
            busy[origin] += 1
            slots = slots.occupy(delivery.slot_class, (origin,))
            if rates is not None:
                left = rates.tokens.get(origin, rates.burst) - 1
                rates = replace(rates, tokens={**rates.tokens, origin: left})
        return replace(self, busy=busy, slots=slots, rates=rates, max_bytes=max_bytes)

"""Whatever hangs leaves slots to what works, to what may work, and to a user."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.delivery.classify_endpoint import FAST_PROBES, classify_endpoint
from notifier.core.delivery.endpoint import EndpointHealth
from notifier.core.delivery.slots import SlotUsage
from notifier.core.model import SlotClass

FAILED = CircuitBreaker(failures=1)
PROBED = replace(FAILED, since=0, probes=FAST_PROBES)


@pytest.mark.parametrize(
    ("health", "slot_class"),
    [
        (EndpointHealth(), SlotClass.NEW),
        (EndpointHealth(concurrency=None), SlotClass.PROVEN),
        (EndpointHealth(concurrency=2, accepted_at=1), SlotClass.PROVEN),
        (EndpointHealth(FAILED), SlotClass.RECOVERING),
        (EndpointHealth(PROBED), SlotClass.RECOVERING),
        (EndpointHealth(FAILED, is_hanging=True), SlotClass.HANGING),
        (EndpointHealth(FAILED, is_hanging=True, accepted_at=1), SlotClass.RECOVERING),
        (EndpointHealth(PROBED, is_hanging=True, accepted_at=1), SlotClass.HANGING),
        (EndpointHealth(accepted_at=1), SlotClass.RECOVERING),
    ],
)
def test_an_endpoint_is_classed_by_what_it_has_shown(health: EndpointHealth, slot_class: SlotClass) -> None:
    """One that failed quickly costs little. One that hangs and worked before has some quick tries."""
    assert classify_endpoint(health) is slot_class


def fill(total: int, *classes: SlotClass) -> SlotUsage:
    """Use as many slots as each class gets, in turn."""
    usage = SlotUsage(total)
    for slot_class in classes:
        usage = usage.occupy(slot_class, ["http://h"] * usage.count_free(slot_class))
    return usage


def test_of_32_slots_each_class_has_its_part() -> None:
    """A quarter for those that hang, half for trials, an eighth of it for recovering ones, one for users."""
    assert fill(32, SlotClass.HANGING).count_used(SlotClass.HANGING) == 8
    assert fill(32, SlotClass.NEW).count_used(SlotClass.NEW) == 14
    assert fill(32, SlotClass.NEW, SlotClass.RECOVERING).count_used(SlotClass.RECOVERING) == 2
    assert fill(32, SlotClass.RECOVERING).count_used(SlotClass.RECOVERING) == 16
    busy = fill(32, SlotClass.HANGING, SlotClass.NEW, SlotClass.RECOVERING)
    assert busy.count_free(SlotClass.PROVEN) == 7
    full = fill(32, SlotClass.PROVEN)
    assert (full.count_free(SlotClass.PROVEN), full.count_free(SlotClass.FORCED)) == (0, 1)


@given(st.integers(1, 200), st.permutations(list(SlotClass)))
def test_whatever_uses_the_slots_first_all_together_never_exceed_them(
    total: int, order: list[SlotClass]
) -> None:
    usage = fill(total, *order)
    assert usage.count_used(*SlotClass) <= total
    assert usage.count_used(SlotClass.HANGING) <= max(1, total // 4)
    assert usage.count_used(SlotClass.NEW, SlotClass.RECOVERING) <= max(1, total // 2)


@given(st.integers(8, 200), st.permutations([each for each in SlotClass if each is not SlotClass.FORCED]))
def test_a_redelivery_always_finds_a_slot(total: int, order: list[SlotClass]) -> None:
    assert fill(total, *order).count_free(SlotClass.FORCED) >= 1


@pytest.mark.parametrize("slot_class", SlotClass)
def test_a_single_slot_serves_every_class(slot_class: SlotClass) -> None:
    assert SlotUsage(1).count_free(slot_class) == 1

"""A provider as a whole: blocked by what its paths share, and at once by a 429."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.causes.cause import Condition
from notifier.core.circuit_breaker import Permit
from notifier.core.polling.provider_health import (
    ProviderHealth,
    permit,
    record_failure,
    record_probe,
    record_reply,
    record_throttle,
    shift_provider,
)
from tests.builders import KEY_REFUSED, MINUTE, SECOND, THROTTLED

T = 1_000_000_000
CAP_MS = 45_000


def fail(
    provider: ProviderHealth,
    *paths: str,
    now: int = T,
    is_probe: bool = False,
    has_working_path: bool = False,
) -> ProviderHealth:
    for path in paths:
        provider = record_failure(
            provider,
            path,
            KEY_REFUSED,
            now,
            is_probe=is_probe,
            cap_ms=CAP_MS,
            has_working_path=has_working_path,
        )
    return provider


def throttle(provider: ProviderHealth, until: int, now: int = T, *, is_probe: bool = False) -> ProviderHealth:
    return record_throttle(provider, "/a", THROTTLED, now, until=until, is_probe=is_probe, cap_ms=CAP_MS)


@pytest.mark.parametrize(
    ("paths", "has_working_path", "expected"),
    [
        ("aa", False, Permit.ALLOW),
        ("aaa", False, Permit.BLOCK),
        ("aaaaaaaaa", True, Permit.ALLOW),
        ("aab", True, Permit.BLOCK),
        ("ab", True, Permit.ALLOW),
        ("aaaaaab", True, Permit.BLOCK),
    ],
)
def test_three_failures_block_and_of_two_paths_where_another_works(
    paths: str, has_working_path: bool, expected: Permit
) -> None:
    """What one path fails with says nothing about a path that brought a reply just now."""
    assert permit(fail(ProviderHealth(), *paths, has_working_path=has_working_path), T) is expected


def test_a_reply_begins_the_count_anew_and_unblocks() -> None:
    provider = record_reply(fail(ProviderHealth(), "a", "b"), T)
    assert provider == ProviderHealth()
    blocked = fail(provider, "a", "b", "c")
    assert permit(blocked, T) is Permit.BLOCK
    assert permit(record_reply(blocked, T), T) is Permit.ALLOW


def test_it_says_why_and_since_the_first_failure_in_a_row() -> None:
    provider = fail(fail(ProviderHealth(), "a", now=T - MINUTE), "a")
    assert provider.condition is None
    assert fail(provider, "a").condition == Condition(KEY_REFUSED, T - MINUTE)


def test_probes_are_at_most_a_cap_apart() -> None:
    provider, now, waits = fail(ProviderHealth(), *"aaa"), T, []
    for _ in range(6):
        waits.append((provider.breaker.probe_at - now) // SECOND)
        now = provider.breaker.probe_at
        assert permit(provider, now) is Permit.PROBE
        provider = record_probe(provider, now, timeout_ms=20_000)
        assert permit(provider, now) is Permit.BLOCK
        provider = fail(provider, "a", now=now, is_probe=True, has_working_path=True)
    assert waits == [5, 10, 20, 40, 45, 45]


@pytest.mark.fault(51)
@given(wait_ms=st.integers(1, 3_600_000), reply_after_ms=st.integers(0, 4_000_000))
def test_a_429_blocks_for_as_long_as_it_asks(wait_ms: int, reply_after_ms: int) -> None:
    """A reply that was on its way says nothing against the pause; one after it unblocks."""
    provider = throttle(ProviderHealth(), T + wait_ms)
    assert permit(provider, T + wait_ms - 1) is Permit.BLOCK
    assert permit(provider, T + wait_ms) is Permit.PROBE
    assert provider.condition == Condition(THROTTLED, T)
    replied = record_reply(provider, T + reply_after_ms)
    is_over = reply_after_ms >= wait_ms
    assert (permit(replied, T + reply_after_ms) is Permit.ALLOW) == is_over


@given(st.integers(-(10**9), 10**9))
def test_a_stepped_clock_changes_nothing_that_waits(delta_ms: int) -> None:
    provider = throttle(fail(ProviderHealth(), "a", "b"), T + MINUTE)
    moved = shift_provider(provider, delta_ms)
    for later in (0, MINUTE - 1, MINUTE):
        assert permit(moved, T + delta_ms + later) is permit(provider, T + later)
    assert shift_provider(moved, -delta_ms) == provider

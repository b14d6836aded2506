"""One api_path: blocked by different tasks that fail in a row, probed singly, unblocked by any reply."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.causes.cause import Condition
from notifier.core.circuit_breaker import Permit
from notifier.core.polling.path_health import (
    PathHealth,
    is_vanishing,
    permit,
    permits_fresh_probe,
    record_failure,
    record_probe,
    record_reply,
    record_vanished,
    shift_path,
)
from tests.builders import MINUTE, SECOND, SERVER_ERROR

T = 1_000_000_000
CAP_MS = 45_000
TIMEOUT_MS = 20_000


def fail(path: PathHealth, *task_ids: str, now: int = T, is_probe: bool = False) -> PathHealth:
    for task_id in task_ids:
        path = record_failure(path, task_id, SERVER_ERROR, now, is_probe=is_probe, cap_ms=CAP_MS)
    return path


BLOCKED = fail(PathHealth(), "a", "b", "c")


@pytest.mark.parametrize(
    ("task_ids", "expected"),
    [
        ("a", Permit.ALLOW),
        ("aaaaaaaa", Permit.ALLOW),
        ("ab", Permit.ALLOW),
        ("ababababab", Permit.ALLOW),
        ("abc", Permit.BLOCK),
        ("aabbc", Permit.BLOCK),
    ],
)
def test_three_different_tasks_in_a_row_block_the_path(task_ids: str, expected: Permit) -> None:
    """However often one of them fails: one says nothing about the others."""
    assert permit(fail(PathHealth(), *task_ids), T) is expected


@pytest.mark.parametrize("has_status", [True, False])
def test_a_reply_about_any_task_begins_the_count_anew(has_status: bool) -> None:
    """Whether it says how the task stands or that it is unknown: the path works."""
    path = record_reply(fail(PathHealth(), "a", "b"), T, has_status=has_status)
    assert path.condition is None
    assert permit(fail(path, "c", "d"), T) is Permit.ALLOW
    assert (path.proven_at is not None) == has_status


@given(
    steps=st.lists(st.sampled_from(["reply", "a", "b", "c", "d"]), max_size=30),
)
def test_a_path_blocks_exactly_when_the_latest_failures_are_of_three_tasks(steps: list[str]) -> None:
    """Counted from the last reply on, in any history that did not block before."""
    path = PathHealth()
    since: set[str] = set()
    for step in steps:
        if step == "reply":
            path, since = record_reply(path, T, has_status=True), set()
        else:
            path = fail(path, step)
            since.add(step)
        assert path.is_blocked == (len(since) >= 3)
        assert path.is_failing == bool(since)


def test_it_says_what_is_wrong_and_since_the_first_failure() -> None:
    path = fail(fail(PathHealth(), "a", now=T - MINUTE), "b", "c")
    assert path.condition == Condition(SERVER_ERROR, T - MINUTE)


def test_probes_come_after_5_10_20_seconds_then_at_the_cap() -> None:
    path, now, waits = BLOCKED, T, []
    for _ in range(6):
        assert permit(path, path.breaker.probe_at - 1) is Permit.BLOCK
        waits.append((path.breaker.probe_at - now) // SECOND)
        now = path.breaker.probe_at
        path = record_probe(path, now, is_fresh=False, timeout_ms=TIMEOUT_MS)
        assert permit(path, now) is Permit.BLOCK, "one at a time"
        path = fail(path, "a", now=now, is_probe=True)
    assert waits == [5, 10, 20, 40, 45, 45]
    assert permit(record_reply(path, now, has_status=True), now) is Permit.ALLOW


@given(st.lists(st.integers(0, 30_000), max_size=30))
def test_a_task_that_never_failed_waits_5_s_at_most(gaps: list[int]) -> None:
    """Whatever the schedule of the probes says, and however many of them fail."""
    path, now = BLOCKED, T
    for gap in gaps:
        now += gap
        allowed_at = path.fresh_probe_at
        assert allowed_at - now <= 5_000
        if permits_fresh_probe(path, now):
            schedule = path.breaker.probe_at
            path = fail(record_probe(path, now, is_fresh=True, timeout_ms=TIMEOUT_MS), "x", now=now)
            assert path.breaker.probe_at == schedule, "it does not put off the others"
            assert not permits_fresh_probe(path, now + 4_999)


def test_a_path_that_is_not_blocked_needs_no_fresh_probe() -> None:
    assert not permits_fresh_probe(fail(PathHealth(), "a"), T)


@dataclass(frozen=True)
class Vanish:
    """Tasks that vanish, each so many seconds after the first."""

    after_s: tuple[int, ...]
    is_outage: bool


@pytest.mark.parametrize(
    "case",
    [
        Vanish((0,), False),
        Vanish((0, 1), False),
        Vanish((0, 1, 2), True),
        Vanish((0, 30, 59), True),
        Vanish((0, 30, 60), False),
        Vanish((0, 40, 80, 120), False),
        Vanish((0, 40, 80, 90), True),
    ],
)
def test_three_different_tasks_within_a_minute_are_an_outage(case: Vanish) -> None:
    """CONTRACT, Names, "lost". The same one counts once."""
    path = PathHealth()
    for number, after_s in enumerate(case.after_s):
        path = record_vanished(path, f"task-{number}", T + after_s * SECOND)
    assert is_vanishing(path, T + case.after_s[-1] * SECOND) == case.is_outage
    same = PathHealth()
    for after_s in case.after_s:
        same = record_vanished(same, "task", T + after_s * SECOND)
    assert not is_vanishing(same, T + case.after_s[-1] * SECOND)


def test_an_outage_lasts_while_probes_still_find_their_tasks_unknown() -> None:
    """The probes of a blocked path are a minute apart: the outage does not end between two of them."""
    path = PathHealth()
    for number in range(3):
        path = record_vanished(path, f"task-{number}", T)
    now = T
    for number in range(3, 20):
        now += 75 * SECOND
        assert is_vanishing(path, now)
        path = record_vanished(path, f"task-{number}", now)
    assert not is_vanishing(path, now + 4 * MINUTE)


@given(st.integers(-(10**9), 10**9))
def test_a_stepped_clock_changes_nothing_that_waits(delta_ms: int) -> None:
    """What is permitted is the same at the same distance."""
    path = record_vanished(record_reply(PathHealth(), T - 1, has_status=True), "v", T)
    path = fail(path, "a", "b", "c")
    moved = shift_path(path, delta_ms)
    for later in (0, 4_999, 5_000, MINUTE):
        assert permit(moved, T + delta_ms + later) is permit(path, T + later)
        assert permits_fresh_probe(moved, T + delta_ms + later) == permits_fresh_probe(path, T + later)
    assert moved.condition == Condition(SERVER_ERROR, T + delta_ms)
    assert shift_path(moved, -delta_ms) == path

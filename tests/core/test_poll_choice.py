"""Which due watches are polled now: no api_path takes the room of another, and none waits for ever."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.polling.poll_choice import (
    UNRESTRICTED,
    ClaimRules,
    DueWatch,
    PathProbe,
    choose_polls,
    find_path_slots,
)


def due(**counts: int) -> list[DueWatch]:
    """So many due watches of each path; the earlier path is due longer."""
    paths = [path for path, count in counts.items() for _ in range(count)]
    return [DueWatch(seq, path, seq) for seq, path in enumerate(paths)]


def shared(**over: Any) -> ClaimRules:
    return ClaimRules(
        **{"max_in_flight": 32, "suspect_room": 16, "probe_room": 24, "is_shared": True, **over}
    )


def by_path(chosen: list[DueWatch]) -> Mapping[str, int]:
    return Counter(each.api_path for each in chosen)


@pytest.mark.parametrize(
    ("suspect_room", "probe_room", "probes"), [(0, 8, 1), (0, 0, 0), (1, 1, 1), (16, 24, 1)]
)
def test_what_hangs_elsewhere_does_not_delay_a_probe(suspect_room: int, probe_room: int, probes: int) -> None:
    """Probes have room of their own beyond what is left for suspects; and take of that, too."""
    rules = shared(
        suspects={"hangs"},
        suspect_room=suspect_room,
        probe_room=probe_room,
        blocked={"blocked": PathProbe.ANY},
    )
    found = by_path(choose_polls(due(hangs=40, blocked=5, well=1), limit=32, rules=rules))
    assert (found["blocked"], found["well"]) == (probes, 1)
    assert found["hangs"] <= max(0, suspect_room - probes)


def test_without_rules_all_go_up_to_the_limit() -> None:
    assert choose_polls(due(a=50), limit=32, rules=UNRESTRICTED) == due(a=50)[:32]


@pytest.mark.parametrize(("others", "slots"), [(0, 16), (16, 8), (24, 4), (30, 1), (31, 1), (32, 0), (40, 0)])
def test_a_path_has_half_of_what_the_others_leave(others: int, slots: int) -> None:
    """So that a slot is left for the next."""
    assert find_path_slots(32, others) == slots


@given(
    counts=st.lists(st.integers(0, 60), min_size=2, max_size=5),
    in_flight=st.lists(st.integers(0, 10), min_size=5, max_size=5),
    limit=st.integers(0, 40),
    suspects=st.sets(st.sampled_from("01234")),
    suspect_room=st.integers(0, 20),
)
def test_a_choice_keeps_every_bound(
    counts: list[int], in_flight: list[int], limit: int, suspects: set[str], suspect_room: int
) -> None:
    """The limit, the part of what is suspect, and the share of each path."""
    running = {str(number): count for number, count in enumerate(in_flight)}
    rules = shared(in_flight=running, suspects=suspects, suspect_room=suspect_room)
    waiting = due(**{str(number): count for number, count in enumerate(counts)})
    chosen = choose_polls(waiting, limit=limit, rules=rules)
    found = by_path(chosen)
    assert len(chosen) <= limit
    assert len(set(chosen)) == len(chosen)
    assert sum(found[path] for path in suspects) <= suspect_room
    total = sum(running.values())
    for path, count in found.items():
        assert count + running[path] <= find_path_slots(32, total - running[path]), "also while others wait"


def test_a_long_queue_of_one_path_does_not_keep_another_waiting() -> None:
    """Each gets its part, though all of the first have been due for longer."""
    assert by_path(choose_polls(due(a=500, b=3, c=3), limit=9, rules=shared())) == {"a": 3, "b": 3, "c": 3}


def test_paths_are_served_in_rotation_over_many_choices() -> None:
    """With room for one at a time, as at a low rate: what was served longest ago goes first."""
    served: dict[str, int] = {}
    order = ""
    for number in range(9):
        (chosen,) = choose_polls(due(a=50, b=50, c=50), limit=1, rules=shared(served=dict(served)))
        served[chosen.api_path] = number
        order += chosen.api_path
    assert order == "abcabcabc"


def test_what_is_suspect_leaves_room_for_the_rest() -> None:
    rules = shared(in_flight={"a": 14}, suspects={"a"}, suspect_room=2)
    assert by_path(choose_polls(due(a=40, b=8), limit=18, rules=rules)) == {"a": 2, "b": 8}


def test_the_only_path_may_use_all() -> None:
    rules = shared(is_shared=False)
    assert len(choose_polls(due(a=40), limit=32, rules=rules)) == 32


def failing(count: int, path: str = "a") -> list[DueWatch]:
    return [DueWatch(1_000 + n, path, n, failures=1 + n % 3) for n in range(count)]


def test_watches_that_failed_last_take_what_is_left() -> None:
    """And no more than the part of what is suspect."""
    chosen = choose_polls([*failing(9), *due(b=5)], limit=10, rules=shared(suspect_room=4))
    assert by_path(chosen) == {"b": 5, "a": 4}
    assert by_path(choose_polls([*failing(9), *due(b=15)], limit=10, rules=shared())) == {"b": 10}


def test_watches_that_failed_last_have_a_share_of_their_own() -> None:
    rules = shared(favours_troubled=True)
    assert by_path(choose_polls([*failing(9), *due(b=15)], limit=10, rules=rules)) == {"b": 9, "a": 1}


@pytest.mark.parametrize(
    ("probe", "expected"),
    [(PathProbe.NONE, []), (PathProbe.FRESH, [7]), (PathProbe.ANY, [7])],
)
def test_a_blocked_path_gets_its_probe_and_no_more(probe: PathProbe, expected: list[int]) -> None:
    """What failed least goes first, and of that what is due longest."""
    waiting = [DueWatch(5, "a", 1, 2), DueWatch(6, "a", 9, 0), DueWatch(7, "a", 3, 0), DueWatch(8, "a", 0, 1)]
    chosen = choose_polls(waiting, limit=10, rules=shared(blocked={"a": probe}, suspects={"a"}))
    assert [each.seq for each in chosen] == expected


def test_a_fresh_probe_is_never_one_that_failed() -> None:
    rules = shared(blocked={"a": PathProbe.FRESH}, suspects={"a"})
    assert choose_polls(failing(5), limit=10, rules=rules) == []


def test_probes_come_first_and_within_the_part_of_what_is_suspect() -> None:
    blocked = dict.fromkeys("abc", PathProbe.ANY)
    rules = shared(
        blocked=blocked, suspects=set("abc"), suspect_room=2, probe_room=2, served={"a": 9, "b": 1, "c": 2}
    )
    chosen = choose_polls(due(a=5, b=5, c=5, d=50), limit=10, rules=rules)
    assert by_path(chosen) == {"b": 1, "c": 1, "d": 8}
    assert [each.api_path for each in chosen[:2]] == ["b", "c"]

"""A part of a provider fails, and the rest does not notice: the real poller and store on virtual time."""

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from notifier.core.exchange import HttpReply
from notifier.core.model import WatchState
from tests.engine.fleet import (
    BROKEN,
    HOUR,
    MINUTE,
    PROVIDER,
    REPLY_S,
    SECOND,
    TIMEOUT,
    Fleet,
    FleetTask,
    Lateness,
    Reply,
    always,
    lateness,
    mixed_tasks,
)

TASKS, SHARE = 150, 0.3
OVER_MS, UNTIL_MS = 10 * MINUTE, 20 * MINUTE
WELL, ILL = "/vendor/well", "/vendor/ill"


@functools.cache
def of_healthy(kind: str | None) -> Lateness:
    """Run a fleet with a broken path beside the others, or without; return how late these were told."""
    healthy, broken = mixed_tasks(TASKS, 0.0 if kind is None else SHARE, over_ms=OVER_MS)
    troubles = {} if kind is None else {"/broken": always(BROKEN[kind])}
    with tempfile.TemporaryDirectory(prefix="notifier-fleet-") as folder:
        watches = Fleet(Path(folder), [*healthy, *broken], troubles).run(UNTIL_MS)
    return lateness(healthy, watches, UNTIL_MS)


@pytest.mark.fault(114)
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_path_delays_no_task_of_another(kind: str) -> None:
    """Median and maximum of the lateness are those of a run without it, and none expires."""
    alone, beside = of_healthy(None), of_healthy(kind)
    assert set(beside.ends) == {WatchState.COMPLETED}
    assert beside.median_ms <= 1.25 * alone.median_ms
    assert beside.max_ms <= 1.25 * alone.max_ms


@pytest.mark.parametrize("kind", BROKEN)
def test_nothing_of_a_healthy_path_expires_beside_a_broken_one(tmp_path: Path, kind: str) -> None:
    """Thirty wait on the broken one, five have finished on the other: the five are told so within seconds."""
    ill = [FleetTask(ILL, f"ill-{n}", expire_after_ms=10 * MINUTE) for n in range(30)]
    well = [FleetTask(WELL, f"well-{n}", SECOND, 0, expire_after_ms=10 * MINUTE) for n in range(5)]
    watches = Fleet(tmp_path, [*ill, *well], {ILL: always(BROKEN[kind])}).run(20 * MINUTE)
    late = lateness(well, watches, 20 * MINUTE)
    assert late.ends == {WatchState.COMPLETED: 5}
    assert late.max_ms <= PROVIDER.polling.first_after_ms + SECOND


@pytest.mark.fault(115)
@pytest.mark.parametrize("kind", BROKEN)
def test_one_task_that_fails_delays_none_of_its_path(tmp_path: Path, kind: str) -> None:
    """Its own interval grows; the others are told as they are without it."""
    well = [FleetTask(WELL, f"well-{n}", n * SECOND, 4 * MINUTE + n * 7 * SECOND) for n in range(20)]
    poison = FleetTask(WELL, "poison", 2 * MINUTE, trouble=always(BROKEN[kind]))
    folders = [tmp_path / name for name in ("alone", "beside")]
    found = []
    for folder, tasks in zip(folders, (well, [poison, *well]), strict=True):
        folder.mkdir()
        found.append(lateness(well, Fleet(folder, tasks).run(10 * MINUTE), 10 * MINUTE))
    alone, beside = found
    assert beside.ends == {WatchState.COMPLETED: 20}
    assert beside.max_ms <= 1.25 * alone.max_ms


def test_a_healthy_task_among_poisonous_ones_is_told_within_its_interval_and_five_seconds(
    tmp_path: Path,
) -> None:
    """They hold back their path; a task that has never failed is probed within 5 s all the same."""
    poison = [FleetTask(WELL, f"poison-{n}", trouble=always(BROKEN["500"])) for n in range(30)]
    well = [FleetTask(WELL, f"well-{n}", 5 * MINUTE + n * MINUTE, 30 * SECOND) for n in range(10)]
    watches = Fleet(tmp_path, [*poison, *well]).run(HOUR)
    late = lateness(well, watches, HOUR)
    assert late.ends == {WatchState.COMPLETED: 10}
    assert late.max_ms <= 30 * SECOND // 10 * 11 // 10 + 5 * SECOND + SECOND


@pytest.mark.fault(116)
def test_a_long_retry_after_of_a_short_outage_is_forgotten_with_it(tmp_path: Path) -> None:
    """503 with Retry-After: 600 for 3 s: what it put off comes due again with the next answer of the path."""
    unwell: Reply = (REPLY_S, HttpReply(503, {"retry-after": "600"}, b'{"title": "no"}'))
    tasks = [FleetTask(WELL, f"task-{n}", n * SECOND, 60 * SECOND) for n in range(8)]
    troubles = {WELL: lambda now, _: unwell if 20 * SECOND <= now < 23 * SECOND else None}
    folders = [tmp_path / name for name in ("alone", "beside")]
    found = []
    for folder, with_trouble in zip(folders, ({}, troubles), strict=True):
        folder.mkdir()
        found.append(lateness(tasks, Fleet(folder, tasks, with_trouble).run(HOUR), HOUR))
    alone, beside = found
    assert beside.max_ms <= alone.max_ms + 15 * SECOND


@pytest.mark.fault(51)
def test_a_pause_that_the_provider_asked_for_survives_a_restart(tmp_path: Path) -> None:
    """429 with Retry-After: 300: nothing is asked before that, whatever is started meanwhile."""
    throttled: Reply = (REPLY_S, HttpReply(429, {"retry-after": "300"}, b"{}"))
    tasks = [FleetTask(f"/vendor/{n}", f"task-{n}", n * 5 * SECOND, 20 * SECOND) for n in range(5)]
    troubles = {each.api_path: lambda now, _: throttled if now < 10 * SECOND else None for each in tasks}
    fleet = Fleet(tmp_path, tasks, troubles, acts={30 * SECOND: Fleet.restart, 60 * SECOND: Fleet.restart})
    watches = fleet.run(HOUR)
    asked = sorted(at for instants in fleet.polled_at.values() for at in instants)
    first = asked[0]
    assert [at for at in asked if first + SECOND < at < first + 300 * SECOND] == []
    assert {watch.state for watch in watches.values()} == {WatchState.COMPLETED}
    assert lateness(tasks, watches, HOUR).max_ms <= 330 * SECOND


def test_a_blocked_path_stays_blocked_over_a_restart(tmp_path: Path) -> None:
    """Its probes go on as they were; the first requests of a new start are none that hang again."""
    ill = [FleetTask(ILL, f"ill-{n}") for n in range(60)]
    fleet = Fleet(tmp_path, ill, {ILL: always(BROKEN["timeout"])}, acts={20 * MINUTE: Fleet.restart})
    fleet.run(25 * MINUTE, stop_early=False)
    asked = [at for instants in fleet.polled_at.values() for at in instants]
    a_while = 2 * MINUTE
    before = sum(20 * MINUTE - a_while <= at < 20 * MINUTE for at in asked)
    after = sum(20 * MINUTE <= at < 20 * MINUTE + a_while for at in asked)
    assert after <= before + 2


@pytest.mark.fault(118)
def test_a_provider_that_leaves_and_returns_has_no_more_in_flight_than_it_may(tmp_path: Path) -> None:
    """What was asked before it left counts until it is answered."""
    narrow = replace(PROVIDER, max_in_flight=4)
    tasks = [FleetTask(f"/vendor/{n % 3}", f"task-{n}") for n in range(20)]

    async def leave(fleet: Fleet) -> None:
        fleet.configure()

    async def return_to(fleet: Fleet) -> None:
        fleet.configure(narrow)

    acts = {4_000: leave, 4_100: return_to, 5_000: leave, 5_100: return_to}
    fleet = Fleet(
        tmp_path,
        tasks,
        {f"/vendor/{n}": lambda now, _: (14.0, TIMEOUT) if now < MINUTE else None for n in range(3)},
        provider=narrow,
        acts=acts,
    )
    watches = fleet.run(HOUR)
    assert fleet.most_in_flight <= 4
    assert {watch.state for watch in watches.values()} == {WatchState.COMPLETED}


@pytest.mark.fault(117)
@pytest.mark.parametrize(("count", "state"), [(2, WatchState.LOST), (5, WatchState.WATCHING)])
def test_running_tasks_that_vanish_together_are_an_outage(
    tmp_path: Path, count: int, state: WatchState
) -> None:
    """Two are lost within a minute. Of five none is, and all are told when the path knows them again."""
    unknown: Reply = (REPLY_S, HttpReply(404, body=b'{"title": "Not Found"}'))
    gone_ms, back_ms = 2 * MINUTE, 12 * MINUTE
    tasks = [FleetTask(WELL, f"task-{n}", n * SECOND, 15 * MINUTE) for n in range(count)]
    troubles = {WELL: lambda now, _: unknown if gone_ms <= now < back_ms else None}
    for folder, until_ms in ((tmp_path / "during", back_ms - MINUTE), (tmp_path / "after", HOUR)):
        folder.mkdir()
        ends = lateness(tasks, Fleet(folder, tasks, troubles).run(until_ms, stop_early=False), until_ms).ends
        is_over = until_ms == HOUR and state is WatchState.WATCHING
        assert ends == {WatchState.COMPLETED if is_over else state: count}


@pytest.mark.fault(117)
def test_a_mistyped_task_path_loses_no_task(tmp_path: Path) -> None:
    """A table of one's own that has found no task yet is not believed (CONTRACT, Names, "lost")."""
    unknown: Reply = (REPLY_S, HttpReply(404, body=b'{"title": "Not Found"}'))
    description = replace(PROVIDER.description, task_path="{api_path}/{task_id}/", has_own_task_path=True)
    tasks = [FleetTask(f"{WELL}/{n}", f"task-{n}", n * SECOND, expire_after_ms=2 * HOUR) for n in range(3)]
    fleet = Fleet(
        tmp_path, tasks, dict.fromkeys((each.api_path for each in tasks), always(unknown)),
        provider=replace(PROVIDER, description=description),
    )  # fmt: skip
    watches = fleet.run(20 * MINUTE)
    assert {watch.state for watch in watches.values()} == {WatchState.WATCHING}

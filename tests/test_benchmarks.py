"""What the benchmarks stand on: their databases are as the daemon makes them, their plots are pictures."""

import random
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from benchmarks import past, report, svg
from benchmarks.figures import Figure
from benchmarks.filling import FIRST_DUE_MS, LAST_DUE_MS, MINUTE_MS, fill
from benchmarks.one_commit import CALLBACK_URL, METADATA
from benchmarks.tasks import API_PATH
from notifier.core.figures import notice_ms
from notifier.core.model import Callback, DeliveryState, NewWatch, WatchState
from notifier.store.interface import Added, DeliveryQuery, Lease
from notifier.store.open import open_store

FILLED = 30
HOUR_MS = 60 * MINUTE_MS


async def test_a_filled_database_holds_what_the_store_would_have_added(tmp_path: Path) -> None:
    """A watch of the fill differs from a registered one in its names, its instants and its polls alone."""
    now = time.time_ns() // 1_000_000
    fill(str(tmp_path / "notifier.db"), FILLED - 10)
    fill(str(tmp_path / "notifier.db"), 10)
    store = await open_store(tmp_path / "notifier.db", owner="bench", now=now, chance=random.Random(1))
    try:
        [added] = await store.add_watches([_new(now)], give_up_at=now, max_live=FILLED + 1)
        later = now + LAST_DUE_MS + MINUTE_MS
        claimed = await store.claim_watches(
            "mulerouter", now=later, limit=100, lease=Lease("bench", later + 1)
        )
        counts = await store.counts(now=now)
    finally:
        await store.close()
    assert isinstance(added, Added)
    assert counts.watches[WatchState.WATCHING] == FILLED + 1
    assert len(claimed.watches) == FILLED + 1
    for watch in claimed.watches:
        as_added = replace(
            watch,
            id=added.watch.id,
            task_id=added.watch.task_id,
            registered_at=now,
            expires_at=added.watch.expires_at,
            due_at=added.watch.due_at,
            polls=0,
            interval_ms=0,
            last_polled_at=None,
            upstream_status=None,
            task_created_at=None,
        )
        assert as_added == added.watch


async def test_nothing_that_waits_is_due_while_a_load_runs(tmp_path: Path) -> None:
    """What a fill puts there is due in half an hour at the earliest, and within the hour at the latest."""
    now = time.time_ns() // 1_000_000
    fill(str(tmp_path / "notifier.db"), FILLED)
    store = await open_store(tmp_path / "notifier.db", owner="bench", now=now, chance=random.Random(1))
    try:
        early, late = [
            await store.claim_watches("mulerouter", now=at, limit=100, lease=Lease("bench", at + HOUR_MS))
            for at in (now + FIRST_DUE_MS - MINUTE_MS, now + HOUR_MS)
        ]
    finally:
        await store.close()
    assert early.watches == ()
    assert len(late.watches) == FILLED


async def test_a_past_is_as_a_daemon_would_have_left_it(tmp_path: Path) -> None:
    """Counted, called back for, and with all that the page plots."""
    now = time.time_ns() // 1_000_000
    fill(str(tmp_path / "notifier.db"), FILLED)
    past.end(str(tmp_path / "notifier.db"), 20)
    store = await open_store(tmp_path / "notifier.db", owner="bench", now=now, chance=random.Random(1))
    try:
        counts = await store.counts(now=now)
        recent = await store.recent(limit=FILLED)
        (endpoint,) = await store.endpoints(before=None, limit=5)
        [learned] = await store.learned(limit=5)
        (first, *_) = await store.deliveries(DeliveryQuery(limit=1))
        detail = await store.delivery(first.id)
        found = await store.watch(first.watch_id)
    finally:
        await store.close()
    assert (counts.watches[WatchState.WATCHING], counts.watches[WatchState.COMPLETED]) == (10, 20)
    assert counts.deliveries[DeliveryState.DELIVERED] == endpoint.delivered == 20
    assert counts.deliveries[DeliveryState.PENDING] == endpoint.pending == 0
    assert {notice_ms(each) for each in recent.ends} == {900}
    assert (len(recent.ends), recent.callbacks_ms) == (20, (20,) * 20)
    assert learned.habit.is_known
    assert detail is not None
    assert [each.status for each in detail.attempts] == [204]
    assert found is not None
    assert found.event is not None
    assert found.watch.state is WatchState.COMPLETED


_VALUES = st.just(0.0) | st.floats(1e-6, 1e9)


@given(st.lists(st.tuples(st.floats(0, 9), _VALUES), min_size=2, max_size=6))
def test_a_plot_is_a_picture_with_its_points_inside(points: list[tuple[float, float]]) -> None:
    """Whatever was measured, the SVG is well-formed and every point lies within its panel."""
    points.sort()
    ticks = [(place, "<1k>") for place, _ in points]
    picture = ElementTree.fromstring(svg.draw([svg.Panel("a & b", [svg.Line("p50", points)])], ticks, "x"))
    circles = list(picture.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(circles) == len(points)
    for circle in circles:
        assert svg.LEFT - 0.1 <= float(circle.attrib["cx"]) <= svg.WIDTH - svg.RIGHT + 0.1
        assert svg.TOP - 0.1 <= float(circle.attrib["cy"]) <= svg.HEIGHT - svg.BOTTOM + 0.1


@given(st.floats(1e-6, 1e12))
def test_an_axis_ends_at_a_round_number_not_far_above(value: float) -> None:
    """The top of an axis is at least the greatest value and at most twice that."""
    assert value <= svg.ceiling(value) <= 2 * value * (1 + 1e-9)


def test_a_run_renews_the_rows_that_readme_has_and_nothing_else() -> None:
    """A row of two cells is a figure where its name is one."""
    readme = "| what | figure |\n|---|---|\n| idle: memory | 1 MB |\n| `x.y` | `3` |\nidle: memory\n"
    renewed = report.renewed(readme, [Figure("idle: memory", 59.34, "MB"), Figure("other", 2.0, "s")])
    assert renewed == readme.replace("1 MB", "59.3 MB")


def _new(now: int) -> NewWatch:
    return NewWatch(
        provider="mulerouter",
        api_path=API_PATH,
        task_id="one",
        callbacks=(Callback(CALLBACK_URL),),
        metadata=METADATA,
        registered_at=now,
        first_poll_at=now,
        expires_at=now + 86_400_000,
    )

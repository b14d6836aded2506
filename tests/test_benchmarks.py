"""What the benchmarks stand on: databases as the daemon makes them, peers that end, plots with all points."""

import asyncio
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import figure as matplotlib_figure
from matplotlib.axes import Axes

from benchmarks import past, report
from benchmarks.delays import Delays
from benchmarks.figures import Figure
from benchmarks.filling import FIRST_DUE_MS, LAST_DUE_MS, MINUTE_MS, fill
from benchmarks.load import Offer, Outcome
from benchmarks.one_commit import CALLBACK_URL, METADATA
from benchmarks.peer_load import Limits, NoFurther, PeerEnded, fed
from benchmarks.peers.job import INTERVAL_S, Task, read, registered
from benchmarks.processes import BenchmarkFailed, kill_group
from benchmarks.scaling_plot import COLOURS, Line, Point, draw, draw_panel, draw_peers
from benchmarks.scenario_scaling_peers import Course, Reached, figures, followed, hopeless
from benchmarks.tasks import API_PATH
from benchmarks.usage import Busy
from notifier.core.model import Callback, DeliveryState, NewWatch, WatchState
from notifier.core.task_statistics import measure_notice_ms
from notifier.store.sqlite.open import open_store
from notifier.store.values import DeliveryQuery, Lease, WatchAdded

FILLED = 30
_SVG = "{http://www.w3.org/2000/svg}"
HOUR_MS = 60 * MINUTE_MS


async def test_a_filled_database_holds_what_the_store_would_have_added(tmp_path: Path) -> None:
    """A watch of the fill differs from a registered one in its names, its instants and its polls alone."""
    now = time.time_ns() // 1_000_000
    fill(str(tmp_path / "notifier.db"), FILLED - 10)
    fill(str(tmp_path / "notifier.db"), 10)
    store = await open_store(tmp_path / "notifier.db", owner="bench", now=now, rng=random.Random(1))
    try:
        [added] = await store.add_watches([_new(now)], give_up_at=now, max_live=FILLED + 1)
        later = now + LAST_DUE_MS + MINUTE_MS
        claimed = await store.claim_watches(
            "mulerouter", now=later, limit=100, lease=Lease("bench", later + 1)
        )
        counts = await store.counts(now=now)
    finally:
        await store.close()
    assert isinstance(added, WatchAdded)
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
    store = await open_store(tmp_path / "notifier.db", owner="bench", now=now, rng=random.Random(1))
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
    store = await open_store(tmp_path / "notifier.db", owner="bench", now=now, rng=random.Random(1))
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
    assert {measure_notice_ms(each) for each in recent.ends} == {900}
    assert (len(recent.ends), recent.callbacks_ms) == (20, (20,) * 20)
    assert learned.durations.is_reliable
    assert detail is not None
    assert [each.status for each in detail.attempts] == [204]
    assert found is not None
    assert found.event is not None
    assert found.watch.state is WatchState.COMPLETED


def _panel(values: Sequence[float]) -> Axes:
    points = [Point(10**place, value, None, None, 0.0) for place, value in enumerate(values, 3)]
    axes = matplotlib_figure.Figure().subplots()
    draw_panel(axes, "CPU", [Line(points, lambda point: point.cpu_ms, COLOURS[0], "p50")])
    return axes


_VALUES = st.just(0.0) | st.floats(1e-6, 1e9)


@given(st.lists(_VALUES, max_size=6))
@settings(deadline=None)  # matplotlib finds its fonts at the first drawing
def test_a_panel_holds_all_its_points(values: list[float]) -> None:
    """And is not much higher than they are; without a value it is a panel all the same."""
    axes = _panel(values)
    least, greatest = axes.get_ylim()
    assert least < greatest
    assert all(least <= value <= greatest for value in values)
    assert axes.get_yscale() == "log" or greatest <= 2 * max([*values, 0.5])


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=6))
@settings(deadline=None)
def test_a_panel_is_logarithmic_where_one_order_of_magnitude_is_not_enough(values: list[float]) -> None:
    """Its title says which it is, and few round numbers stand beside it."""
    axes = _panel(values)
    least, greatest = axes.get_ylim()
    is_log = max(values) > 10 * min(values)
    assert axes.get_yscale() == ("log" if is_log else "linear")
    assert axes.get_title(loc="left") == ("CPU (log scale)" if is_log else "CPU")
    assert 2 <= sum(least <= tick <= greatest for tick in axes.get_yticks()) <= 18


def test_on_a_logarithmic_panel_the_numbers_are_1_2_and_5_times_a_power_of_ten() -> None:
    """One factor is as high everywhere."""
    axes = _panel([1.3, 96.0])
    least, greatest = axes.get_ylim()
    assert [tick for tick in axes.get_yticks() if least <= tick <= greatest] == [2, 5, 10, 20, 50, 100]


def test_the_plot_is_a_picture_with_its_names_and_figures() -> None:
    """It is well-formed, has a dot for each figure, and equal figures make an equal file."""
    points = [Point(1_000, 1.0, 0.1, 0.2, 60.0), Point(1_000_000, 1.1, 0.1, 0.2, 61.0)]
    picture = draw(points)
    texts = {text.text for text in ElementTree.fromstring(picture).iter(f"{_SVG}text")}
    assert {"1k", "1M", "p50", "p99", "Peak memory, MB", "watches that wait in the database"} <= texts
    assert sum(_dots(picture, "clip-path").values()) == 4 * len(points)
    assert draw(points) == picture


def test_the_plot_of_the_peers_has_a_line_for_each_as_far_as_it_goes() -> None:
    """In a colour of its own, named below; what could not be measured is left out of its panel."""
    courses = {
        "notifier": [Point(1_000, 1.0, 0.1, 0.2, 60.0), Point(10_000, 1.1, 0.1, 0.2, 61.0)],
        "a script": [Point(1_000, 2.0, 0.1, 0.2, 40.0), Point(10_000, None, None, None, 90.0)],
        "a queue": [],
    }
    picture = draw_peers(courses)
    assert all(f">{name}</text>" in picture for name in courses)
    assert [_dots(picture, "clip-path")[colour] for colour in COLOURS[:3]] == [6, 4, 0]
    assert [_dots(picture, "id", "legend_1")[colour] for colour in COLOURS[:3]] == [1, 1, 1]
    assert ">10k</text>" in picture


def _dots(picture: str, attribute: str, value: str = "") -> Counter[str]:
    """Count the dots of each colour in the groups that have the attribute; what is drawn is clipped."""
    groups = ElementTree.fromstring(picture).iter(f"{_SVG}g")
    styles = [
        dot.attrib.get("style", "")
        for group in groups
        if group.attrib.get(attribute, "").startswith(value or "url(")
        for dot in group.iter(f"{_SVG}use")
    ]
    fills = [re.search(r"fill: (#\w+)", style) for style in styles]
    return Counter(fill[1] if fill else COLOURS[0] for fill in fills)  # black is what SVG takes for none


@pytest.mark.parametrize(
    ("line", "task"),
    [
        ("one http://x/hook\n", Task("one", "http://x/hook", INTERVAL_S)),
        ("one http://x/hook 3600.5\n", Task("one", "http://x/hook", 3_600.5)),
        ("mark\n", None),
    ],
)
def test_a_line_tells_a_peer_of_a_task_or_asks_it_how_far_it_is(line: str, task: Task | None) -> None:
    """The delay before the first poll is the interval where none is told."""
    assert read(line) == task


def test_a_mark_is_reached_once_all_before_it_is_dealt_with() -> None:
    """A peer says how many tasks it has had, not how many it has read."""
    lines = ["a u\n", "b u 9\n", "mark\n", "c u\n", "mark\n"]
    done: list[str] = []
    marks: list[tuple[int, int]] = []

    def mark(count: int) -> None:
        marks.append((count, len(done)))

    for task in registered(lines, mark):
        done += [task.task_id]
    assert done == ["a", "b", "c"]
    assert marks == [(2, 2), (3, 3)]


async def test_who_goes_no_further_is_left_out_of_this_size_and_of_larger_ones() -> None:
    """The others go on; the table says how far each went, and why no further."""
    asked: list[tuple[str, int]] = []

    async def measured(name: str, waiting: int) -> Reached | NoFurther:
        asked.append((name, waiting))
        if name == "slow" and waiting > 10:
            return NoFurther("of 100, 42 were taken in within 60 s")
        return Reached(waiting, _outcome(), taken_s=1.0)

    courses = await followed([10, 100, 1_000], ["slow", "quick"], measured, 60.0, lambda _: None)
    assert asked == [("slow", 10), ("quick", 10), ("slow", 100), ("quick", 100), ("quick", 1_000)]
    rows = {figure.name: figure for figure in figures(courses)}
    assert rows["slow: goes as far as"].value == 10
    assert rows["slow: goes as far as"].note == "of 100, 42 were taken in within 60 s"
    assert rows["quick: goes as far as"].value == 1_000
    assert "10 waiting, slow: CPU a poll" in rows
    assert "100 waiting, slow: CPU a poll" not in rows


@pytest.mark.parametrize(
    ("taken_s", "is_hopeless"), [(None, False), (1.0, False), (12.0, False), (12.1, True)]
)
def test_who_would_need_more_than_twice_the_limit_is_not_tried(
    taken_s: float | None, is_hopeless: bool
) -> None:
    """Ten times as many take ten times as long, at best."""
    course = Course([Reached(100, _outcome(), taken_s)])
    end = hopeless(course, 1_000, 60.0)
    assert (end is not None) == is_hopeless
    if end is not None:
        assert end.why == "100 were taken in within 12.1 s, 1000 would need 121 s; the limit is 60 s"


def test_who_calls_back_for_nothing_has_no_lateness() -> None:
    """It has lost all, and its other figures stand."""
    lost = replace(_outcome(), delays=Delays(2, 0, (), (), ()), polls=0)
    rows = {figure.name: figure.value for figure in figures({"slow": Course([Reached(10, lost, None)])})}
    assert rows == {
        "10 waiting, slow: peak memory": 50.0,
        "10 waiting, slow: lost": 2,
        "slow: goes as far as": 10,
    }


@pytest.mark.e2e
async def test_a_peer_takes_in_what_waits_and_does_the_load_beside_it(tmp_path: Path) -> None:
    """The script needs nothing but httpx: what waits is not polled, and what comes then is called back."""
    async with fed("naive", tmp_path, python=sys.executable) as peer:
        taken = await peer.waits_for(2_500, Limits(within_s=30.0, memory_mb=4_000.0))
        assert isinstance(taken, float)
        outcome = await peer.offered(Offer(count=2, over_s=0.1, grace_s=30.0))
        pid = peer.running.pid
    assert outcome.delays.lost == 0
    assert outcome.polls >= 2
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("limits", "why"),
    [(Limits(0.0, 4_000.0), "were taken in within 0 s"), (Limits(30.0, 1.0), "taken in before it had 1 MB")],
)
async def test_a_peer_that_does_not_take_in_what_waits_goes_no_further(
    tmp_path: Path, limits: Limits, why: str
) -> None:
    """Too slow, or too big: it is said how many it had taken in."""
    async with fed("naive", tmp_path, python=sys.executable) as peer:
        end = await peer.waits_for(20_000, limits)
    assert isinstance(end, NoFurther)
    assert why in end.why


@pytest.mark.e2e
async def test_a_peer_that_ends_over_what_waits_is_not_waited_for(tmp_path: Path) -> None:
    """The scenario says so and goes on without it."""

    async def told_too_much() -> None:
        async with fed("naive", tmp_path, python=sys.executable) as peer:
            peer.running.process.kill()
            await peer.waits_for(10, Limits(within_s=30.0, memory_mb=4_000.0))

    with pytest.raises(PeerEnded):
        await told_too_much()


@pytest.mark.e2e
async def test_a_peer_ends_when_the_benchmark_does(tmp_path: Path) -> None:
    """When nobody is left to kill it, its stdin ends, and so does it."""

    async def left_alone() -> None:
        async with fed("naive", tmp_path, python=sys.executable) as peer, asyncio.timeout(30):
            assert peer.running.process.stdin is not None
            peer.running.process.stdin.close()
            await peer.running.process.wait()

    with pytest.raises(BenchmarkFailed, match="ended by itself"):
        await left_alone()


async def test_a_peer_is_killed_with_its_children() -> None:
    """Those too that ignore a request to end; a kill of Celery alone would leave its Redis."""
    script = "trap '' TERM; sleep 30 >/dev/null 2>&1 & echo $!; wait"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, start_new_session=True, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    await kill_group(process)
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_run_renews_the_rows_that_readme_has_and_nothing_else() -> None:
    """A row of two cells is a figure where its name is one."""
    readme = "| what | figure |\n|---|---|\n| idle: memory | 1 MB |\n| `x.y` | `3` |\nidle: memory\n"
    renewed = report.renewed(readme, [Figure("idle: memory", 59.34, "MB"), Figure("other", 2.0, "s")])
    assert renewed == readme.replace("1 MB", "59.3 MB")


def _outcome() -> Outcome:
    return Outcome(
        offer=Offer(2, 1.0, 1.0),
        delays=Delays(0, 0, (0.1, 0.2), (0.1, 0.2), (0.0, 0.0)),
        polls=10,
        polls_per_s=10.0,
        cpu_s=0.02,
        busy=Busy({}),
        rss_mb=40.0,
        peak_mb=50.0,
    )


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

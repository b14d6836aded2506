"""The plots: what is counted, what is said of it, and that each picture has its table."""

from dataclasses import replace
from typing import Any

import pytest

from notifier.api.plots import (
    CALLBACK_EDGES_MS,
    MORE,
    NO_CALLBACK,
    NO_FINISH,
    NO_TASK,
    NOTICE_EDGES_MS,
    POLL_EDGES,
    SCAN_LIMIT,
    Bar,
    BarsBody,
    PlotsBody,
    Range,
    RangesBody,
    format_measured,
    shorten_path,
)
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.task_statistics import FinishedTask
from notifier.store.values import PathDurations, RecentActivity
from notifier.web.charts import BASE, HEIGHT, RANGES_DRAWN, TOP, WIDTH, draw_plots, seconds
from tests.api.conftest import PATH, Bench
from tests.api.test_pages import HOSTILE, Seen
from tests.fakes import NOON

SECOND = 1_000


class Past:
    """A store that has seen something, and is asked for no more than it may be."""

    def __init__(self, recent: RecentActivity, *learned: PathDurations) -> None:
        self._recent = recent
        self._learned = list(learned)

    async def recent(self, *, limit: int) -> RecentActivity:
        assert limit == SCAN_LIMIT
        return self._recent

    async def learned(self, *, limit: int) -> list[PathDurations]:
        return self._learned[:limit]


async def plots(bench: Bench, recent: RecentActivity, *learned: PathDurations) -> dict[str, Any]:
    bench.services = replace(bench.services, store=Past(recent, *learned))  # type: ignore[arg-type]
    bench.remake()
    answer = await bench.http.get("/v1/plots")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def ended(took_s: float, late_s: float | None, polls: int) -> FinishedTask:
    over_at = NOON + round(took_s * SECOND)
    if late_s is None:
        return FinishedTask(NOON, over_at, None, polls)
    return FinishedTask(NOON, over_at + round(late_s * SECOND), over_at, polls)


def counted(plot: dict[str, Any]) -> dict[str, int]:
    return {bar["label"]: bar["count"] for bar in plot["bars"] if bar["count"]}


async def test_an_empty_daemon_says_that_there_is_nothing_yet(bench: Bench) -> None:
    """From the real store."""
    body = (await bench.http.get("/v1/plots")).json()
    assert [body[name]["said"] for name in ("durations", "notice", "polls")] == [NO_TASK] * 3
    assert body["callbacks"]["said"] == NO_CALLBACK
    assert body["polls_saved"] is None
    assert [body["durations"]["ranges"], *(body[each]["bars"] for each in ("notice", "polls"))] == [[]] * 3


async def test_delays_are_counted_up_to_each_edge(bench: Bench) -> None:
    """What has told no time of its end is left out of the notice delay, and is one of the polls."""
    ends = [ended(10, 0.2, 3), ended(10, 0.5, 3), ended(10, 4, 4), ended(10, 90, 30), ended(3600, None, 90)]
    body = await plots(bench, RecentActivity(tuple(ends), (15, 20, 700)))
    assert counted(body["notice"]) == {"0.5 s": 2, "5 s": 1, MORE: 1}
    assert body["notice"]["said"] == "half within 500 ms, nine of ten within 90.0 s"
    assert "Of the last 4 tasks" in body["notice"]["about"]
    assert counted(body["polls"]) == {"3": 2, "5": 1, MORE: 2}
    assert counted(body["callbacks"]) == {"20 ms": 2, "2 s": 1}
    assert body["callbacks"]["of"] == "callbacks"


async def test_where_no_task_told_when_it_was_over_that_is_said(bench: Bench) -> None:
    """Some providers never do: then tasks have ended, and there is no delay to show of any."""
    body = await plots(bench, RecentActivity((ended(10, None, 3), ended(20, None, 4)), ()))
    assert body["notice"]["said"] == NO_FINISH
    assert body["notice"]["bars"] == []


async def test_every_plot_of_bars_has_all_its_bars(bench: Bench) -> None:
    body = await plots(bench, RecentActivity((ended(10, 1, 3),), (15,)))
    for name, edges in (("notice", NOTICE_EDGES_MS), ("polls", POLL_EDGES), ("callbacks", CALLBACK_EDGES_MS)):
        assert len(body[name]["bars"]) == len(edges) + 1
        assert body[name]["count"] == 1


@pytest.mark.parametrize(
    ("polls", "said", "saved"),
    [
        (5, "half with 5 or fewer; 50 % fewer than every 2.5 s", 0.5),
        (10, "half with 10 or fewer; as many as every 2.5 s", 0.0),
        (15, "half with 15 or fewer; 50 % more than every 2.5 s", -0.5),
    ],
)
async def test_polls_saved_are_said_beside_a_loop(bench: Bench, polls: int, said: str, saved: float) -> None:
    """Be it more or fewer."""
    body = await plots(bench, RecentActivity((ended(25, 1, polls),), ()))
    assert (body["polls"]["said"], body["polls_saved"]) == (said, pytest.approx(saved))
    assert f"would have polled 10 times; notifier polled {polls} times" in body["polls"]["about"]


async def test_durations_stand_by_their_path(bench: Bench) -> None:
    learned = PathDurations("mulerouter", PATH, TaskDurations(57, 8_400, 15_000, 23_500))
    (told,) = (await plots(bench, RecentActivity((), ()), learned))["durations"]["ranges"]
    assert told == {
        "label": "qwen-image-edit-max",
        "api_path": PATH,
        "count": 57,
        "low_s": 8.4,
        "middle_s": 15.0,
        "high_s": 23.5,
    }


async def test_what_a_daemon_does_is_plotted(bench: Bench) -> None:
    """An end that the real store was told of."""
    watch = await bench.register("t-1")
    bench.clock.advance(10 * SECOND)
    await bench.end(watch["id"])
    body = (await bench.http.get("/v1/plots")).json()
    assert counted(body["polls"]) == {"1": 1}
    assert body["polls_saved"] == pytest.approx(0.75)


def test_measured_times_are_said_in_few_digits() -> None:
    said = [format_measured(ms) for ms in (0, 40, 994, 995, 1_240, 99_949, 99_950, 140_000)]
    assert said == ["0 ms", "40 ms", "994 ms", "1.0 s", "1.2 s", "99.9 s", "100 s", "140 s"]
    assert [seconds(each) for each in (0.04, 0.05, 8.44, 9.95, 140.4)] == ["0.0", "0.1", "8.4", "10", "140"]
    paths = ("/v/qwen-image/generation", "/v/sora-2", "/generation", "/a/tasks/tasks")
    assert [shorten_path(each) for each in paths] == ["qwen-image", "sora-2", "generation", "tasks"]


# ---- the drawing

BARS = BarsBody("Notice delay", "half within 1 s", "What it is", "tasks", 12, [Bar("1 s", 8), Bar(MORE, 4)])
NONE = BarsBody("Callback latency", NO_CALLBACK, "What it is", "callbacks", 0, [])


def body_of(*ranges: Range) -> PlotsBody:
    durations = RangesBody("Task duration", "half within 15 s", "What it is", list(ranges))
    return PlotsBody(durations, BARS, BARS, NONE, 0.5)


def some(number: int) -> Range:
    return Range(f"path-{number}", f"/long/path-{number}", 10, 1.0, 2.0, 3.0 + number)


def test_every_picture_has_a_name_a_description_and_a_table() -> None:
    """Whoever cannot see it reads the same figures."""
    seen = Seen(draw_plots(body_of(some(1))))
    pictures = [given for name, given in seen.elements if name == "svg"]
    assert len(pictures) == 4
    ids = {given.get("id") for name, given in seen.elements if name in ("title", "desc")}
    for given in pictures:
        assert given["role"] == "img"
        assert set(str(given["aria-labelledby"]).split()) <= ids
        assert (given["width"], given["height"]) == (str(WIDTH), str(HEIGHT))
    assert sum(name == "table" for name, _ in seen.elements) == 4
    assert {"1 s", "8", MORE, "4", "/long/path-1", "Up to", "Tasks"} <= set(seen.texts)


def test_bars_are_as_high_as_they_count() -> None:
    """The highest fills the room, none leaves it."""
    bars = [given for name, given in Seen(draw_plots(body_of())).elements if given.get("class") == "bar"]
    tall, low = ({side: int(str(each[side])) for side in ("y", "height")} for each in bars[:2])
    assert tall == {"y": TOP, "height": BASE - TOP}
    assert low == {"y": TOP + (BASE - TOP) // 2, "height": (BASE - TOP) // 2}


def test_more_ranges_than_fit_stand_in_the_table_alone() -> None:
    seen = Seen(draw_plots(body_of(*map(some, range(RANGES_DRAWN + 2)))))
    assert f"path-{RANGES_DRAWN}" not in seen.texts
    assert f"/long/path-{RANGES_DRAWN}" in seen.texts
    tracks = [given for name, given in seen.elements if given.get("class") == "track"]
    assert len(tracks) == RANGES_DRAWN
    for name, given in seen.elements:
        if name == "rect":
            assert int(str(given["x"])) + int(str(given["width"])) <= WIDTH
            assert int(str(given["y"])) + int(str(given["height"])) <= HEIGHT


def test_a_plot_of_nothing_keeps_its_place() -> None:
    """The page does not jump when the first task ends."""
    seen = Seen(draw_plots(body_of()))
    assert sum(name == "svg" for name, _ in seen.elements) == 4
    assert NO_CALLBACK in seen.texts


def test_a_path_is_text() -> None:
    assert "<img" not in draw_plots(body_of(Range(HOSTILE, HOSTILE, 1, 1, 2, 3)))

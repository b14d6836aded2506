"""Compute the data of the page's plots from the store, so that a restart loses nothing.

Each read is bounded: the ``SCAN_LIMIT`` tasks that ended last, as many callbacks that were delivered last,
and the histogram of each api_path. ``web/charts.py`` and ``plots.js`` of the page draw it.
"""

from collections.abc import Sequence

from msgspec import Struct, field
from starlette.responses import Response

from notifier.api.representations import json_response
from notifier.api.request import ApiRequest
from notifier.api.services import Services
from notifier.core.task_statistics import (
    FIXED_INTERVAL_MS,
    FinishedTask,
    compute_saved_share,
    count_bars,
    count_fixed_polls,
    measure_notice_ms,
)
from notifier.store.values import PathDurations, RecentActivity

SCAN_LIMIT = 500  # CONTRACT P5: bounded. No record of why 500; changing it needs a measurement
MAX_PATHS = 20  # CONTRACT P5: bounded. No record of why 20
# The upper edges of bars. No record of why these; changing them needs a measurement.
NOTICE_EDGES_MS = (500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)
CALLBACK_EDGES_MS = (20, 50, 100, 500, 2_000, 10_000, 60_000)  # likewise
POLL_EDGES = (1, 2, 3, 5, 8, 13, 21)  # likewise
GENERIC = ("generation", "generations", "prediction", "predictions", "task", "tasks")
MORE = "more"
NO_TASK = "no task has ended yet"
NO_FINISH = "no task has an end time of its provider"
NO_CALLBACK = "no callback has been delivered yet"
_FIXED = f"{FIXED_INTERVAL_MS / 1_000:g} s"


class Bar(Struct, frozen=True):
    """How many values are above the label of the previous bar, and not above ``label``."""

    label: str
    count: int


class BarsBody(Struct, frozen=True):
    """A bar chart. ``said`` summarizes it in one line, ``about`` explains what is counted and how.

    ``of`` is what is counted: tasks or callbacks.
    """

    title: str
    summary: str = field(name="said")
    about: str
    of: str
    count: int
    bars: list[Bar]


class Range(Struct, frozen=True):
    """How many seconds the tasks of an api_path took: 5 %, 50 % and 90 % of ``count`` no longer than this."""

    label: str
    api_path: str
    count: int
    low_s: float
    middle_s: float
    high_s: float


class RangesBody(Struct, frozen=True):
    """A chart of ranges, those with most tasks first."""

    title: str
    summary: str = field(name="said")
    about: str
    ranges: list[Range]


class PlotsBody(Struct, frozen=True):
    """The data of the page's plots: the tasks that ended last, and the callbacks that were delivered last.

    ``polls_saved`` is the share of polls that were saved, compared with a loop that polls every 2.5 s. It is
    below 0 if the loop had made fewer, and null while no task has ended.
    """

    durations: RangesBody
    notice: BarsBody
    polls: BarsBody
    callbacks: BarsBody
    polls_saved: float | None


async def show_plots(call: ApiRequest) -> Response:
    """Return the data of the four plots."""
    return json_response(await load_plots(call.services))


async def load_plots(services: Services) -> PlotsBody:
    """Compute the data of the plots, for the API and for the page."""
    recent = await services.store.recent(limit=SCAN_LIMIT)
    learned = await services.store.learned(limit=MAX_PATHS)
    return PlotsBody(
        durations=_plot_durations(learned),
        notice=_plot_notice_delay(recent),
        polls=_plot_polls(recent.ends),
        callbacks=_plot_callback_latency(recent),
        polls_saved=compute_saved_share(recent.ends),
    )


def format_measured(duration_ms: float) -> str:
    """Format a measured duration: ``40 ms``, ``1.2 s``, ``140 s``."""
    if duration_ms < 995:
        return f"{duration_ms:.0f} ms"
    return f"{duration_ms / 1_000:.1f} s" if duration_ms < 99_950 else f"{duration_ms / 1_000:.0f} s"


def shorten_path(api_path: str) -> str:
    """Return the last segment with a meaning, short enough for a plot. The table has the whole path."""
    *before, last = api_path.strip("/").split("/")
    return before[-1] if before and last in GENERIC else last


def _plot_durations(learned: Sequence[PathDurations]) -> RangesBody:
    ranges = [
        Range(
            shorten_path(one.api_path),
            one.api_path,
            one.durations.finished_count,
            one.durations.p5_ms / 1_000,
            one.durations.p50_ms / 1_000,
            one.durations.p90_ms / 1_000,
        )
        for one in learned
    ]
    summary = NO_TASK
    if ranges:
        summary = f"half of {ranges[0].label} within {format_measured(learned[0].durations.p50_ms)}"
    about = (
        "How long tasks took, by api_path: from the fastest 5 % to the slowest 10 %, with the median marked. "
        "Each range covers about the last hundred tasks of its path; older ones count less."
    )
    return RangesBody("Task duration", summary, about, ranges)


def _plot_notice_delay(recent: RecentActivity) -> BarsBody:
    values = [delay for each in recent.ends if (delay := measure_notice_ms(each)) is not None]
    about = (
        "The time from the end of a task by its provider, or from its registration if that was later, until "
        f"the daemon noticed. {_describe_sample(len(values), 'task')} with such an end time."
    )
    empty = NO_FINISH if recent.ends else NO_TASK
    return _plot_delays("Notice delay", about, "tasks", empty, (values, NOTICE_EDGES_MS))


def _plot_callback_latency(recent: RecentActivity) -> BarsBody:
    about = (
        "The time from the outcome to the first 2xx of the receiver, with all attempts and waits. "
        f"{_describe_sample(len(recent.callbacks_ms), 'delivered callback')}."
    )
    return _plot_delays(
        "Callback latency", about, "callbacks", NO_CALLBACK, (recent.callbacks_ms, CALLBACK_EDGES_MS)
    )


def _plot_delays(
    title: str, about: str, of: str, empty: str, data: tuple[Sequence[int], Sequence[int]]
) -> BarsBody:
    counts = count_bars(*data)
    if counts is None:
        return BarsBody(title, empty, about, of, 0, [])
    summary = f"half within {format_measured(counts.p50)}, nine of ten within {format_measured(counts.p90)}"
    labels = [*(_format_edge(edge) for edge in data[1]), MORE]
    return BarsBody(title, summary, about, of, counts.count, _make_bars(labels, counts.bars))


def _plot_polls(ends: Sequence[FinishedTask]) -> BarsBody:
    counts = count_bars([each.polls for each in ends], POLL_EDGES)
    title, of = "Polls per task", "tasks"
    if counts is None:
        return BarsBody(title, NO_TASK, _describe_polls(ends), of, 0, [])
    summary = f"half with {counts.p50} or fewer; {_describe_saving(ends)}"
    labels = [*map(str, POLL_EDGES), MORE]
    return BarsBody(title, summary, _describe_polls(ends), of, counts.count, _make_bars(labels, counts.bars))


def _describe_saving(ends: Sequence[FinishedTask]) -> str:
    percent = round(100 * (compute_saved_share(ends) or 0))
    if percent == 0:
        return f"as many as every {_FIXED}"
    return f"{abs(percent)} % {'fewer' if percent > 0 else 'more'} than every {_FIXED}"


def _describe_polls(ends: Sequence[FinishedTask]) -> str:
    own, fixed = sum(each.polls for each in ends), sum(map(count_fixed_polls, ends))
    compared = f" The loop would have polled {fixed} times; notifier polled {own} times." if ends else ""
    sample = _describe_sample(len(ends), "task")
    return (
        f"The polls per task, compared with a loop that polls every {_FIXED} from the registration until it "
        f"sees the end.{compared} {sample} to end, without those that a user stopped or resumed."
    )


def _describe_sample(count: int, what: str) -> str:
    return f"Of the last {count} {what}s" if count != 1 else f"Of the last {what}"


def _format_edge(edge_ms: int) -> str:
    return f"{edge_ms} ms" if edge_ms < 100 else f"{edge_ms / 1_000:g} s"


def _make_bars(labels: Sequence[str], counts: Sequence[int]) -> list[Bar]:
    return [Bar(label, count) for label, count in zip(labels, counts, strict=True)]

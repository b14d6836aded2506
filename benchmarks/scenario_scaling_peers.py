"""How the cost of what one would use instead grows with what waits, as far as it goes, beside notifier's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import scaling_plot
from benchmarks.bench import Bench
from benchmarks.databases import SIZES, copied, databases
from benchmarks.figures import Figure, exactly
from benchmarks.load import Offer, Outcome, offered
from benchmarks.peer_load import Limits, NoFurther, PeerEnded, fed
from benchmarks.peer_names import OURS, PEERS, those_there
from benchmarks.stats import quantile

QUICK_SIZES = (200,)
LOAD = Offer(count=70, over_s=10.0, grace_s=12.0)
"""At 65 polls a second, as the lower one of ``peers``. At three times that, as notifier has in ``scaling``,
APScheduler's store and DBOS are overloaded whatever waits, and their figures say nothing of what does."""
QUICK_LOAD = Offer(count=20, over_s=1.0, grace_s=12.0)
LIMITS = Limits(within_s=60.0, memory_mb=4_000.0)
QUICK_LIMITS = Limits(within_s=10.0, memory_mb=4_000.0)
HOPELESS = 2.0
"""Who would need so many times the limit, at the pace at which it took in a smaller number, is not tried."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What one of them made of the load beside so many that wait.

    ``taken_s`` is how long it took to take these in; None where they were in the database before.
    """

    waiting: int
    outcome: Outcome
    taken_s: float | None

    def came(self) -> str:
        """How they came to it, in words."""
        if self.taken_s is None:
            return "in the database before it started"
        return f"taken in within {self.taken_s:.1f} s"


@dataclass(slots=True)
class Course:
    """What one of them did at each size, and why it was not tried with the next one."""

    reached: list[Reached] = field(default_factory=list)
    end: str = "the greatest number tried"

    def farthest(self) -> int:
        """With how many waiting it still went."""
        return self.reached[-1].waiting if self.reached else 0


Measure = Callable[[str, int], Awaitable[Reached | NoFurther]]


async def scaling_peers(bench: Bench) -> list[Figure]:
    """Measure all at each size, one after the other; a whole run draws the plot, too.

    Nothing where the peers' environment is not there.
    """
    names = those_there(bench, "scaling-peers")
    if not names:
        return []
    with bench.folder() as folder:
        made = await databases(bench, folder, bench.pick(SIZES, QUICK_SIZES))
        files = {database.waiting: database.file for database in made}

        async def measured(name: str, waiting: int) -> Reached | NoFurther:
            if name != OURS:
                return await _of_peer(bench, name, waiting)
            with bench.folder() as own:
                copied(files[waiting], own / "notifier.db")
                return Reached(waiting, await offered(own, _load(bench)), taken_s=None)

        limit_s = _limits(bench).within_s
        courses = await followed([*files], [OURS, *names], measured, limit_s, bench.say)
    if not bench.is_quick:
        scaling_plot.write_peers({name: _points(course) for name, course in courses.items()})
    return figures(courses)


async def _of_peer(bench: Bench, name: str, waiting: int) -> Reached | NoFurther:
    try:
        with bench.folder() as folder:
            async with fed(PEERS[name], folder) as peer:
                taken = await peer.waits_for(waiting, _limits(bench))
                if isinstance(taken, NoFurther):
                    return taken
                return Reached(waiting, await peer.offered(_load(bench)), taken)
    except PeerEnded as ended:
        bench.say(str(ended))
        return NoFurther(f"it ended by itself when it was told of {waiting}")


def _load(bench: Bench) -> Offer:
    return bench.pick(LOAD, QUICK_LOAD)


def _limits(bench: Bench) -> Limits:
    return bench.pick(LIMITS, QUICK_LIMITS)


async def followed(
    sizes: Sequence[int],
    names: Sequence[str],
    measured: Measure,
    limit_s: float,
    say: Callable[[str], None],
) -> dict[str, Course]:
    """Have each go on from size to size, all at one before any at the next, until it goes no further."""
    courses = {name: Course() for name in names}
    going = list(names)
    for waiting in sizes:
        for name in list(going):
            course = courses[name]
            result = hopeless(course, waiting, limit_s) or await measured(name, waiting)
            if isinstance(result, NoFurther):
                going.remove(name)
                course.end = result.why
                say(f"{waiting} waiting, {name}: goes no further; {result.why}")
            else:
                course.reached.append(result)
                say(f"{waiting} waiting, {name}: {_told(result)}")
    return courses


def hopeless(course: Course, waiting: int, limit_s: float) -> NoFurther | None:
    """Say why one need not be tried with so many, from how long it took to take in the number before."""
    if not course.reached or (last := course.reached[-1]).taken_s is None:
        return None
    needed_s = last.taken_s * waiting / last.waiting
    if needed_s <= HOPELESS * limit_s:
        return None
    return NoFurther(
        f"{last.waiting} were taken in within {last.taken_s:.1f} s, {waiting} would need {needed_s:.0f} s; "
        f"the limit is {limit_s:g} s"
    )


def _told(reached: Reached) -> str:
    outcome = reached.outcome
    noticed = outcome.delays.noticed_s
    late = f"{quantile(noticed, 0.5):.3f} s" if noticed else "never"
    return (
        f"{reached.came()}; {outcome.cpu_ms_per_poll:.3f} ms CPU a poll, noticed after {late}, "
        f"{outcome.peak_mb:.1f} MB, {outcome.delays.lost} lost"
    )


def figures(courses: Mapping[str, Course]) -> list[Figure]:
    """Return what stands in the table: by size, and how far each goes."""
    all_reached = [(name, reached) for name, course in courses.items() for reached in course.reached]
    by_size = sorted(all_reached, key=lambda each: each[1].waiting)
    return [
        *(figure for name, reached in by_size for figure in _of_one(name, reached)),
        *(
            Figure(f"{name}: goes as far as", course.farthest(), "waiting", note=course.end)
            for name, course in courses.items()
        ),
    ]


def _of_one(name: str, reached: Reached) -> list[Figure]:
    label, outcome = f"{reached.waiting} waiting, {name}", reached.outcome
    noticed = outcome.delays.noticed_s
    polls = f"{outcome.polls / outcome.offer.count:.1f} polls a task"
    note = f"{reached.came()}; {polls}; cores used: {outcome.busy}"
    polled = [Figure(f"{label}: CPU a poll", outcome.cpu_ms_per_poll, "ms", note=note)]
    late = [
        Figure(f"{label}: noticed after, {words}", quantile(noticed, share), "s")
        for words, share in (("p50", 0.5), ("p99", 0.99))
        if noticed
    ]
    goal = exactly(0) if name == OURS else None
    return [
        *(polled if outcome.polls else []),
        *late,
        Figure(f"{label}: peak memory", outcome.peak_mb, "MB"),
        Figure(f"{label}: lost", outcome.delays.lost, "tasks", goal),
    ]


def _points(course: Course) -> list[scaling_plot.Point]:
    return [_point(each.waiting, each.outcome) for each in course.reached]


def _point(waiting: int, outcome: Outcome) -> scaling_plot.Point:
    noticed = outcome.delays.noticed_s
    return scaling_plot.Point(
        waiting,
        outcome.cpu_ms_per_poll if outcome.polls else None,
        quantile(noticed, 0.5) if noticed else None,
        quantile(noticed, 0.99) if noticed else None,
        outcome.peak_mb,
    )

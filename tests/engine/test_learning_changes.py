"""A past that misleads delays no task for long: what was learned is doubted, tried out, and corrected."""

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from notifier.core.exchange import Exchange, HttpReply
from notifier.core.formats.times import format_instant
from notifier.core.polling.age_schedule import AgeSchedule, compute_interval_ms
from notifier.core.polling.learned_schedule import MIN_SAMPLES
from notifier.store.values import Lease
from tests.builders import end, event
from tests.engine.conftest import HOUR_MS, PROVIDER, Bench, task
from tests.fakes import FakeClock

SECOND_MS = 1_000
MINUTE_MS = 60_000
PROMISE_MS = 5_000  # CONTRACT P5: told within its interval plus 5 s
POLLING = PROVIDER.polling
BY_AGE = AgeSchedule(POLLING.min_interval_ms, POLLING.max_interval_ms, POLLING.growth)


@dataclass(frozen=True, slots=True)
class Run:
    """One task as it went: when it ended, and when the poller learned of that."""

    registered_at: int
    duration_ms: int
    noticed_at: int

    @property
    def ended_at(self) -> int:
        return self.registered_at + self.duration_ms

    @property
    def allowed_ms(self) -> int:
        """The interval by age at its end, and five seconds."""
        by_age = compute_interval_ms(BY_AGE, age_ms=self.duration_ms, last_interval_ms=0, jitter=1.0)
        return by_age + PROMISE_MS

    @property
    def late_ms(self) -> int:
        return self.noticed_at - self.ended_at

    @property
    def is_late(self) -> bool:
        return self.late_ms > self.allowed_ms


@dataclass
class Provider:
    """``HttpClient`` of a provider whose tasks take as long as was said."""

    clock: FakeClock
    is_stamped: bool
    began: dict[str, tuple[int, int]] = field(default_factory=dict)
    noticed: dict[str, int] = field(default_factory=dict)
    polls: int = 0

    async def query(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def get(self, url: str, *_args: object, **_more: object) -> Exchange:
        self.polls += 1
        task_id, now = url.rpartition("/")[2], self.clock.now()
        began_at, duration_ms = self.began[task_id]
        if now < began_at + duration_ms:
            return task("processing", task_id)
        self.noticed.setdefault(task_id, now)
        return self._completed(task_id, began_at, began_at + duration_ms)

    def _completed(self, task_id: str, began_at: int, ended_at: int) -> HttpReply:
        document = json.loads(task("completed", task_id).body)
        if self.is_stamped:
            names = ("created_at", began_at), ("updated_at", ended_at)
            document["task_info"] |= {name: format_instant(at) for name, at in names}
        return HttpReply(200, body=json.dumps(document).encode())

    async def post(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def close(self) -> None: ...


async def teach(bench: Bench, durations_ms: Sequence[int]) -> None:
    """Have the path know tasks that took so long."""
    for number, duration_ms in enumerate(durations_ms):
        watch_id = await bench.register(f"past-{number}")
        now, ending = bench.clock.now(), end(duration_ms=duration_ms)
        await bench.store.poll_now(watch_id, now=now)
        lease = Lease("test", now + SECOND_MS)
        (watch,) = (await bench.store.claim_watches("mulerouter", now=now, limit=1, lease=lease)).watches
        assert await bench.store.record_end(
            watch, lease, ending, event(watch, ending), now=now, give_up_at=now + HOUR_MS
        )


async def run(bench: Bench, tasks: Sequence[tuple[int, int]], *, is_stamped: bool = True) -> list[Run]:
    """Register tasks, ``(after_ms, duration_ms)`` each, and poll until all have ended."""
    provider, start = Provider(bench.clock, is_stamped), bench.clock.now()
    bench.poller.http_client = provider
    waiting = list(enumerate(tasks))
    while len(provider.noticed) < len(tasks):
        while waiting and start + waiting[0][1][0] <= bench.clock.now():
            number, (_, duration_ms) = waiting.pop(0)
            provider.began[f"new-{number}"] = bench.clock.now(), duration_ms
            await bench.register(f"new-{number}", is_learned=True, expire_after_ms=4 * HOUR_MS)
        polls = provider.polls
        next_at = await bench.poll()
        if provider.polls == polls:
            arrival = [start + waiting[0][1][0]] if waiting else []
            bench.clock.advance(max(1, min([next_at, *arrival]) - bench.clock.now()))
    names = [f"new-{number}" for number in range(len(tasks))]
    return [Run(*provider.began[name], provider.noticed[name]) for name in names]


def every(gap_ms: int, durations_ms: Sequence[int]) -> list[tuple[int, int]]:
    """One task each ``gap_ms``."""
    return [(number * gap_ms, duration_ms) for number, duration_ms in enumerate(durations_ms)]


@pytest.fixture(autouse=True)
async def _quick(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock jump to what is due next, as the daemon looks each second; wait for no disk."""
    monkeypatch.setattr("notifier.engine.poller.IDLE_MS", HOUR_MS)
    monkeypatch.setattr("notifier.store.sqlite.writer.GROUP_COMMIT_WAIT_S", 0)
    await bench.store._writer.submit_alone(lambda connection: connection.execute("PRAGMA synchronous = OFF"))


def lognormal(rng: random.Random, median_s: float, sigma: float) -> int:
    """Return a duration."""
    return max(1, round(rng.lognormvariate(math.log(median_s * SECOND_MS), sigma)))


@pytest.mark.parametrize("is_stamped", [True, False])
@pytest.mark.parametrize(("past", "most"), [(MIN_SAMPLES, 3), (30, 7), (200, 7)])
async def test_after_tasks_of_forty_minutes_those_of_ten_seconds_are_told_in_time(
    bench: Bench, past: int, most: int, is_stamped: bool
) -> None:
    """A few are late until the first scout ends. From then on none is, not even those that wait already."""
    await teach(bench, [40 * MINUTE_MS] * past)
    runs = await run(bench, every(14 * SECOND_MS, [10 * SECOND_MS] * 100), is_stamped=is_stamped)
    noticed_at = min(each.noticed_at for each in runs)
    assert sum(each.is_late for each in runs) <= most
    assert all(each.noticed_at <= max(each.ended_at, noticed_at) + each.allowed_ms for each in runs)


async def test_however_many_wait_when_the_change_is_noticed_none_is_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record brings only so many forward; each of these that has ended brings as many more."""
    monkeypatch.setattr("notifier.store.sqlite.durations.MAX_BROUGHT_FORWARD", 3)
    await teach(bench, [40 * MINUTE_MS] * 30)
    runs = await run(bench, every(100, [10 * SECOND_MS] * 100))
    assert not any(each.is_late for each in runs)


@dataclass(frozen=True, slots=True)
class Change:
    """Durations in the order of the registrations, how many of them may be late, and by how much."""

    past_s: float
    draw: Callable[[random.Random, int], int]
    most: int
    most_s: float


CHANGES = {  # in the comment: how many of the 120 were late, and by how much, when every task waited for p5
    "becomes faster, bit by bit": Change(  # 86, 160 s
        300, lambda rng, n: lognormal(rng, 300 * 0.5 ** (n / 25), 0.2), most=9, most_s=60
    ),
    "becomes slower, bit by bit": Change(  # 7, 59 s
        20, lambda rng, n: lognormal(rng, 20 * 2 ** (n / 25), 0.2), most=0, most_s=0
    ),
    "every fifth takes another way": Change(  # 13, 216 s
        300, lambda rng, n: lognormal(rng, 300 if n % 5 else 3, 0.2), most=3, most_s=95
    ),
    "two kinds by turns of twenty": Change(  # 39, 212 s
        300, lambda rng, n: lognormal(rng, 10 if n // 20 % 2 else 300, 0.2), most=3, most_s=20
    ),
    "very different prompts": Change(  # 15, 62 s
        120, lambda rng, _: lognormal(rng, 120, 1.0), most=4, most_s=40
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_whatever_becomes_of_a_path_few_tasks_are_late(bench: Bench, name: str) -> None:
    """Late are those that ended before a scout of their kind did, or before anything shorter was seen."""
    change, rng = CHANGES[name], random.Random(5)
    await teach(bench, [lognormal(rng, change.past_s, 0.2) for _ in range(60)])
    runs = await run(bench, every(6 * SECOND_MS, [change.draw(rng, n) for n in range(120)]))
    late = [each.late_ms for each in runs if each.is_late]
    assert len(late) <= change.most
    assert max(late, default=0) <= change.most_s * SECOND_MS


@pytest.mark.fault(34, 35)
@pytest.mark.parametrize("step_ms", [2 * HOUR_MS, -2 * HOUR_MS])
async def test_a_stepped_clock_keeps_deferred_polls_where_they_were(bench: Bench, step_ms: int) -> None:
    """What waits is brought forward after the step as before it, by the time that has passed."""
    await teach(bench, [40 * MINUTE_MS] * 30)
    for number in range(5):
        await bench.register(f"before-{number}", is_learned=True)
    bench.clock.advance(20 * SECOND_MS)
    bench.clock.step(step_ms)
    bench.poller.shift(step_ms)
    await bench.store.shift_times(step_ms)
    provider = Provider(bench.clock, is_stamped=True)
    bench.poller.http_client = provider
    now = bench.clock.now()
    for number in range(5):
        provider.began[f"before-{number}"] = now - 20 * SECOND_MS, 10 * SECOND_MS
    await bench.poll()
    assert provider.noticed == {}
    for number in range(3):
        provider.began[f"after-{number}"] = now, 10 * SECOND_MS
        await bench.register(f"after-{number}", is_learned=True)
    bench.clock.advance(13 * SECOND_MS)
    await bench.poll()
    await bench.poll()
    assert len(provider.noticed) == 8

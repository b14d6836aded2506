"""Polling simulated, with the very functions that the daemon polls by: no network, no clock, no database."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.kinds import Kind
from benchmarks.stats import mean
from notifier.core.polling import age_schedule, learned_schedule
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.first_poll import FirstWait, adjust_wait_ms, schedule_first_poll
from notifier.core.polling.histogram import DurationHistogram, add_duration
from notifier.core.polling.learned_schedule import TaskDurations, histogram_to_durations

FIXED_MS = 2_500
FIRST_AFTER_MS = 2_500
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Setting:
    """How it is polled. ``is_stamped``: the provider says when a task began and ended."""

    schedule: AgeSchedule
    is_stamped: bool = True


@dataclass(frozen=True, slots=True)
class Polled:
    """One task: how long it took, how many polls it took us, and when the last two of them were."""

    duration_ms: int
    polls: int
    before_ms: int
    found_ms: int

    @property
    def delay_ms(self) -> int:
        """How late its end was noticed."""
        return self.found_ms - self.duration_ms


@dataclass(slots=True)
class Path:
    """What is known of one api_path."""

    setting: Setting
    rng: random.Random
    sketch: DurationHistogram = field(default_factory=DurationHistogram)
    finishes: int = 0
    durations: TaskDurations | None = None
    wait: FirstWait = field(default_factory=lambda: FirstWait(0))

    def poll(self, duration_ms: int) -> Polled:
        """Poll one task to its end."""
        most = learned_schedule.limit_wait_ms(DAY_MS)
        first = schedule_first_poll(
            self.durations, self.wait, registered_at=0, earliest=FIRST_AFTER_MS, latest=most
        )
        self.wait, at = replace(self.wait, waiting_count=first.waiting_count), first.at
        polls, before, last = 1, 0, 0
        while at < duration_ms:
            last = self._interval_ms(at, last)
            before, at, polls = at, at + last, polls + 1
        return Polled(duration_ms, polls, before, at)

    def _interval_ms(self, age_ms: int, last_ms: int) -> int:
        rate, jitter = self.setting.schedule, self.rng.random()
        if self.durations is None or not self.durations.is_reliable:
            return age_schedule.compute_interval_ms(
                rate, age_ms=age_ms, last_interval_ms=last_ms, jitter=jitter
            )
        return learned_schedule.compute_interval_ms(
            self.durations, rate, age_ms=age_ms, last_interval_ms=last_ms, jitter=jitter, result_ttl_ms=DAY_MS
        )

    def learn(self, task: Polled) -> None:
        """Know one task more; without stamps it ended between the last two polls."""
        between = task.found_ms - (task.found_ms - task.before_ms) // 2
        duration_ms = task.duration_ms if self.setting.is_stamped else between
        self.sketch = add_duration(self.sketch, duration_ms)
        self.finishes += 1
        self.durations = histogram_to_durations(self.sketch, self.finishes)
        wait_ms = adjust_wait_ms(self.wait.wait_ms, self.durations, duration_ms)
        self.wait = replace(self.wait, wait_ms=wait_ms)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Means over tasks, and the same for polls at fixed intervals of ``FIXED_MS``."""

    polls: float
    delay_s: float
    relative_delay: float
    fixed_polls: float
    fixed_delay_s: float
    fixed_relative_delay: float


def outcome_of(tasks: Sequence[Polled]) -> Outcome:
    """Take the means."""
    fixed = [-(-task.duration_ms // FIXED_MS) for task in tasks]
    late = [polls * FIXED_MS - task.duration_ms for polls, task in zip(fixed, tasks, strict=True)]
    return Outcome(
        polls=mean([task.polls for task in tasks]),
        delay_s=mean([task.delay_ms / 1_000 for task in tasks]),
        relative_delay=mean([task.delay_ms / task.duration_ms for task in tasks]),
        fixed_polls=mean(fixed),
        fixed_delay_s=mean([each / 1_000 for each in late]),
        fixed_relative_delay=mean([each / task.duration_ms for each, task in zip(late, tasks, strict=True)]),
    )


def mixed(parts: Sequence[tuple[Outcome, float]]) -> Outcome:
    """Return the means of a fleet, from those of its kinds and their shares."""

    def over(name: str) -> float:
        return sum(share * float(getattr(outcome, name)) for outcome, share in parts)

    return Outcome(**{name: over(name) for name in Outcome.__slots__})


@dataclass(frozen=True, slots=True)
class Plan:
    """How often to begin anew, with how many finishes of which pace before, and how many tasks to measure."""

    rounds: int
    before: int
    measured: int


def run(kind: Kind, setting: Setting, plan: Plan, *, seed: int, past: Kind | None = None) -> Outcome:
    """Learn from tasks of ``past`` (the same kind, if None), then measure, with what is learned then fixed.

    Where the past was another, learning goes on while it is measured.
    """
    rng = random.Random(seed)
    tasks: list[Polled] = []
    for _ in range(plan.rounds):
        path = Path(setting, rng)
        for _ in range(plan.before):
            path.learn(path.poll(_duration_ms(past or kind, rng)))
        for _ in range(plan.measured):
            tasks.append(path.poll(_duration_ms(kind, rng)))
            if past is not None:
                path.learn(tasks[-1])
    return outcome_of(tasks)


def _duration_ms(kind: Kind, rng: random.Random) -> int:
    return max(1, round(kind.draw(rng) * 1_000))

"""Tasks at the simulated provider, made over its control side."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from benchmarks.client import Answer, Pool

API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
MEDIAN_S = 2.0
SIGMA = 0.6
FAILED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Planned:
    """A task to come: when, counted from the start of the load, how long it takes, how it ends."""

    at_s: float
    duration_s: float
    outcome: str


class _Made(msgspec.Struct):
    task_id: str
    ends_at: int | None
    polls: int
    polled_at: list[int]


class Told(msgspec.Struct):
    """What the simulator says of its tasks."""

    tasks: list[_Made]
    polls: int = 0
    refused: int = 0


def plan(count: int, over_s: float) -> list[Planned]:
    """Spread tasks evenly; their durations are lognormal, and the same in every run."""
    rng = random.Random(20_000)
    return [
        Planned(
            at_s=number * over_s / count,
            duration_s=MEDIAN_S * rng.lognormvariate(0.0, SIGMA),
            outcome="failed" if rng.random() < FAILED_SHARE else "completed",
        )
        for number in range(count)
    ]


async def submit(upstream: Pool, planned: Sequence[Planned]) -> dict[str, int]:
    """Begin tasks now; returns when each ends, by id."""
    scripts = [{"duration_s": task.duration_s, "outcome": task.outcome} for task in planned]
    body = msgspec.json.encode([{"api_path": API_PATH, "script": script} for script in scripts])
    made = _read(await upstream.ask("POST", "/_sim/tasks", body), 201)
    return {task.task_id: task.ends_at for task in made.tasks if task.ends_at is not None}


async def submit_endless(upstream: Pool, count: int) -> list[str]:
    """Begin tasks that never end; returns their ids."""
    body = msgspec.json.encode([{"api_path": API_PATH, "script": {"outcome": "never"}}] * count)
    return [task.task_id for task in _read(await upstream.ask("POST", "/_sim/tasks", body), 201).tasks]


async def told(upstream: Pool) -> Told:
    """Ask what has been polled."""
    return _read(await upstream.ask("GET", "/_sim/tasks"), 200)


def _read(answer: Answer, status: int) -> Told:
    if answer.status != status:
        raise RuntimeError(f"the simulator answered {answer.status}: {answer.body[:200]!r}")
    return msgspec.json.decode(answer.body, type=Told)

"""What a call asks, step by step and by hand: no socket, no time."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
import pytest

from notifier.client import Callback, Problem, StillWatching, Unavailable, Unreachable, Watch, calls
from notifier.client.calls import PauseStep, RequestStep, Steps
from notifier.client.transport import ApiReply
from notifier.core.formats.times import InvalidDuration
from notifier.errors import NotifierError
from tests.cli.conftest import WATCH

T = TypeVar("T")

BROKEN = Unreachable("gone", is_broken=True)
ENDED = {**WATCH, "state": "completed", "outputs": ["https://cdn.example/1.jpg"]}


class Time:
    """A clock that goes on when a step takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def play(
    steps: Steps[T], *answers: dict[str, Any] | NotifierError, time: Time | None = None, held_s: float = 30.0
) -> tuple[T, list[RequestStep | PauseStep]]:
    """Run a call against the answers, in order; what is held takes ``held_s``."""
    script: Iterator[dict[str, Any] | NotifierError] = iter(answers)
    seen: list[RequestStep | PauseStep] = []
    time = time or Time()
    try:
        step = next(steps)
        while True:
            seen.append(step)
            if isinstance(step, PauseStep):
                time.now += step.seconds
                step = steps.send(None)
                continue
            time.now += held_s if step.query and "wait" in step.query else 0.0
            answer = next(script)
            if isinstance(answer, NotifierError):
                step = steps.throw(answer)
            else:
                step = steps.send(ApiReply(json.dumps(answer).encode(), "here"))
    except StopIteration as end:
        result: T = end.value
        return result, seen


def registration(**over: Any) -> Steps[Watch]:
    given: dict[str, Any] = {"reply": None, "callback": "http://a/hook", "provider": None, "metadata": None}
    return calls.register("/x", "task-1", **{**given, "expire_after": None, **over})


def test_a_registration_says_no_more_than_it_was_given() -> None:
    """What is left out is the daemon's to choose."""
    watch, [ask] = play(registration(), WATCH)
    assert watch.id == "wch_1"
    assert isinstance(ask, RequestStep)
    assert (ask.method, ask.path) == ("POST", "/v1/watches")
    body: Any = ask.body
    assert set(body) == {"api_path", "task_id", "callbacks"}
    assert body["callbacks"] == [Callback("http://a/hook")]


@pytest.mark.parametrize("duration", ["30m", 1_800, 1_800.0, timedelta(minutes=30)])
def test_a_duration_may_be_text_seconds_or_a_timedelta(duration: calls.Duration) -> None:
    _, [ask] = play(registration(expire_after=duration), WATCH)
    body: Any = ask.body  # type: ignore[union-attr]
    assert body["expire_after"] == 1_800.0


def test_no_duration_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidDuration):
        next(registration(expire_after="soon"))


def test_a_reply_takes_the_place_of_the_ids() -> None:
    """The daemon finds them in it."""
    ask = next(calls.register(None, None, {"id": "t"}, "http://a/hook", "replicate", None, None))
    assert isinstance(ask, RequestStep)
    body: Any = ask.body
    assert (body["reply"], body["provider"]) == ({"id": "t"}, "replicate")
    assert not {"task_id", "api_path"} & set(body)


@pytest.mark.parametrize("reply", [None, {"id": "t"}])
def test_a_registration_has_ids_or_a_reply(reply: dict[str, str] | None) -> None:
    with pytest.raises(TypeError, match="give api_path and task_id, or reply"):
        next(calls.register("/x", None if reply is None else "t", reply, "http://a/hook", None, None, None))


def test_metadata_is_any_mapping() -> None:
    """As it is declared, though what writes JSON knows dicts only."""
    metadata = MappingProxyType({"order": 42})
    ask = next(calls.register("/x", "task-1", None, "http://a/hook", None, metadata, None))
    assert isinstance(ask, RequestStep)
    assert b'"metadata":{"order":42}' in msgspec.json.encode(ask.body)


def test_a_registration_is_made_again_where_the_connection_broke() -> None:
    """It is idempotent; a daemon that starts again takes it."""
    watch, seen = play(registration(), BROKEN, BROKEN, WATCH)
    assert watch.id == "wch_1"
    assert [type(step) for step in seen] == [RequestStep, PauseStep, RequestStep, PauseStep, RequestStep]
    assert seen[0] == seen[2] == seen[4]


def test_a_daemon_that_stays_away_is_told_of_after_two_seconds() -> None:
    time = Time()
    with pytest.raises(Unreachable):
        play(calls.get("wch_1"), BROKEN, BROKEN, BROKEN, BROKEN, time=time)
    assert time.now == 2.0


@pytest.mark.parametrize("fault", [Unreachable("slow"), Unavailable(503, Problem("busy"))])
def test_what_is_no_broken_connection_is_told_at_once(fault: NotifierError) -> None:
    with pytest.raises(type(fault)):
        play(registration(), fault)


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    ask = next(calls.get("../status?x"))
    assert isinstance(ask, RequestStep)
    assert ask.path == "/v1/watches/..%2Fstatus%3Fx"


def test_waiting_has_the_daemon_hold_its_answers() -> None:
    """The first is not held: it tells at once that the watch is not there."""
    watch, seen = play(calls.wait("wch_1", None, Time()), WATCH, WATCH, ENDED)
    assert watch.is_completed
    assert [step.query for step in seen if isinstance(step, RequestStep)] == [
        None,
        {"wait": "30000ms"},
        {"wait": "30000ms"},
    ]


def test_waiting_ends_when_its_time_is_over() -> None:
    """By a fault, so that nobody takes a live watch for an ended one."""
    time = Time()
    with pytest.raises(StillWatching) as over:
        play(calls.wait("wch_1", "40s", time), *[WATCH] * 9, time=time, held_s=20.0)
    assert over.value.watch.id == "wch_1"
    assert time.now == 40.0


def test_no_time_to_wait_is_a_question() -> None:
    with pytest.raises(StillWatching):
        play(calls.wait("wch_1", 0, Time()), WATCH)
    assert play(calls.wait("wch_1", 0, Time()), ENDED)[0].is_completed


def test_a_restart_is_waited_through() -> None:
    """Refused, starting, back."""
    starting = Unavailable(503, Problem("not_ready"))
    time = Time()
    watch, _ = play(calls.wait("wch_1", None, time), WATCH, BROKEN, starting, ENDED, time=time, held_s=0.0)
    assert watch.is_completed
    assert time.now == 1.0


def test_a_daemon_that_is_away_for_half_a_minute_is_told_of() -> None:
    time = Time()
    with pytest.raises(Unreachable):
        play(calls.wait("wch_1", None, time), WATCH, *[BROKEN] * 100, time=time, held_s=0.0)
    assert time.now == 30.0


def test_a_daemon_that_dies_while_it_holds_an_answer_is_waited_for_as_long_as_any() -> None:
    """The time that it was there and silent is no time away."""
    time = Time()
    asking = calls.wait("wch_1", None, time)
    next(asking)
    asking.send(ApiReply(json.dumps(WATCH).encode(), "here"))
    time.now += 29.9
    assert isinstance(asking.throw(BROKEN), RequestStep)
    for _ in range(20):
        assert isinstance(asking.throw(BROKEN), PauseStep)
        time.now += 0.5
        assert isinstance(next(asking), RequestStep)


def test_a_daemon_that_does_not_hold_is_not_asked_without_pause() -> None:
    """An older one, or a proxy between."""
    time = Time()
    _, seen = play(calls.wait("wch_1", None, time), *[WATCH] * 4, ENDED, time=time, held_s=0.0)
    assert sum(isinstance(step, PauseStep) for step in seen) == 3

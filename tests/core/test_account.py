"""A watch's life in words: what was said, what followed, and by which rule."""

from dataclasses import replace

import pytest

from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.model import (
    Attempt,
    Callback,
    Delivery,
    DeliveryHold,
    DeliveryState,
    EventType,
    TaskError,
    Watch,
    WatchState,
)
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import decide_poll
from notifier.core.polling.decision import EndWatch, PollAgain, describe_wait
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    NotPolled,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
    describe_verdict,
)
from notifier.core.timeline import RoundEnd, TimelineEntry, TimelineKind, WatchHistory, build_timeline
from tests.builders import KEY_REFUSED, SERVER_ERROR, THROTTLED, answered

T = 1_795_435_200_000
ODD = Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": "odd"})
SCHEDULE = AgeSchedule(min_interval_ms=2_500, max_interval_ms=60_000, growth=0.1)
WATCH = Watch(
    id="wch_1",
    provider="mulerouter",
    api_path="/vendors/x/generation",
    task_id="t-1",
    state=WatchState.WATCHING,
    callbacks=(Callback("http://127.0.0.1:9001/hook?token=s"),),
    metadata="{}",
    registered_at=T,
    expires_at=T + 3_600_000,
    due_at=T,
)
ENDED = replace(WATCH, state=WatchState.COMPLETED, due_at=None, ended_at=T + 9_000, outputs=("https://x/1",))
DELIVERY = Delivery(
    id="dlv_1",
    event_id="evt_1",
    watch_id="wch_1",
    type=EventType.COMPLETED,
    url="http://127.0.0.1:9001/hook?token=s",
    state=DeliveryState.DELIVERED,
    attempts=2,
    created_at=T + 9_000,
    due_at=None,
    give_up_at=T + 99_000,
    ended_at=T + 12_000,
    last_error=None,
    result_expires_at=None,
)
ATTEMPTS = (
    Attempt(number=1, at=T + 9_000, duration_ms=8, status=503, error=None, answer="no"),
    Attempt(number=2, at=T + 11_000, duration_ms=9, status=204, error=None, answer=None),
)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Running("processing"), "processing"),
        (Running(None), "running"),
        (Running("odd", oddity=ODD), 'odd (provider says "odd", a status we do not know)'),
        (Finished(WatchState.COMPLETED, "completed", (), None, "{}"), "completed"),
        (TaskUnknown(404), "HTTP 404: the provider does not know the task"),
        (AccountRefused(401, KEY_REFUSED), "provider refuses the key (401)"),
        (Throttled(None, THROTTLED), "provider throttles (429)"),
        (Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR), "provider answers HTTP 503"),
        (NotPolled(Condition(KEY_REFUSED)), "provider refuses the key (401)"),
    ],
)
def test_what_a_poll_brought_is_said_in_the_judges_words(verdict: Verdict, words: str) -> None:
    assert describe_verdict(verdict) == words


def test_a_decision_carries_what_was_said_and_why_the_next_poll_is_when_it_is() -> None:
    """The line of the issue: what came, that the watch is kept, when the next poll is and by which rule."""
    verdict = Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR)
    decision = decide_poll(WATCH, verdict, schedule=SCHEDULE, result_ttl_ms=0, now=T + 30_000, jitter=0.0)
    assert isinstance(decision, PollAgain)
    words = "provider answers HTTP 503: kept, next in 6.0 s (the last poll failed)"
    assert describe_wait(decision, T + 30_000) == words


def test_an_end_carries_what_was_said() -> None:
    verdict = Finished(WatchState.COMPLETED, "completed", (), None, "{}")
    decision = decide_poll(WATCH, verdict, schedule=SCHEDULE, result_ttl_ms=0, now=T, jitter=0.0)
    assert isinstance(decision, EndWatch)
    assert decision.summary == "completed"


def test_a_timeline_is_in_order_and_causes_stand_before_effects() -> None:
    """Poll, decision, delivery and attempt of one millisecond stand in that order."""
    poll = TimelineEntry(T + 9_000, TimelineKind.POLL, "completed")
    life = WatchHistory(ENDED, (poll,), (RoundEnd(T + 9_000, "task.completed"),), ((DELIVERY, ATTEMPTS),))
    lines = build_timeline(life)
    assert [(moment.at - T, moment.kind) for moment in lines] == [
        (0, "registered"),
        (9_000, "poll"),
        (9_000, "decision"),
        (9_000, "delivery"),
        (9_000, "attempt"),
        (11_000, "attempt"),
        (12_000, "delivery"),
    ]
    assert lines[2].text == "task.completed: 1 output"
    assert lines[3].text == "task.completed to http://127.0.0.1:9001/hook: made"
    assert lines[4].text == "attempt 1 to http://127.0.0.1:9001/hook: HTTP 503, after 8 ms"
    assert (lines[5].delivery_id, lines[5].number) == ("dlv_1", 2)
    assert lines[6].text == "task.completed to http://127.0.0.1:9001/hook: delivered"


def test_the_end_of_a_delivery_stands_after_the_attempt_that_brought_it() -> None:
    """Even where both are of one millisecond."""
    at_once = replace(DELIVERY, ended_at=T + 11_000)
    lines = build_timeline(WatchHistory(ENDED, deliveries=((at_once, ATTEMPTS),)))
    assert [line.kind for line in lines[-2:]] == ["attempt", "delivery"]


def test_what_still_waits_is_told_last() -> None:
    """Where a delivery stands now is looked for at the end, not before its attempts."""
    waits = replace(DELIVERY, state=DeliveryState.PENDING, ended_at=None, due_at=T + 30_000)
    lines = build_timeline(WatchHistory(ENDED, deliveries=((waits, ATTEMPTS),)))
    assert [line.text.partition(": ")[2].partition(" ")[0] for line in lines[1:]] == [
        "made", "HTTP", "HTTP", "pending,",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "fix"),
    [
        (
            DeliveryHold("paused by a user", Cause(Code.ENDPOINT_PAUSED)),
            "`notifier endpoints resume http://127.0.0.1:9001/hook`",
        ),
        (
            DeliveryHold("closed: HTTP 503 since …", answered(503)),
            "`notifier test-callback http://127.0.0.1:9001/hook`",
        ),
    ],
)
def test_what_is_held_back_says_why_and_what_to_do(held: DeliveryHold, fix: str) -> None:
    """An instant that has passed is no next attempt."""
    waits = replace(DELIVERY, state=DeliveryState.PENDING, ended_at=None, due_at=T, held=held)
    told = build_timeline(WatchHistory(ENDED, deliveries=((waits, ATTEMPTS),)))[-1].text
    pending = "task.completed to http://127.0.0.1:9001/hook: pending"
    assert told.startswith(f"{pending}, held back: {held.text}; {fix}")
    assert "next attempt" not in told


def test_a_timeline_tells_no_query_of_a_callback_url() -> None:
    """Tokens stand there."""
    life = WatchHistory(ENDED, (), (RoundEnd(T + 9_000, "task.completed"),), ((DELIVERY, ATTEMPTS),))
    assert "token" not in " ".join(moment.text for moment in build_timeline(life))


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        (
            replace(DELIVERY, state=DeliveryState.PENDING, due_at=T),
            "pending, next attempt at 2026-11-23T12:00:00.000Z",
        ),
        (replace(DELIVERY, state=DeliveryState.DEAD, last_error="HTTP 400"), "dead, HTTP 400"),
    ],
)
def test_a_delivery_says_how_it_stands(delivery: Delivery, words: str) -> None:
    *_, line = (
        each for each in build_timeline(WatchHistory(ENDED, deliveries=((delivery, ()),))) if each.delivery_id
    )
    assert line.text == f"task.completed to http://127.0.0.1:9001/hook: {words}"


def test_only_the_latest_round_has_its_outcome_told() -> None:
    """What an earlier round ended with is known by the type of its event."""
    error = TaskError("notifier", "lost", "The provider does not know the task", "three answers said so")
    watch = replace(ENDED, state=WatchState.LOST, error=error, outputs=())
    round_ends = (RoundEnd(T + 5_000, "task.expired"), RoundEnd(T + 9_000, "task.lost"))
    texts = [
        each.text
        for each in build_timeline(WatchHistory(watch, round_ends=round_ends))
        if each.kind is TimelineKind.DECISION
    ]
    assert texts == [
        "task.expired",
        "task.lost: The provider does not know the task; three answers said so",
    ]


def test_the_outcome_is_told_too_where_the_clock_was_set_since() -> None:
    """The end of the watch moves with the clock, by which it is kept; when its event was made does not."""
    moved = replace(ENDED, ended_at=T + 3_609_000)
    _, told = build_timeline(WatchHistory(moved, (), (RoundEnd(T + 9_000, "task.completed"),)))
    assert told.text == "task.completed: 1 output"
    stopped = replace(ENDED, state=WatchState.STOPPED)
    _, told = build_timeline(WatchHistory(stopped, (), (RoundEnd(T + 9_000, "task.expired"),)))
    assert told.text == "task.expired"

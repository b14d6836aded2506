"""From a due watch to its next poll, or to its end."""

import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.core.model import DeliveryState, WatchState
from notifier.core.polling.verdict import Verdict
from notifier.core.secret import Secret
from notifier.engine import unpolled_deadlines
from notifier.errors import StoreUnavailable
from notifier.store.values import ClaimedWatches
from tests.builders import DISK_FULL
from tests.engine.conftest import HOUR_MS, KEY, PROVIDER, Bench, task

DOWN = NoReply(FailureKind.CONNECT, "connection refused")


async def test_nothing_is_asked_before_it_is_due(bench: Bench) -> None:
    """The first poll waits for ``first_after``; the tick names that instant."""
    await bench.register()
    due_at = bench.clock.now() + 2_500
    assert await bench.poll() == min(due_at, bench.clock.now() + 1_000)
    assert bench.polls.requests == []


async def test_a_running_task_is_asked_again_later_and_later(bench: Bench) -> None:
    """Each wait is at least as long as the one before, within the policy's bounds."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("processing"))
    waits: list[int] = []
    bench.clock.advance(2_500)
    for _ in range(40):
        await bench.poll()
        watch = (await bench.see(watch_id)).watch
        assert watch.due_at is not None
        waits.append(watch.due_at - bench.clock.now())
        bench.clock.advance(waits[-1])
    final_is_at_deadline = waits[:-1] if sum(waits) >= HOUR_MS else waits
    assert final_is_at_deadline == sorted(final_is_at_deadline)
    assert waits[0] >= 2_500
    assert max(waits) <= 66_000
    assert len(bench.polls.requests) == 40


async def test_a_completed_task_ends_the_watch_with_its_event_and_delivery(bench: Bench) -> None:
    """One transaction: the outcome, the event's bytes and what is to be delivered; then both are told."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("completed", images=["https://x/1.jpg"]))
    bench.clock.advance(2_500)
    await bench.poll()
    detail = await bench.see(watch_id)
    assert detail.watch.state is WatchState.COMPLETED
    assert detail.watch.outputs == ("https://x/1.jpg",)
    assert [delivery.state for delivery in detail.deliveries] == [DeliveryState.PENDING]
    assert detail.event is not None
    body = json.loads(detail.event.body)
    assert (body["type"], body["data"]["metadata"]) == ("task.completed", {"order": 42})
    assert bench.clock.now() in bench.rung


async def test_the_key_goes_out_and_nowhere_else(bench: Bench) -> None:
    """The provider gets the bearer token; an answer that quotes it is stored without it."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("failed", echo=f"Bearer {KEY.reveal()}"))
    bench.clock.advance(2_500)
    await bench.poll()
    assert bench.polls.requests[0].headers["Authorization"] == f"Bearer {KEY.reveal()}"
    detail = await bench.see(watch_id)
    assert detail.event is not None
    assert KEY.reveal().encode() not in detail.event.body
    assert b"***" in detail.event.body


@pytest.mark.fault(58)
async def test_a_poll_reads_no_more_than_its_provider_allows(bench: Bench) -> None:
    """Each provider has its own limit, and the trouble names it."""
    provider = replace(PROVIDER, description=replace(PROVIDER.description, max_body=65_536))
    bench.poller.configure({"mulerouter": provider}, give_up_after_ms=72 * HOUR_MS)
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), HttpReply(200, body=b"{" * 65_536, is_cut=True))
    bench.clock.advance(2_500)
    await bench.poll()
    assert bench.polls.requests[0].max_body == 65_536
    trouble = (await bench.see(watch_id)).watch.trouble
    assert trouble is not None
    assert trouble.cause.text() == "reply is larger than max_body (64 KiB)"


@pytest.mark.fault(107)
async def test_a_running_task_is_polled_again_when_the_provider_asks(bench: Bench) -> None:
    """Its own Retry-After puts off this one watch."""
    watch_id = await bench.register()
    body = task("processing").body
    bench.polls.add(bench.url_of(), HttpReply(202, {"retry-after": "30"}, body))
    bench.clock.advance(2_500)
    await bench.poll()
    detail = await bench.see(watch_id)
    assert (detail.watch.due_at, detail.watch.trouble) == (bench.clock.now() + 30_000, None)


@pytest.mark.fault(45, 46)
async def test_no_trouble_of_the_provider_fails_a_task(bench: Bench) -> None:
    """Outage, refused key, empty account, HTML: the watch waits and says why; then the outcome comes."""
    watch_id = await bench.register()
    html = HttpReply(200, {"content-type": "text/html"}, b"<html>")
    for exchange in (
        DOWN,
        HttpReply(401),
        HttpReply(402),
        HttpReply(403),
        HttpReply(500),
        HttpReply(400),
        html,
    ):
        bench.polls.add(bench.url_of(), exchange)
    bench.polls.add(bench.url_of(), task("succeeded"))
    for _ in range(30):
        bench.clock.advance(60_000)
        await bench.poll()
        watch = (await bench.see(watch_id)).watch
        if watch.state is not WatchState.WATCHING:
            break
        assert watch.trouble is not None
    assert watch.state is WatchState.COMPLETED
    assert watch.trouble is None or watch.ended_at is not None


async def test_a_trouble_is_logged_once_with_its_code_and_what_to_do(bench: Bench) -> None:
    """One line for each change: programs read the code, people the text and the remedy."""
    await bench.register()
    for exchange in (HttpReply(401), HttpReply(401), HttpReply(401), task("pending")):
        bench.polls.add(bench.url_of(), exchange)
    with capture_logs() as lines:
        for _ in range(4):
            bench.clock.advance(60_000)
            await bench.poll()
    told = [line for line in lines if line["event"] in {"watch.troubled", "provider.paused"}]
    assert [(line["event"], line["code"]) for line in told] == [
        ("watch.troubled", "provider_key_refused"),
        ("provider.paused", "provider_key_refused"),
    ]
    assert told[0]["trouble"] == "provider refuses the key (401)"
    assert told[1]["condition"].startswith("provider refuses the key (401) since 2026-")
    assert told[1]["fix"].startswith("check MULEROUTER_API_KEY, then reload the daemon")


async def test_downtime_of_ours_expires_nothing_that_has_finished(bench: Bench) -> None:
    """A watch found past its deadline is polled once more before anything is said."""
    watch_id = await bench.register(expire_after_ms=60_000)
    bench.polls.add(bench.url_of(), task("completed"))
    bench.clock.advance(10 * HOUR_MS)
    await bench.poll()
    assert (await bench.see(watch_id)).watch.state is WatchState.COMPLETED


async def test_the_deadline_passes_also_while_the_provider_cannot_be_asked(bench: Bench) -> None:
    """With the provider paused a watch expires about its deadline all the same; the error says why."""
    for number in range(4):
        await bench.register(f"task-{number}")
        bench.polls.add(bench.url_of(f"task-{number}"), HttpReply(401))
    late = await bench.register("late", expire_after_ms=4_000)
    bench.polls.add(bench.url_of("late"), HttpReply(401))
    bench.clock.advance(2_500)
    for _ in range(20):
        await bench.poll()
        bench.clock.advance(1_000)
    watch = (await bench.see(late)).watch
    assert watch.state is WatchState.EXPIRED
    assert watch.error is not None
    assert "401" in str(watch.error.detail)


async def test_a_short_pause_expires_nothing_unasked(bench: Bench) -> None:
    """After hours of downtime the first answer is 429: the rest waits for its own poll, and has finished."""
    watches = []
    for number in range(20):
        watches.append(await bench.register(f"task-{number}"))
        done = task("completed", f"task-{number}")
        throttled = [HttpReply(429, {"retry-after": "1"})] if number < 3 else []
        bench.polls.add(bench.url_of(f"task-{number}"), *throttled, done)
    bench.clock.advance(5 * HOUR_MS)
    for _ in range(100):
        await bench.poll()
        bench.clock.advance(1_000)
    states = [(await bench.see(watch_id)).watch.state for watch_id in watches]
    assert set(states) == {WatchState.COMPLETED}


async def test_a_provider_that_left_the_configuration_leaves_no_watch_for_ever(bench: Bench) -> None:
    """Past its deadline it expires, saying why; before, it waits for the provider's return."""
    watch_id = await bench.register()
    bench.poller.configure({}, give_up_after_ms=HOUR_MS)
    bench.clock.advance(HOUR_MS // 2)
    await bench.poll()
    assert (await bench.see(watch_id)).watch.state is WatchState.WATCHING
    bench.clock.advance(HOUR_MS)
    await bench.poll()
    watch = (await bench.see(watch_id)).watch
    assert watch.state is WatchState.EXPIRED
    assert "not configured" in str(watch.error and watch.error.detail)


async def test_many_watches_without_a_provider_are_not_ended_by_handfuls_a_minute(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While there are more, the next tick goes on; then it is looked for once a minute."""
    monkeypatch.setattr(unpolled_deadlines, "EXPIRE_BATCH", 2)
    watches = [await bench.register(f"task-{number}") for number in range(5)]
    bench.poller.configure({}, give_up_after_ms=HOUR_MS)
    bench.clock.advance(2 * HOUR_MS)
    for _ in range(3):
        await bench.poll()
        bench.clock.advance(1_000)
    assert {(await bench.see(each)).watch.state for each in watches} == {WatchState.EXPIRED}


@pytest.mark.fault(35)
async def test_a_clock_that_is_set_back_leaves_no_watch_without_a_provider(bench: Bench) -> None:
    """When they are looked for next goes by the clock, and so moves with it."""
    watch_id = await bench.register()
    bench.poller.configure({}, give_up_after_ms=HOUR_MS)
    await bench.poll()
    bench.clock.step(-24 * HOUR_MS)
    bench.poller.shift(-24 * HOUR_MS)
    await bench.store.shift_times(-24 * HOUR_MS)
    bench.clock.advance(2 * HOUR_MS)
    await bench.poll()
    assert (await bench.see(watch_id)).watch.state is WatchState.EXPIRED


@pytest.mark.fault(35)
@pytest.mark.parametrize("verb", ["claim_watches", "providers"], ids=["paused", "gone"])
async def test_a_clock_that_is_set_back_during_a_tick_ends_nothing_unasked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Whether a deadline has passed is seen by the clock as it is when it is looked for."""
    watches = []
    for number in range(4):
        watches.append(await bench.register(f"task-{number}"))
        bench.polls.add(bench.url_of(f"task-{number}"), DOWN)
    bench.clock.advance(2_500)
    await bench.poll()
    if verb == "providers":
        bench.poller.configure({}, give_up_after_ms=HOUR_MS)
    bench.clock.advance(HOUR_MS // 2)
    ask, steps = getattr(bench.store, verb), [-2 * HOUR_MS]

    async def ask_and_step(*args: Any, **kwargs: Any) -> Any:
        brought = await ask(*args, **kwargs)
        while steps:
            step_ms = steps.pop()
            bench.clock.step(step_ms)
            bench.poller.shift(step_ms)
            await bench.store.shift_times(step_ms)
        return brought

    monkeypatch.setattr(bench.store, verb, ask_and_step)
    await bench.poll()
    for watch_id in watches:
        watch = (await bench.see(watch_id)).watch
        assert watch.state is WatchState.WATCHING
        assert watch.due_at is not None
        assert watch.due_at <= bench.clock.now() + 66_000


async def test_an_answer_is_cleaned_of_the_key_that_asked(bench: Bench) -> None:
    """A reload with a new key while the request is out: the old one is what the answer may quote."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("completed", echo=KEY.reveal()))
    bench.clock.advance(2_500)
    await bench.poller.tick()
    bench.poller.configure(
        {"mulerouter": replace(PROVIDER, api_key=Secret("sk-mr-the-new-one"))}, give_up_after_ms=HOUR_MS
    )
    await bench.tasks.drain(60)
    event = (await bench.see(watch_id)).event
    assert event is not None
    assert KEY.reveal().encode() not in event.body


@pytest.mark.parametrize("step_ms", [2 * HOUR_MS, 20_000 * HOUR_MS, -2 * HOUR_MS])
async def test_a_clock_that_is_stepped_during_a_poll_expires_nothing(bench: Bench, step_ms: int) -> None:
    """The claimed watch moves with the clock: an hour of time left stays an hour."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("processing"))
    bench.clock.advance(2_500)
    await bench.poller.tick()
    bench.clock.step(step_ms)
    bench.poller.shift(step_ms)
    await bench.store.shift_times(step_ms)
    await bench.tasks.drain(60)
    watch = (await bench.see(watch_id)).watch
    assert watch.state is WatchState.WATCHING
    assert watch.due_at is not None
    assert 0 < watch.due_at - bench.clock.now() <= 66_000
    assert watch.expires_at - bench.clock.now() == HOUR_MS - 2_500


async def test_a_clock_that_is_stepped_while_a_claim_is_written_expires_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row was read before the step: it moves with the clock as one that was in our hands does."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("processing"))
    claim = bench.store.claim_watches

    async def claim_and_step(*args: Any, **kwargs: Any) -> ClaimedWatches:
        claimed = await claim(*args, **kwargs)
        bench.clock.step(2 * HOUR_MS)
        bench.poller.shift(2 * HOUR_MS)
        await bench.store.shift_times(2 * HOUR_MS)
        return claimed

    monkeypatch.setattr(bench.store, "claim_watches", claim_and_step)
    bench.clock.advance(2_500)
    await bench.poll()
    watch = (await bench.see(watch_id)).watch
    assert watch.state is WatchState.WATCHING
    assert watch.due_at is not None
    assert 0 < watch.due_at - bench.clock.now() <= 66_000


@pytest.mark.fault(14)
async def test_a_fault_of_ours_is_trouble_and_no_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in handling one answer: the watch says so, goes on by its rules, and no other is hurt."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("processing"))

    def crash(**_: object) -> Verdict:
        raise KeyError("planted")

    monkeypatch.setattr("notifier.engine.judging.judge_poll", lambda *_args, **more: crash(**more))
    bench.clock.advance(2_500)
    await bench.poll()
    watch = (await bench.see(watch_id)).watch
    assert watch.polls == 1
    assert watch.trouble is not None
    assert "internal error (KeyError)" in watch.trouble.cause.text()


async def test_poll_now_goes_before_the_whole_queue(bench: Bench) -> None:
    """Fifty are overdue and one may go: it is the one that somebody asked for."""
    watches = [await bench.register(f"task-{number}") for number in range(50)]
    for number in range(50):
        bench.polls.add(bench.url_of(f"task-{number}"), task("pending", f"task-{number}"))
    slow = replace(PROVIDER, max_in_flight=1)
    bench.poller.configure({"mulerouter": slow}, give_up_after_ms=HOUR_MS)
    bench.clock.advance(60_000)
    await bench.store.poll_now(watches[37], now=bench.clock.now())
    await bench.poll()
    assert [request.url for request in bench.polls.requests] == [bench.url_of("task-37")]


@pytest.mark.fault(51)
async def test_throttling_holds_back_the_whole_provider(bench: Bench) -> None:
    """After one 429 with Retry-After nothing is asked of that provider until then, then a single probe."""
    for number in range(5):
        await bench.register(f"task-{number}")
        bench.polls.add(
            bench.url_of(f"task-{number}"), HttpReply(429, {"retry-after": "30"}), task("pending")
        )
    bench.clock.advance(2_500)
    await bench.poll()
    asked = len(bench.polls.requests)
    for _ in range(29):
        bench.clock.advance(1_000)
        await bench.poll()
    assert len(bench.polls.requests) == asked
    bench.clock.advance(1_001)
    await bench.poll()
    assert len(bench.polls.requests) == asked + 1


@pytest.mark.fault(11, 52)
async def test_overdue_work_is_spread_under_the_rate(bench: Bench) -> None:
    """After a long stop everything is due; no second sees more polls than the rate allows."""
    for number in range(40):
        await bench.register(f"task-{number}")
        bench.polls.add(bench.url_of(f"task-{number}"), task("pending", f"task-{number}"))
    bench.poller.configure(
        {"mulerouter": replace(PROVIDER, max_rate_per_s=8.0)}, give_up_after_ms=72 * HOUR_MS
    )
    bench.clock.advance(HOUR_MS - 1)
    for _ in range(20):
        await bench.poll()
        bench.clock.advance(100)
    assert len(bench.polls.requests) <= 8 * 2 + 4


async def test_a_watch_is_polled_by_one_at_a_time(bench: Bench) -> None:
    """While a poll is under way its watch is claimed: a second tick leaves it alone."""
    await bench.register()
    bench.polls.add(bench.url_of(), task("pending"))
    bench.clock.advance(2_500)
    await bench.poller.tick()
    await bench.poller.tick()
    await bench.tasks.drain(60)
    assert len(bench.polls.requests) == 1


@pytest.mark.fault(91)
async def test_a_watch_stopped_while_it_is_asked_stays_stopped(bench: Bench) -> None:
    """After the answer to DELETE no event is made, whatever the provider says then."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("completed"))
    bench.clock.advance(2_500)
    await bench.poller.tick()
    await bench.store.stop_watch(watch_id, now=bench.clock.now())
    await bench.tasks.drain(60)
    detail = await bench.see(watch_id)
    assert detail.watch.state is WatchState.STOPPED
    assert detail.event is None
    assert detail.deliveries == ()


@pytest.mark.fault(20)
async def test_a_write_that_fails_is_made_good_after_the_lease(bench: Bench) -> None:
    """The outcome is not told before it is stored; the watch comes due again by its lease and ends then."""
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), task("completed"))
    bench.clock.advance(2_500)
    record_end = bench.store.record_end

    async def fail(*_args: object, **_more: object) -> bool:
        raise StoreUnavailable(DISK_FULL)

    bench.store.record_end = fail  # type: ignore[method-assign]
    await bench.poll()
    assert (await bench.see(watch_id)).watch.state is WatchState.WATCHING
    bench.store.record_end = record_end  # type: ignore[method-assign]
    bench.clock.advance(31_000)
    await bench.poll()
    assert (await bench.see(watch_id)).watch.state is WatchState.COMPLETED


@pytest.mark.fault(47, 48)
@pytest.mark.parametrize(
    ("is_proven", "from_ms", "until_ms"), [(True, 30_000, 60_000), (False, 150_000, 180_000)]
)
async def test_an_unknown_task_is_lost_after_three_answers_over_half_a_minute(
    bench: Bench, is_proven: bool, from_ms: int, until_ms: int
) -> None:
    """404 three times over 30 s, told within 60 s of the first.

    Within 3 min if it was never seen and nothing shows that its path works (CONTRACT, Names).
    """
    if is_proven:
        await bench.register("another")
        bench.polls.add(bench.url_of("another"), task("processing", "another"))
        bench.clock.advance(2_500)
        await bench.poll()
    watch_id = await bench.register()
    bench.polls.add(bench.url_of(), HttpReply(404, body=b'{"title": "Not Found"}'))
    bench.clock.advance(2_500)
    began = bench.clock.now()
    while (await bench.see(watch_id)).watch.state is WatchState.WATCHING:
        await bench.poll()
        bench.clock.advance(500)
    assert from_ms <= bench.clock.now() - began <= until_ms
    assert len([each for each in bench.polls.requests if each.url == bench.url_of()]) >= 3
    assert (await bench.see(watch_id)).watch.state is WatchState.LOST

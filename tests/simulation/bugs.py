"""Bugs that a daemon of this kind is apt to have, each as a switch: planted, the simulation must see it.

None of them lives in the package. A switch fails loudly when what it bends is no longer there.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from notifier.core.delivery import endpoint, judge_attempt
from notifier.core.delivery.backoff import decide_attempt
from notifier.core.delivery.decision import Delivered, GiveUp
from notifier.core.delivery.endpoint import AttemptAccepted, AttemptFailed, EndpointHealth, FailureScope
from notifier.core.delivery.request_headers import build_headers
from notifier.core.exchange import HttpReply
from notifier.core.model import Attempt, ClaimedDelivery, Event, WatchState
from notifier.core.polling import age_schedule, path_health, poll_choice, provider_reply
from notifier.core.polling.age_schedule import compute_interval_ms
from notifier.core.polling.evidence import PollEvidence, classify_verdict
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.verdict import Finished, Verdict
from notifier.daemon.daemon import Daemon
from notifier.engine import deliverer, judging, provider_monitor, unpolled_deadlines
from notifier.engine.deliverer import Deliverer
from notifier.engine.poller import Poller
from notifier.engine.provider_limiter import ProviderLimiter
from notifier.engine.provider_monitor import ProviderMonitor
from notifier.engine.unpolled_deadlines import UnpolledDeadlines
from notifier.errors import NotifierError
from notifier.store.sqlite import claiming, deliveries, endpoints, poll_claims, registration, watches
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.store import SqliteStore, write

Switch = Callable[[], AbstractContextManager[Any]]


@contextmanager
def two_transactions() -> Iterator[None]:
    """The end of a watch is committed, and its deliveries after that."""
    later: dict[str, Callable[[Any], None]] = {}

    def note(_transaction: Any, event: Event, *what: Any, **when: Any) -> None:
        later[event.id] = lambda transaction: deliveries.add_deliveries(transaction, event, *what, **when)

    def end_alone(*args: Any, **kwargs: Any) -> bool:
        with mock.patch.object(watches, "add_deliveries", note):
            return watches.record_end(*args, **kwargs)

    submit = write(end_alone)

    async def record_end(
        self: SqliteStore, watch: Any, lease: Any, end: Any, event: Event, **when: Any
    ) -> bool:
        kept = await submit(self, watch, lease, end, event, **when)
        if kept:
            await self._writer.submit(later.pop(event.id))
        return kept

    with mock.patch.object(SqliteStore, "record_end", record_end):
        yield


@contextmanager
def delivered_before_sent() -> Iterator[None]:
    """An attempt is written down as a success, and made after that."""

    async def deliver(self: Deliverer, dispatch: ClaimedDelivery, lease: Any, *_: int) -> None:
        now = self._clock.now()
        made = Attempt(dispatch.number, now, 0, 200, None, None)
        await self._store.record_attempt(dispatch, lease, made, Delivered(), AttemptAccepted(), now=now)
        try:
            await self._attempt(dispatch)
        finally:
            self._free_slot(dispatch)

    with mock.patch.object(Deliverer, "_deliver", deliver):
        yield


@contextmanager
def store_closed_first() -> Iterator[None]:
    """A stop closes the store, and lets what is under way end after that."""
    stop_parts = Daemon._stop_parts

    async def wrong_way_round(self: Daemon, *args: Any) -> None:
        await self._store.close()
        await stop_parts(self, *args)

    with mock.patch.object(Daemon, "_stop_parts", wrong_way_round):
        yield


@contextmanager
def no_mark() -> Iterator[None]:
    """An attempt that may be a repeat does not say so."""

    def unmarked(dispatch: ClaimedDelivery, *args: Any, **kwargs: Any) -> Mapping[str, str]:
        return build_headers(replace(dispatch, is_maybe_duplicate=False), *args, **kwargs)

    with mock.patch.object(deliverer, "build_headers", unmarked):
        yield


@contextmanager
def given_up_at_410() -> Iterator[None]:
    """An endpoint that says that it is gone costs its deliveries their life."""

    def decided(dispatch: ClaimedDelivery, report: Any, **kwargs: Any) -> Any:
        if isinstance(report, AttemptFailed) and report.scope is FailureScope.GONE:
            return GiveUp(f"given up: {report.cause.text()}")
        return decide_attempt(dispatch, report, **kwargs)

    with mock.patch.object(deliverer, "decide_attempt", decided):
        yield


@contextmanager
def sent_again_after_410() -> Iterator[None]:
    """An endpoint that says that it is gone is not parked."""
    original = endpoint.record_result

    def after(standing: EndpointHealth, report: Any, now: int, **kwargs: bool) -> EndpointHealth:
        if isinstance(report, AttemptFailed) and report.scope is FailureScope.GONE:
            return standing
        return original(standing, report, now, **kwargs)

    with mock.patch.object(deliveries, "record_result", after):
        yield


@contextmanager
def refusal_is_failure() -> Iterator[None]:
    """An answer that refuses a poll, 400 to 403, is told as the task's failure."""

    def judged(exchange: Any, **kwargs: Any) -> Any:
        if isinstance(exchange, HttpReply) and 400 <= exchange.status <= 403:
            return Finished(WatchState.FAILED, "failed", (), None, "{}")
        return judge_poll(exchange, **kwargs)

    with mock.patch.object(judging, "judge_poll", judged):
        yield


@contextmanager
def one_breaker_for_all() -> Iterator[None]:
    """Whatever a path fails with blocks the provider."""

    def blamed(verdict: Verdict) -> PollEvidence:
        evidence = classify_verdict(verdict)
        return PollEvidence.PROVIDER if evidence is PollEvidence.PATH else evidence

    with (
        mock.patch.object(provider_monitor, "classify_verdict", blamed),
        mock.patch.object(ProviderMonitor, "_has_working_path", return_value=False),
    ):
        yield


@contextmanager
def probed_by_age_alone() -> Iterator[None]:
    """The probe of a blocked path is what is due longest, whether it ever failed or not."""
    by_age = "ORDER BY due_at, failures"
    held = {**SQL, "held_places": SQL["held_places"].replace("ORDER BY failures, due_at", by_age)}
    with (
        mock.patch.object(path_health, "permits_fresh_probe", return_value=False),
        mock.patch.object(poll_claims, "SQL", held),
        mock.patch.object(poll_choice, "_order_probes", lambda watch, _rules: (0, 0, watch.due_at)),
    ):
        yield


@contextmanager
def ended_unasked() -> Iterator[None]:
    """While a path is blocked, everything of its provider ends at its deadline, without a last poll."""
    serve = Poller._serve

    async def end_first(self: Poller, limiter: ProviderLimiter) -> int:
        await expire(self._deadlines, limiter.monitor)
        return await serve(self, limiter)

    async def expire(self: UnpolledDeadlines, monitor: ProviderMonitor) -> None:
        blocked = monitor.list_blocked()
        if blocked:
            why = next(iter(blocked.values())).condition
            await self._expire_all(monitor.provider, lambda _: why, deadline_from=0)

    with (
        mock.patch.object(Poller, "_serve", end_first),
        mock.patch.object(unpolled_deadlines, "LATE_MS", 0),
    ):
        yield


@contextmanager
def in_flight_forgotten() -> Iterator[None]:
    """What is on its way to an origin already does not count."""
    claim = SqliteStore.claim_deliveries

    async def claim_more(self: SqliteStore, **kwargs: Any) -> Any:
        return await claim(self, **{**kwargs, "busy": {}})

    with mock.patch.object(SqliteStore, "claim_deliveries", claim_more):
        yield


@contextmanager
def answered_before_commit() -> Iterator[None]:
    """A registration is answered from a transaction that is undone, and written soon after."""
    original = SqliteStore.add_watches

    async def add(self: SqliteStore, *args: Any, **kwargs: Any) -> Any:
        class Undone(Exception):
            pass

        answers: list[Any] = []

        def work(transaction: Any) -> None:
            answers[:] = registration.add_watches(transaction, args[0], **kwargs)
            raise Undone

        with contextlib.suppress(Undone):
            await self._writer.submit(work)
        later = asyncio.ensure_future(_late(lambda: original(self, *args, **kwargs)))
        later.add_done_callback(lambda _: None)
        return answers

    with mock.patch.object(SqliteStore, "add_watches", add):
        yield


_GUARD = """AND state IN (SELECT value FROM json_each(:from_states))
  AND owner = :owner AND round = :round AND polls = :polls"""


async def _late(work: Callable[[], Awaitable[object]]) -> None:
    with contextlib.suppress(NotifierError):
        await asyncio.sleep(0.2)
        await work()


def _interval_without_memory(*args: Any, **kwargs: Any) -> int:
    return compute_interval_ms(*args, **{**kwargs, "last_interval_ms": 0})


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _in_module(module: Any, name: str, value: Any) -> Switch:
    return lambda: mock.patch.object(module, name, value)


def _in_sql(module: Any, name: str, was: str, becomes: str) -> Switch:
    assert was in SQL[name], f"the statement {name} no longer holds {was!r}"
    return lambda: mock.patch.object(module, "SQL", {**SQL, name: SQL[name].replace(was, becomes)})


@dataclass(frozen=True, slots=True)
class Bug:
    """A switch, and the promises by which the bug may first be seen.

    ``is_partial``: it shows where a part of a provider is down.
    """

    planted: Switch
    rules: tuple[str, ...]
    is_partial: bool = False


PARTS, UNASKED = "P5 isolated parts", "P5 unasked"
LOSS, RETURN, AGREES = "P1 no loss", "P7 it comes back", "the store agrees with itself"
TRUTH, REPEATS, CLAIM = "P4 the provider's word", "P3 repeats", "claim before send"

BUGS: Mapping[str, Bug] = {
    "two transactions instead of one": Bug(two_transactions, (LOSS, AGREES)),
    "claim without a lease": Bug(
        _in_sql(claiming, "claim_deliveries", "WHERE seq IN", "WHERE 0 AND seq IN"), (CLAIM,)
    ),
    "delivered before it is sent": Bug(delivered_before_sent, (CLAIM,)),
    "intervals shrink": Bug(
        _in_module(age_schedule, "compute_interval_ms", _interval_without_memory), ("pace",)
    ),
    "given up at 410": Bug(given_up_at_410, ("410",)),
    "sent again after 410": Bug(sent_again_after_410, ("410",)),
    "no wake-up after the gate opens": Bug(
        _in_module(deliveries, "enqueue", _nothing), (AGREES, RETURN, "P5 isolated")
    ),
    "no guard on the second outcome": Bug(
        _in_sql(watches, "record_end", _GUARD, ""), ("stop", "first outcome wins", "no fault of ours")
    ),
    "store closed before the work ends": Bug(store_closed_first, ("stop order",)),
    "no maybe-duplicate": Bug(no_mark, (REPEATS,)),
    "order by age alone": Bug(
        _in_sql(claiming, "due_deliveries", "ORDER BY urgency, due_at", "ORDER BY due_at"), ("order",)
    ),
    "key not redacted": Bug(_in_module(provider_reply, "redact_json", lambda raw, _key: raw), ("P6 keys",)),
    "no bound per origin": Bug(in_flight_forgotten, ("P5 bounded",)),
    "one breaker for all": Bug(one_breaker_for_all, (PARTS, UNASKED, RETURN), is_partial=True),
    "probe by age alone": Bug(probed_by_age_alone, (PARTS, UNASKED, RETURN), is_partial=True),
    "ended unasked": Bug(ended_unasked, (UNASKED,), is_partial=True),
    "a refused poll is a failed task": Bug(refusal_is_failure, (TRUTH,)),
    "a stepped clock is believed": Bug(
        _in_module(SqliteStore, "shift_times", write(_nothing)), (TRUTH, RETURN, "order")
    ),
    "a paused endpoint is sent to": Bug(
        _in_module(endpoints, "suspend", lambda standing: standing), ("pause",)
    ),
    "claims never lapse": Bug(
        _in_sql(claiming, "release_expired_claims", "WHERE leased_until <= :now", "WHERE 0"), (RETURN,)
    ),
    "a neighbour is probed as seldom as the internet": Bug(
        _in_module(judge_attempt, "is_public", lambda _url, _peer: True), (RETURN,)
    ),
    "answered before it is on disk": Bug(answered_before_commit, (LOSS, TRUTH, "no fault of ours")),
}

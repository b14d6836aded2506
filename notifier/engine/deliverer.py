"""Send due deliveries: claim, build, post, judge, decide, record."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from notifier.config.model import CallbackSettings
from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.delivery.backoff import decide_attempt
from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import (
    MAX_PRIVATE_PROBE_MS,
    AttemptFailed,
    AttemptResult,
    FailureScope,
    describe_gate,
    find_hold_cause,
)
from notifier.core.delivery.judge_attempt import classify_failure, judge_attempt
from notifier.core.delivery.request_headers import build_headers
from notifier.core.delivery.slots import SlotUsage
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.content_encoding import InvalidEncoding, foreign_encodings, unpack_body
from notifier.core.formats.traceparent import SPAN_BITS, child_traceparent
from notifier.core.formats.urls import url_to_origin
from notifier.core.model import Attempt, ClaimedDelivery, SlotClass
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.origin_rates import OriginRates
from notifier.errors import StoreClosed, StoreUnavailable
from notifier.ports import NO_METER, Clock, HttpClient, Meter
from notifier.store.protocol import Store
from notifier.store.values import MAX_CLAIMED_BYTES, AttemptRecorded, Lease, count_body_bytes

IDLE_MS = 1_000  # until a tick without a due row; no record of why; changing it needs a measurement
LEASE_MARGIN_MS = 15_000  # beyond the timeout: RECORD_RETRIES with their pauses fit in
RECORD_RETRIES = 12  # all fit into LEASE_MARGIN_MS (tests/engine/test_deliverer.py)
RECORD_PAUSE_S = 1.0  # between two retries; as above
MAX_ANSWER_BYTES = 4_096  # CONTRACT, HTTP: the first 4 KiB of a refused answer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The outcome of one attempt: when it began, its exchange, and what that means."""

    began_at: int
    exchange: Exchange
    report: AttemptResult


class Deliverer:
    """Sends due deliveries. ``run_at`` requests a tick earlier than the last one returned."""

    def __init__(
        self,
        *,
        store: Store,
        http_client: HttpClient,
        clock: Clock,
        rng: random.Random,
        owner: str,
        tasks: BackgroundTasks,
        run_at: Callable[[int], None],
        settings: CallbackSettings,
        meter: Meter = NO_METER,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.http_client = http_client
        self.settings = settings
        self._store = store
        self._clock = clock
        self._rng = rng
        self._owner = owner
        self._tasks = tasks
        self._run_at = run_at
        self._meter = meter
        self._sleep = sleep
        self._busy: Counter[str] = Counter()
        self._in_flight: dict[SlotClass, Counter[str]] = {each: Counter() for each in SlotClass}
        self._rates = OriginRates()
        self._bytes = 0
        self._shifted_ms = 0
        self.ticked_at = clock.monotonic()

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self._shifted_ms += delta_ms

    async def tick(self) -> int:
        """Start due deliveries that have a free connection. Return when to tick next."""
        now = self._clock.now()
        settings = self.settings
        room = settings.max_in_flight - self._busy.total()
        if room <= 0:
            self.ticked_at = self._clock.monotonic()
            return now + IDLE_MS
        lease = Lease(self._owner, now + settings.timeout_ms + LEASE_MARGIN_MS)
        shifted_ms = self._shifted_ms  # a later step moves the claimed rows after they were read
        claimed = await self._store.claim_deliveries(
            now=now,
            limit=room,
            lease=lease,
            busy=self._busy,
            per_origin=settings.max_in_flight_per_origin,
            slots=SlotUsage(
                settings.max_in_flight,
                {each: tuple(origins.elements()) for each, origins in self._in_flight.items()},
            ),
            rates=self._rates.allow(settings.max_rate_per_origin_s, self._clock.monotonic()),
            max_bytes=MAX_CLAIMED_BYTES - self._bytes,
        )
        self.ticked_at = self._clock.monotonic()
        for delivery in claimed.deliveries:
            self._take_slot(delivery)
            self._tasks.start(
                self._deliver(delivery, lease, shifted_ms), name=f"deliver {delivery.delivery_id}"
            )
        idle_ms = min(IDLE_MS, self._rates.find_next_ms(settings.max_rate_per_origin_s) or IDLE_MS)
        idle_until = self._clock.now() + idle_ms  # again, because the clock may have been set back meanwhile
        if claimed.next_due_at is None or claimed.lacks_memory:  # a request that ends requests a tick
            return idle_until
        return min(claimed.next_due_at, idle_until)

    async def _deliver(self, delivery: ClaimedDelivery, lease: Lease, shifted_ms: int) -> None:
        try:
            outcome = await self._attempt(delivery)
        finally:
            self._free_slot(delivery)
        await self._record(delivery, lease, outcome, shifted_ms)

    async def _attempt(self, delivery: ClaimedDelivery) -> AttemptOutcome:
        """Send and judge. An exception of ours counts against the event, so that its schedule continues."""
        began_at = self._clock.now()
        try:
            return await self._send(delivery, began_at)
        except Exception as error:
            log.exception("attempt.crashed", delivery=delivery.delivery_id)
            cause = Cause(Code.INTERNAL_ERROR, {"type": type(error).__name__})
            report = AttemptFailed(FailureScope.EVENT, cause, None, MAX_PRIVATE_PROBE_MS)
            return AttemptOutcome(began_at, NoReply(FailureKind.PROTOCOL, cause.text()), report)

    async def _send(self, delivery: ClaimedDelivery, began_at: int) -> AttemptOutcome:
        secrets = self.settings.find_secrets(delivery.url)
        headers = build_headers(
            delivery,
            secrets,
            now=began_at,
            traceparent=self._trace(delivery),
            of_endpoint=self.settings.find_headers(delivery.url),
        )
        exchange = await self.http_client.post(
            delivery.url, headers, delivery.body, timeout_ms=self.settings.timeout_ms
        )
        report = judge_attempt(exchange, url=delivery.url, now=self._clock.now())
        return AttemptOutcome(began_at, exchange, report)

    def _trace(self, delivery: ClaimedDelivery) -> str | None:
        if delivery.traceparent is None:
            return None
        return child_traceparent(delivery.traceparent, self._rng.getrandbits(SPAN_BITS))

    async def _record(
        self, delivery: ClaimedDelivery, lease: Lease, outcome: AttemptOutcome, shifted_ms: int
    ) -> None:
        """Record an attempt. While the store refuses writes, retry as long as the lease lasts.

        Each retry decides anew, because the clock may have been stepped since the last. A delivery whose
        attempt is never recorded is sent again after the lease, marked maybe-duplicate.
        """
        ended_at = self._clock.now() - (self._shifted_ms - shifted_ms)  # by the clock of the claim
        for tries_left in reversed(range(RECORD_RETRIES)):
            stepped_ms = self._shifted_ms - shifted_ms
            shifted = replace(delivery, give_up_at=delivery.give_up_at + stepped_ms)
            try:
                await self._record_once(shifted, lease, outcome, now=ended_at + stepped_ms)
            except StoreUnavailable as error:
                if not tries_left or isinstance(error, StoreClosed):
                    log.warning("delivery.not_recorded", delivery=delivery.delivery_id, **error.log_fields())
                    return
                await self._sleep(RECORD_PAUSE_S)
            else:
                return

    async def _record_once(
        self, delivery: ClaimedDelivery, lease: Lease, outcome: AttemptOutcome, *, now: int
    ) -> None:
        decision = decide_attempt(delivery, outcome.report, now=now, jitter=self._rng.random())
        attempt = _outcome_to_attempt(delivery, outcome)
        recording = self._store.record_attempt(delivery, lease, attempt, decision, outcome.report, now=now)
        if (recorded := await recording) is not None:
            _log_attempt(delivery, attempt, decision, outcome.report)
            _log_gate(delivery, recorded)
            self._meter.record_attempt(delivery, attempt, decision, now=now)
            if isinstance(decision, Retry):
                self._run_at(decision.due_at)

    def _take_slot(self, delivery: ClaimedDelivery) -> None:
        origin = url_to_origin(delivery.url)
        self._bytes += count_body_bytes(delivery)
        self._busy[origin] += 1
        self._in_flight[delivery.slot_class][origin] += 1
        self._rates.record_start(origin, self.settings.max_rate_per_origin_s)

    def _free_slot(self, delivery: ClaimedDelivery) -> None:
        """Free the slot for the next delivery. Its claim follows our record, often in the same commit."""
        origin = url_to_origin(delivery.url)
        self._bytes -= count_body_bytes(delivery)
        for counter in (self._busy, self._in_flight[delivery.slot_class]):
            counter[origin] -= 1
            if counter[origin] <= 0:
                del counter[origin]
        self._run_at(self._clock.now())


def _body_to_text(reply: HttpReply) -> str:
    """Return the beginning of a body as text; empty if it is compressed in an unknown way."""
    encoding = reply.headers.get("content-encoding", "")
    try:
        body, _ = unpack_body(reply.body, encoding, MAX_ANSWER_BYTES)
    except InvalidEncoding:
        return ""
    is_packed = body is reply.body and bool(foreign_encodings(encoding))
    return "" if is_packed else body[:MAX_ANSWER_BYTES].decode("utf-8", "replace")


def _outcome_to_attempt(delivery: ClaimedDelivery, outcome: AttemptOutcome) -> Attempt:
    """Make the record of an attempt. It has the body of the reply, cut, only if the attempt failed."""
    exchange = outcome.exchange
    reply = exchange if isinstance(exchange, HttpReply) else None
    refusal = outcome.report.cause.text() if isinstance(outcome.report, AttemptFailed) else None
    answer = _body_to_text(reply) if reply and refusal else ""
    return Attempt(
        number=delivery.number,
        at=outcome.began_at,
        duration_ms=exchange.elapsed_ms,
        status=reply.status if reply else None,
        error=refusal,
        answer=answer or None,
        failure=classify_failure(exchange),
        peer=exchange.peer,
        connect_ms=exchange.connect_ms,
        first_byte_ms=reply.first_byte_ms if reply else None,
    )


def _log_attempt(
    delivery: ClaimedDelivery, attempt: Attempt, decision: AttemptDecision, report: AttemptResult
) -> None:
    """Log each change of state, but no retry."""
    fields = {
        "delivery": delivery.delivery_id,
        "watch": delivery.watch_id,
        "event_id": delivery.event_id,
        "receiver": url_to_origin(delivery.url),  # without the path, which may contain a secret
        "attempt": attempt.number,
    }
    code = report.cause.code if isinstance(report, AttemptFailed) else None
    match decision:
        case Delivered():
            log.info("delivery.delivered", **fields, status=attempt.status)
        case GiveUp(reason=reason):
            log.error("delivery.dead", **fields, reason=reason, code=code)
        case Retry() if attempt.number == 1:
            log.warning("delivery.failing", **fields, error=attempt.error, code=code)
        case Retry():
            log.debug("delivery.retry", **fields, error=attempt.error, code=code)


def _log_gate(delivery: ClaimedDelivery, recorded: AttemptRecorded) -> None:
    """Log when the breaker of an endpoint begins to block, and when it allows again."""
    if recorded.new_health is None:
        return
    gate, cause = describe_gate(recorded.new_health), find_hold_cause(recorded.new_health)
    fields = {"endpoint": recorded.endpoint_id, "receiver": url_to_origin(delivery.url), "gate": gate}
    if cause is None:
        log.info("endpoint.opened", **fields)
    else:
        fix = "`notifier endpoints` has its URL; `notifier test-callback URL` says what is wrong"
        log.warning("endpoint.closed", **fields, code=cause.code, fix=fix)

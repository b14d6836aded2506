"""Poll due watches: claim, fetch, judge, decide, record."""

import random
from collections.abc import Callable, Mapping

import structlog

from notifier.byte_budget import ByteHold
from notifier.config.model import ProviderSettings
from notifier.core.causes.cause import Cause, Condition, ProviderSubject
from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import Permit
from notifier.core.event_body import DEFAULT_MAX_PAYLOAD, build_event
from notifier.core.exchange import Exchange
from notifier.core.formats.traceparent import SPAN_BITS, TRACEPARENT, child_traceparent
from notifier.core.formats.urls import build_task_url
from notifier.core.ids import ENTROPY_BITS, EVENT, new_id
from notifier.core.model import Watch, shift_watch
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import LATE_MS, OVERDUE_GRACE_MS, decide_poll
from notifier.core.polling.decision import EndWatch, PollAgain, PollDecision
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.polling.provider import build_poll_headers
from notifier.core.polling.verdict import NotPolled, Verdict, error_to_verdict
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.claimed_watch import ClaimedWatch
from notifier.engine.judging import ReplyJudge
from notifier.engine.provider_limiter import ProviderLimiter
from notifier.engine.waiters import WatchWaiters
from notifier.errors import StoreUnavailable
from notifier.ports import NO_METER, Clock, HttpClient, Meter
from notifier.store.protocol import Store
from notifier.store.values import Lease

IDLE_MS = 1_000  # until a tick without a due row; no record of why; changing it needs a measurement
LEASE_MARGIN_MS = 15_000  # to record after the timeout; no record of why; changing it needs a measurement
EXPIRE_BATCH = 256  # CONTRACT P5: bounded; no record of why; changing it needs a measurement
ORPHAN_INTERVAL_MS = 60_000  # no record of why; changing it needs a measurement

log = structlog.get_logger()


class Poller:
    """Polls due watches.

    ``run_at`` requests a tick earlier than the last one returned. ``deliver`` is called after an outcome was
    recorded.
    """

    def __init__(
        self,
        *,
        store: Store,
        http_client: HttpClient,
        clock: Clock,
        rng: random.Random,
        owner: str,
        waiters: WatchWaiters,
        tasks: BackgroundTasks,
        run_at: Callable[[int], None],
        deliver: Callable[[], None],
        meter: Meter = NO_METER,
        judge: ReplyJudge | None = None,
    ) -> None:
        self.http_client = http_client
        self._store = store
        self._clock = clock
        self._rng = rng
        self._owner = owner
        self._waiters = waiters
        self._tasks = tasks
        self._run_at = run_at
        self._deliver = deliver
        self._meter = meter
        self._judge = judge or ReplyJudge()
        self._limiters: dict[str, ProviderLimiter] = {}
        self._waiting_for_room: set[str] = set()
        self._shifted_ms = 0
        self._since = clock.now()
        self._orphans_at = 0
        self._give_up_after_ms = 0
        self._max_payload = DEFAULT_MAX_PAYLOAD
        self.ticked_at = clock.monotonic()

    def configure(
        self,
        providers: Mapping[str, ProviderSettings],
        *,
        give_up_after_ms: int,
        max_payload: int = DEFAULT_MAX_PAYLOAD,
    ) -> None:
        """Use these settings from now on. Requests in flight end with the old ones."""
        now = self._clock.now()
        self._give_up_after_ms = give_up_after_ms
        self._max_payload = max_payload
        limiters = {name: limiter for name, limiter in self._limiters.items() if name in providers}
        for name, provider in providers.items():
            if name in limiters:
                limiters[name].configure(provider)
            else:
                limiters[name] = ProviderLimiter(provider, now)
        self._limiters = limiters

    def condition_of(self, provider: str) -> Condition | None:
        """Return why a provider is held back; None if it is not."""
        limiter = self._limiters.get(provider)
        return Condition(Cause(Code.PROVIDER_NOT_CONFIGURED)) if limiter is None else limiter.condition

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self._shifted_ms += delta_ms
        self._since += delta_ms
        self._orphans_at += delta_ms
        for limiter in self._limiters.values():
            limiter.shift(delta_ms)

    async def tick(self) -> int:
        """Start the polls that are due and allowed. Return when to tick next."""
        await self._expire_orphans()
        next_ticks = [await self._serve(limiter) for limiter in list(self._limiters.values())]
        self.ticked_at = self._clock.monotonic()
        return min([*next_ticks, self._clock.now() + IDLE_MS])

    async def _serve(self, limiter: ProviderLimiter) -> int:
        now = self._clock.now()
        name = limiter.provider.name
        self._waiting_for_room.discard(name)
        match limiter.permit(now):
            case Permit.ALLOW:
                room = limiter.count_free_slots(now)
                if room == 0:
                    return self._wait_for_room(limiter, now)
                return await self._claim(limiter, now, room, is_probe=False)
            case Permit.PROBE:
                next_at = await self._claim(limiter, now, 1, is_probe=True)
                await self._expire(limiter)
                return next_at
            case Permit.BLOCK:
                await self._expire(limiter)
                return limiter.gate.probe_at

    def _wait_for_room(self, limiter: ProviderLimiter, now: int) -> int:
        """Return when to claim again. A request that ends requests a tick if its slot is needed."""
        self._waiting_for_room.add(limiter.provider.name)
        return limiter.find_next_start(now) or now + IDLE_MS

    async def _claim(self, limiter: ProviderLimiter, now: int, room: int, *, is_probe: bool) -> int:
        lease = Lease(self._owner, now + limiter.provider.polling.request_timeout_ms + LEASE_MARGIN_MS)
        shifted_ms = self._shifted_ms
        claimed = await self._store.claim_watches(limiter.provider.name, now=now, limit=room, lease=lease)
        if claimed.watches:
            limiter.record_start(len(claimed.watches), now, is_probe=is_probe)
        for watch in claimed.watches:
            durations = claimed.durations.get(watch.api_path)
            claim = self._make_claim(
                watch, lease, limiter, shifted_ms, is_probe=is_probe, durations=durations
            )
            self._tasks.start(self._poll(claim), name=f"poll {watch.id}")
        if is_probe:
            return limiter.gate.probe_at if claimed.watches else now + IDLE_MS
        if len(claimed.watches) == room:
            return self._wait_for_room(limiter, now)
        return now + IDLE_MS if claimed.next_due_at is None else claimed.next_due_at

    def _make_claim(
        self,
        watch: Watch,
        lease: Lease,
        limiter: ProviderLimiter,
        shifted_ms: int,
        *,
        is_probe: bool,
        durations: TaskDurations | None = None,
    ) -> ClaimedWatch:
        """Make the claim of a watch. A clock step since the claim moved the row after it was read."""
        claimed_at = self._clock.now() - (self._shifted_ms - shifted_ms)
        return ClaimedWatch(
            watch, lease, limiter, limiter.provider, claimed_at, shifted_ms, is_probe, durations
        )

    async def _expire(self, limiter: ProviderLimiter) -> None:
        """End watches that reach their deadline while the provider is paused.

        A watch that was past it when the pause began (after a stop of the daemon) may have finished
        meanwhile. So it is polled first, unless the pause lasts.
        """
        closed_at, condition = limiter.gate.since, limiter.condition
        if closed_at is not None and condition is not None:
            deadline_from = 0 if self._clock.now() - closed_at >= OVERDUE_GRACE_MS else closed_at
            await self._expire_all(limiter, condition, deadline_from)

    async def _expire_orphans(self) -> None:
        """End watches past their deadline whose provider is no longer configured."""
        now = self._clock.now()
        if now < self._orphans_at:
            return
        self._orphans_at = now + ORPHAN_INTERVAL_MS
        for name in await self._store.providers():
            if name not in self._limiters:
                limiter = ProviderLimiter(ProviderSettings(name=name), now)
                ended = await self._expire_all(limiter, Condition(Cause(Code.PROVIDER_REMOVED)), 0)
                if ended == EXPIRE_BATCH:  # there may be more
                    self._orphans_at = self._clock.now()

    async def _expire_all(self, limiter: ProviderLimiter, why: Condition, deadline_from: int) -> int:
        """Start to end a batch of watches past their deadline. Return their number."""
        now = self._clock.now()  # again, because the caller has awaited, and the clock may have been set back
        lease, shifted_ms = Lease(self._owner, now + LEASE_MARGIN_MS), self._shifted_ms
        claimed = await self._store.claim_watches(
            limiter.provider.name,
            now=now - LATE_MS,
            limit=EXPIRE_BATCH,
            lease=lease,
            deadline_from=deadline_from,
        )
        for watch in claimed.watches:
            claim = self._make_claim(watch, lease, limiter, shifted_ms, is_probe=False)
            self._tasks.start(self._settle(claim, NotPolled(why)), name=f"expire {watch.id}")
        return len(claimed.watches)

    async def _poll(self, claimed: ClaimedWatch) -> None:
        verdict: Verdict | None = None
        with self._judge.hold() as memory:
            try:
                verdict = await self._fetch_verdict(claimed, memory)
            finally:
                self._free_slot(claimed, verdict)
            due_at = claimed.watch.due_at or claimed.claimed_at
            self._meter.record_poll(claimed.watch, verdict, late_ms=claimed.claimed_at - due_at)
            await self._settle(claimed, verdict)

    async def _fetch_verdict(self, claimed: ClaimedWatch, memory: ByteHold) -> Verdict:
        """Fetch and judge. An exception of ours is logged. It does not end the watch; polling continues."""
        task_id, provider = claimed.watch.task_id, claimed.provider
        try:
            exchange = await self._fetch(claimed, memory)
            return await self._judge.judge(
                exchange, memory, task_id=task_id, provider=provider, now=self._clock.now()
            )
        except Exception as error:
            log.exception("poll.crashed", watch=claimed.watch.id, task=task_id)
            return error_to_verdict(error)

    async def _fetch(self, claimed: ClaimedWatch, memory: ByteHold) -> Exchange:
        watch, provider, description = claimed.watch, claimed.provider, claimed.provider.description
        url = build_task_url(provider.base_url, description.task_path, watch.api_path, watch.task_id)
        headers = dict(build_poll_headers(description, provider.api_key))
        if watch.traceparent is not None:
            headers[TRACEPARENT] = child_traceparent(watch.traceparent, self._rng.getrandbits(SPAN_BITS))
        timeout_ms, max_body = provider.polling.request_timeout_ms, description.max_body
        return await self.http_client.get(
            url, headers, timeout_ms=timeout_ms, max_body=max_body, memory=memory
        )

    async def _settle(self, claimed: ClaimedWatch, verdict: Verdict) -> None:
        decision = self._decide(claimed, verdict)
        try:
            match decision:
                case PollAgain():
                    await self._record_wait(claimed, decision)
                case EndWatch():
                    await self._record_end(claimed, verdict, decision)
        except StoreUnavailable as error:
            # Nothing was recorded. The watch is polled again after its lease.
            log.warning("watch.not_recorded", watch=claimed.watch.id, **error.log_fields())

    def _decide(self, claimed: ClaimedWatch, verdict: Verdict) -> PollDecision:
        provider, polling = claimed.provider, claimed.provider.polling
        stepped_ms = self._shifted_ms - claimed.shifted_ms
        return decide_poll(
            shift_watch(claimed.watch, stepped_ms, since=self._since - stepped_ms),
            verdict,
            schedule=AgeSchedule(polling.min_interval_ms, polling.max_interval_ms, polling.growth),
            result_ttl_ms=provider.result_ttl_ms,
            now=self._clock.now(),
            jitter=self._rng.random(),
            poll_started_at=claimed.claimed_at + stepped_ms,
            durations=claimed.durations if polling.learn else None,
        )

    async def _record_wait(self, claimed: ClaimedWatch, wait: PollAgain) -> None:
        watch, now = claimed.watch, self._clock.now()
        if not await self._store.record_wait(watch, claimed.lease, wait, now=now):
            return
        before, cause = (each.cause if each else None for each in (watch.trouble, wait.trouble))
        if cause is not None and before != cause:
            fields = {"trouble": cause.text(), "code": cause.code}
            log.warning("watch.troubled", watch=watch.id, task=watch.task_id, **fields)
        if before is not None and cause is None:
            log.info("watch.recovered", watch=watch.id, task=watch.task_id)
        self._run_at(wait.due_at)

    async def _record_end(self, claimed: ClaimedWatch, verdict: Verdict, end: EndWatch) -> None:
        watch, now = claimed.watch, self._clock.now()
        event_id = new_id(EVENT, now, self._rng.getrandbits(ENTROPY_BITS))
        event = build_event(watch, end, event_id=event_id, now=now, max_payload=self._max_payload)
        give_up_at = now + self._give_up_after_ms
        if await self._store.record_end(watch, claimed.lease, end, event, now=now, give_up_at=give_up_at):
            ids = {"watch": watch.id, "task": watch.task_id, "event_id": event.id}
            log.info("watch.ended", **ids, state=str(end.state))
            self._meter.record_end(watch, verdict, end, now=now)
            self._waiters.wake(watch.id)
            self._deliver()

    def _free_slot(self, claimed: ClaimedWatch, verdict: Verdict | None) -> None:
        limiter, now = claimed.limiter, self._clock.now()
        before = limiter.condition
        limiter.record_end(verdict, now, is_probe=claimed.is_probe)
        if before is None and (condition := limiter.condition) is not None:
            name, text, cause = limiter.provider.name, condition.text(), condition.cause
            fix = cause.fix(ProviderSubject(name))
            log.warning("provider.paused", provider=name, condition=text, code=cause.code, fix=fix)
        if before is not None and limiter.condition is None:
            log.info("provider.resumed", provider=limiter.provider.name)
            self._run_at(now)
        if limiter.provider.name in self._waiting_for_room:
            self._run_at(now)

"""One poll of a claimed watch: fetch, judge, decide, record."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from notifier.byte_budget import ByteHold
from notifier.config.model import ProviderSettings
from notifier.core.event_body import DEFAULT_MAX_PAYLOAD, build_event
from notifier.core.ids import ENTROPY_BITS, EVENT, new_id
from notifier.core.model import Watch, shift_watch
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import LOST_MIN_MS, decide_poll
from notifier.core.polling.decision import EndWatch, PollAgain, PollDecision
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.polling.verdict import NotPolled, Verdict, error_to_verdict
from notifier.engine.judging import ReplyJudge
from notifier.engine.task_reader import TaskReader
from notifier.engine.waiters import WatchWaiters
from notifier.errors import StoreUnavailable
from notifier.ports import Clock, HttpClient, Meter
from notifier.store.protocol import Store
from notifier.store.values import Lease

LEASE_MARGIN_MS = 15_000  # to record after the timeout; no record of why; changing it needs a measurement

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClaimedWatch:
    """A claimed watch with its lease.

    ``provider`` has the settings at the claim, because the reply must be cleaned of the key that was sent,
    even after a reload. ``shifted_ms`` is the sum of clock steps before the claim. The row and ``claimed_at``
    are by the clock of that time.
    """

    watch: Watch
    lease: Lease
    provider: ProviderSettings
    claimed_at: int
    shifted_ms: int
    durations: TaskDurations | None = None


class PollRunner:
    """Takes a claimed watch through its poll. ``deliver`` is called when an outcome has been written.

    ``run_at`` is called with the instant at which the watch is due again.
    """

    def __init__(
        self,
        *,
        store: Store,
        http_client: HttpClient,
        clock: Clock,
        rng: random.Random,
        waiters: WatchWaiters,
        run_at: Callable[[int], None],
        deliver: Callable[[], None],
        meter: Meter,
        judge: ReplyJudge,
    ) -> None:
        self.http_client = http_client
        self.meter = meter
        self.max_payload = DEFAULT_MAX_PAYLOAD
        self.give_up_after_ms = 0
        self.shifted_ms = 0
        self._store = store
        self._clock = clock
        self._rng = rng
        self._waiters = waiters
        self._run_at = run_at
        self._deliver = deliver
        self._reader = TaskReader(store=store, clock=clock, rng=rng, judge=judge)
        self._since = clock.now()

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self.shifted_ms += delta_ms
        self._since += delta_ms

    def make_claim(
        self,
        watch: Watch,
        lease: Lease,
        provider: ProviderSettings,
        shifted_ms: int,
        durations: TaskDurations | None = None,
    ) -> ClaimedWatch:
        """Make a claim of what the store returned; a clock step meanwhile is not in it."""
        claimed_at = self._clock.now() - (self.shifted_ms - shifted_ms)
        return ClaimedWatch(watch, lease, provider, claimed_at, shifted_ms, durations)

    async def fetch_verdict(self, claimed: ClaimedWatch, memory: ByteHold) -> Verdict:
        """Fetch and judge. An exception of ours is logged. It does not end the watch; polling continues."""
        try:
            return await self._reader.read(self.http_client, claimed.watch, claimed.provider, memory)
        except Exception as error:
            log.exception("poll.crashed", watch=claimed.watch.id, task=claimed.watch.task_id)
            return error_to_verdict(error)

    async def end_unpolled(self, claimed: ClaimedWatch, verdict: NotPolled) -> None:
        """End a watch at its deadline without a poll. A task that has completed ends as completed."""
        try:
            end = await self._reader.find_end(claimed.watch, verdict)
        except StoreUnavailable as error:
            log.warning("watch.not_recorded", watch=claimed.watch.id, **error.log_fields())
            return
        await self.settle(claimed, end)

    async def settle(
        self, claimed: ClaimedWatch, verdict: Verdict, *, lost_min_ms: int = LOST_MIN_MS
    ) -> PollDecision | None:
        """Decide what follows, and record it; return it, or None if nothing was recorded."""
        decision = self._decide(claimed, verdict, lost_min_ms)
        try:
            match decision:
                case PollAgain():
                    is_recorded = await self._record_wait(claimed, decision)
                case EndWatch():
                    is_recorded = await self._record_end(claimed, verdict, decision)
        except StoreUnavailable as error:
            # Nothing was recorded. The watch is polled again after its lease.
            log.warning("watch.not_recorded", watch=claimed.watch.id, **error.log_fields())
            return None
        return decision if is_recorded else None

    def _decide(self, claimed: ClaimedWatch, verdict: Verdict, lost_min_ms: int) -> PollDecision:
        provider, polling = claimed.provider, claimed.provider.polling
        stepped_ms = self.shifted_ms - claimed.shifted_ms
        return decide_poll(
            shift_watch(claimed.watch, stepped_ms, since=self._since - stepped_ms),
            verdict,
            schedule=AgeSchedule(polling.min_interval_ms, polling.max_interval_ms, polling.growth),
            result_ttl_ms=provider.result_ttl_ms,
            now=self._clock.now(),
            jitter=self._rng.random(),
            poll_started_at=claimed.claimed_at + stepped_ms,
            durations=claimed.durations if polling.learn else None,
            lost_min_ms=lost_min_ms,
        )

    async def _record_wait(self, claimed: ClaimedWatch, wait: PollAgain) -> bool:
        watch, now = claimed.watch, self._clock.now()
        if not await self._store.record_wait(watch, claimed.lease, wait, now=now):
            return False
        before, cause = (each.cause if each else None for each in (watch.trouble, wait.trouble))
        if cause is not None and before != cause:
            fields = {"trouble": cause.text(), "code": cause.code}
            log.warning("watch.troubled", watch=watch.id, task=watch.task_id, **fields)
        if before is not None and cause is None:
            log.info("watch.recovered", watch=watch.id, task=watch.task_id)
        self._run_at(wait.due_at)
        return True

    async def _record_end(self, claimed: ClaimedWatch, verdict: Verdict, end: EndWatch) -> bool:
        watch, now = claimed.watch, self._clock.now()
        event_id = new_id(EVENT, now, self._rng.getrandbits(ENTROPY_BITS))
        event = build_event(watch, end, event_id=event_id, now=now, max_payload=self.max_payload)
        give_up_at = now + self.give_up_after_ms
        if not await self._store.record_end(watch, claimed.lease, end, event, now=now, give_up_at=give_up_at):
            return False
        ids = {"watch": watch.id, "task": watch.task_id, "event_id": event.id}
        log.info("watch.ended", **ids, state=str(end.state))
        self.meter.record_end(watch, verdict, end, now=now)
        self._waiters.wake(watch.id)
        self._deliver()
        return True

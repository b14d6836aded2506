"""Polling: which due watches are claimed when, and what ends because it cannot be polled."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from notifier.config.model import ProviderSettings
from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import CircuitBreaker, Permit
from notifier.core.event_body import DEFAULT_MAX_PAYLOAD
from notifier.core.polling.evidence import classify_verdict
from notifier.core.polling.path_health import PathCondition
from notifier.core.polling.verdict import Verdict
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.deferred_polls import DeferredPolls
from notifier.engine.judging import ReplyJudge
from notifier.engine.pause_log import log_paths, log_provider
from notifier.engine.poll_runner import LEASE_MARGIN_MS, ClaimedWatch, PollRunner
from notifier.engine.provider_limiter import PollPlan, ProviderLimiter
from notifier.engine.provider_monitor import PollTicket
from notifier.engine.unpolled_deadlines import UnpolledDeadlines
from notifier.engine.waiters import WatchWaiters
from notifier.errors import StoreUnavailable
from notifier.ports import NO_METER, Clock, HttpClient, Meter
from notifier.store.protocol import Store
from notifier.store.values import ClaimedWatches, Lease, ProviderBreaker

IDLE_MS = 1_000  # until a tick without a due row; no record of why; changing it needs a measurement

log = structlog.get_logger()


class Poller:
    """Polls the watches that are due. ``run_at`` requests a tick sooner than the last one asked for."""

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
        self._store = store
        self._clock = clock
        self._owner = owner
        self._tasks = tasks
        self._run_at = run_at
        self._judge = judge or ReplyJudge()
        self._runner = PollRunner(
            store=store,
            http_client=http_client,
            clock=clock,
            rng=rng,
            waiters=waiters,
            run_at=run_at,
            deliver=deliver,
            meter=meter,
            judge=self._judge,
        )
        self._limiters: dict[str, ProviderLimiter] = {}
        self._removed: dict[str, ProviderLimiter] = {}
        self._waiting_for_room: set[str] = set()
        self._deferred = DeferredPolls(store=store, clock=clock, tasks=tasks, run_at=run_at)
        self._deadlines = UnpolledDeadlines(
            store=store, clock=clock, owner=owner, tasks=tasks, runner=self._runner
        )
        self._unrestored: set[str] = set()
        self._has_started = False
        self.ticked_at = clock.monotonic()

    # -- settings and conditions

    @property
    def http_client(self) -> HttpClient:
        """Return what polls are sent with."""
        return self._runner.http_client

    @http_client.setter
    def http_client(self, http_client: HttpClient) -> None:
        self._runner.http_client = http_client

    def configure(
        self,
        providers: Mapping[str, ProviderSettings],
        *,
        give_up_after_ms: int,
        max_payload: int = DEFAULT_MAX_PAYLOAD,
    ) -> None:
        """Take these settings from now on; requests under way end by the old ones.

        A provider that is removed keeps its limiter while requests to it run: if it is added again meanwhile,
        these still count.
        """
        now = self._clock.now()
        self._runner.give_up_after_ms = give_up_after_ms
        self._runner.max_payload = max_payload
        limiters = self._removed | self._limiters
        self._limiters, self._unrestored = {}, self._unrestored & providers.keys()
        for name, provider in providers.items():
            limiter = limiters.pop(name, None)
            if limiter is None:
                self._limiters[name] = ProviderLimiter(provider, now)
                self._unrestored.add(name)
            else:
                limiter.configure(provider, now)
                self._limiters[name] = limiter
        self._removed = {name: each for name, each in limiters.items() if each.in_flight}

    def condition_of(self, provider: str, api_path: str | None = None) -> Condition | None:
        """Return why a provider, or an api_path of it, is held back; None while it is not."""
        limiter = self._limiters.get(provider)
        if limiter is None:
            return Condition(Cause(Code.PROVIDER_NOT_CONFIGURED))
        if api_path is None:
            return limiter.monitor.condition
        return limiter.monitor.get_path_condition(api_path)

    def list_failing_paths(self) -> list[PathCondition]:
        """Return each api_path that something is wrong with: the blocked ones first, then by age."""
        failing = [path for limiter in self._limiters.values() for path in limiter.monitor.list_failing()]
        return sorted(failing, key=lambda path: (not path.is_blocked, path.condition.since or 0))

    def path_conditions(self) -> dict[tuple[str, str], Condition]:
        """Return why api_paths are held back, by provider and path."""
        failing = self.list_failing_paths()
        return {(path.provider, path.api_path): path.condition for path in failing if path.is_blocked}

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self._runner.shift(delta_ms)
        self._deadlines.shift(delta_ms)
        for limiter in (*self._limiters.values(), *self._removed.values()):
            limiter.shift(delta_ms)

    # -- ticks

    async def tick(self) -> int:
        """Start what is due and may start; return the instant of the next tick."""
        await self._restore()
        await self._deadlines.expire_orphans(self._limiters.keys())
        next_ticks = [await self._serve(limiter) for limiter in list(self._limiters.values())]
        self.ticked_at = self._clock.monotonic()
        return min([*next_ticks, self._clock.now() + IDLE_MS])

    async def _restore(self) -> None:
        """Read what blocked, and what was put off, when the daemon stopped or the provider was removed."""
        if not self._unrestored and self._has_started:
            return
        state = await self._store.polling_state()
        for breaker in state.breakers:
            if breaker.provider in self._unrestored:
                self._limiters[breaker.provider].monitor.restore(breaker, self._clock.now())
            elif not self._has_started:  # of a provider that was removed while no daemon ran
                await self._record_breaker(replace(breaker, breaker=CircuitBreaker()))
        self._deferred.restore(state.deferred)
        self._unrestored.clear()
        self._has_started = True

    async def _serve(self, limiter: ProviderLimiter) -> int:
        now = self._clock.now()
        self._waiting_for_room.discard(limiter.provider.name)
        plan = limiter.plan(now)
        if limiter.monitor.permit(now) is Permit.BLOCK:
            next_at = limiter.monitor.health.breaker.probe_at
        elif plan.limit:
            next_at = await self._claim(limiter, plan, now)
        else:
            next_at = self._wait_for_room(limiter, now)
        self._store_breakers(limiter)
        await self._deadlines.expire(limiter.monitor)
        return next_at

    def _wait_for_room(self, limiter: ProviderLimiter, now: int) -> int:
        """Return when to look again; a request that ends requests a tick when it is what is missing."""
        self._waiting_for_room.add(limiter.provider.name)
        return limiter.find_next_start(now) or now + IDLE_MS

    async def _claim(self, limiter: ProviderLimiter, plan: PollPlan, now: int) -> int:
        lease = Lease(self._owner, now + limiter.provider.polling.request_timeout_ms + LEASE_MARGIN_MS)
        shifted_ms = self._runner.shifted_ms
        claimed = await self._store.claim_watches(
            limiter.provider.name, now=now, limit=plan.limit, lease=lease, rules=plan.rules
        )
        for watch in claimed.watches:
            durations = claimed.durations.get(watch.api_path)
            claim = self._runner.make_claim(watch, lease, limiter.provider, shifted_ms, durations)
            ticket = limiter.record_start(watch, plan, self._clock.now())
            self._tasks.start(self._poll(claim, limiter, ticket), name=f"poll {watch.id}")
        return self._find_next_tick(limiter, plan, claimed, now)

    def _find_next_tick(
        self, limiter: ProviderLimiter, plan: PollPlan, claimed: ClaimedWatches, now: int
    ) -> int:
        if plan.is_probe:
            return limiter.monitor.health.breaker.probe_at if claimed.watches else now + IDLE_MS
        instants = [now + IDLE_MS, claimed.next_due_at, limiter.monitor.find_next_probe(now)]
        next_at = min(at for at in instants if at is not None)
        if claimed.has_more:
            is_full = len(claimed.watches) >= plan.limit
            room_at = self._wait_for_room(limiter, now)
            return min(next_at, room_at) if is_full else next_at
        return next_at

    async def _poll(self, claimed: ClaimedWatch, limiter: ProviderLimiter, ticket: PollTicket) -> None:
        verdict: Verdict | None = None
        with self._judge.hold() as memory:
            try:
                verdict = await self._runner.fetch_verdict(claimed, memory)
            finally:
                verdict = self._end_request(limiter, ticket, verdict)
            if verdict is None:
                return
            due_at = claimed.watch.due_at or claimed.claimed_at
            self._runner.meter.record_poll(claimed.watch, verdict, late_ms=claimed.claimed_at - due_at)
            lost_min_ms = limiter.monitor.find_lost_min_ms(ticket)
            decision = await self._runner.settle(claimed, verdict, lost_min_ms=lost_min_ms)
        self._deferred.add(claimed.watch.provider, claimed.watch.api_path, verdict, decision)

    # -- what a request brought, for others

    def _end_request(
        self, limiter: ProviderLimiter, ticket: PollTicket, verdict: Verdict | None
    ) -> Verdict | None:
        now, monitor, name = self._clock.now(), limiter.monitor, limiter.provider.name
        before, paths_before = monitor.condition, monitor.list_blocked()
        verdict = limiter.record_end(ticket, verdict, now)
        paths = monitor.list_blocked()
        log_paths(name, paths_before, paths)
        log_provider(name, before, monitor.condition)
        is_resumed = before is not None and monitor.condition is None
        if is_resumed or paths_before.keys() - paths.keys() or name in self._waiting_for_room:
            self._run_at(now)
        elif (probe_at := monitor.find_next_probe(now)) is not None:
            self._run_at(probe_at)
        if verdict is not None and not classify_verdict(verdict).is_failure:
            self._deferred.recall(name, ticket.api_path)
            if monitor.permit(now) is Permit.ALLOW:
                self._deferred.recall(name, None)
        self._store_breakers(limiter)
        if name in self._removed and not limiter.in_flight:
            del self._removed[name]
        return verdict

    def _store_breakers(self, limiter: ProviderLimiter) -> None:
        for breaker in limiter.monitor.pop_changed():
            self._tasks.start(self._record_breaker(breaker), name=f"breaker {breaker.provider}")

    async def _record_breaker(self, breaker: ProviderBreaker) -> None:
        try:
            await self._store.record_breaker(breaker)
        except StoreUnavailable as error:  # it is stored with its next change
            log.warning("breaker.not_recorded", provider=breaker.provider, **error.log_fields())

"""Count the work and report it to Prometheus. This is the only file that imports its client library.

Counters and histograms are in memory: a restart resets them, as Prometheus expects. A scrape reads the store,
at most every ``REFRESH_INTERVAL_S``. Every label has few values: states, classes, and the names of at most
``MAX_PROVIDERS`` providers.
"""

import asyncio
import platform
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar, assert_never

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from notifier import __version__
from notifier.core.causes.cause import Cause, Condition
from notifier.core.delivery.decision import AttemptDecision, Delivered
from notifier.core.model import Attempt, ClaimedDelivery, Watch
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    NotPolled,
    ResultPending,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
)
from notifier.ports import Clock
from notifier.store.protocol import Store
from notifier.store.values import Counts

REFRESH_INTERVAL_S = 5.0  # many scrapes read the store once; no record of why 5 s
MAX_PROVIDERS = 100  # bounds the series of a label; no record of why 100
OTHER = "other"

# Buckets are labels in queries and alerts of users, so a change of them changes the outside. Unless a line
# says more, there is no record of why; changing them needs a measurement.
# Up to the 15 s of an exchange: CONTRACT, request_timeout and timeout.
_SHORT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_LATE_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)  # no record of why
_NOTICE_S = (0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60, 120, 300, 900)  # no record of why
_DELIVERY_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1_800, 7_200, 43_200)  # no record of why
# Within the 24 h that result URLs live: CONTRACT, result_ttl.
_MARGIN_S = (0, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 64_800, 79_200, 86_400)
_UNITS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # no record of why

M = TypeVar("M", Counter, Histogram)


class _Children(dict[tuple[str, ...], M], Generic[M]):
    """The series of a metric by labels. The library's look-up takes a lock and three times as long."""

    def __init__(self, make: Callable[..., M]) -> None:
        super().__init__()
        self._make: Callable[..., M] = make

    def __missing__(self, labels: tuple[str, ...]) -> M:
        child = self[labels] = self._make(*labels)
        return child


class Metrics:
    """``ports.Meter`` for Prometheus, with a registry of its own."""

    def __init__(self, *, stopwatch: Callable[[], float] = time.perf_counter) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # of no use here
        self.stopwatch = stopwatch
        self.registry = CollectorRegistry()
        self._providers: set[str] = set()
        self._make_counters()
        self._make_histograms()
        info = Gauge(
            "notifier_build_info", "Always 1.", ["version", "python", "sqlite"], registry=self.registry
        )
        info.labels(__version__, platform.python_version(), sqlite3.sqlite_version).set(1)
        ProcessCollector(registry=self.registry)

    def _make_counters(self) -> None:
        polls = self._counter("polls", "Polls by outcome.", "provider", "outcome")
        ends = self._counter("ended_watches", "Ended watches by state.", "provider", "state")
        attempts = self._counter("attempts", "Attempts of deliveries by outcome.", "outcome")
        self._polls = _Children(polls.labels)
        self._ends = _Children(ends.labels)
        self._attempts = _Children(attempts.labels)

    def _make_histograms(self) -> None:
        lateness = self._histogram(
            "poll_lateness_seconds",
            "Delay between the due time of a poll and its start.",
            _LATE_S,
            "provider",
        )
        notice = self._histogram(
            "notice_delay_seconds",
            "From the end of a task as the provider reports it, or its registration if later, to our poll.",
            _NOTICE_S,
            "provider",
        )
        self._lateness = _Children(lateness.labels)
        self._notice = _Children(notice.labels)
        self._attempt_s = self._histogram("attempt_seconds", "Duration of an attempt.", _SHORT_S)
        self._delivery_s = self._histogram(
            "delivery_delay_seconds", "From the creation of a delivery to its 2xx.", _DELIVERY_S
        )
        self._margin_s = self._histogram(
            "result_margin_seconds",
            "Remaining lifetime of a result at its delivery, but not of one that a user had sent again.",
            _MARGIN_S,
        )
        self._commit_units = self._histogram("commit_units", "Units of work in one commit.", _UNITS)
        self._commit_s = self._histogram("commit_seconds", "Duration of a commit with its work.", _SHORT_S)
        self._lag_s = self._histogram("loop_lag_seconds", "Delay of a timer of the event loop.", _SHORT_S)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"notifier_{name}", description, labels, registry=self.registry)

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"notifier_{name}", description, labels, registry=self.registry, buckets=buckets)

    def _label_provider(self, provider: str) -> str:
        if provider not in self._providers:
            if len(self._providers) >= MAX_PROVIDERS:
                return OTHER
            self._providers.add(provider)
        return provider

    # -- ports.Meter

    def record_poll(self, watch: Watch, verdict: Verdict, *, late_ms: int) -> None:
        """See ``Meter``."""
        provider = self._label_provider(watch.provider)
        self._polls[provider, label_verdict(verdict)].inc()
        self._lateness[provider,].observe(max(0, late_ms) / 1_000)

    def record_end(self, watch: Watch, verdict: Verdict, end: EndWatch, *, now: int) -> None:
        """Count the end of a watch, see ``Meter``. A resumed watch has no notice delay: it was not polled."""
        provider = self._label_provider(watch.provider)
        self._ends[provider, end.state].inc()
        if isinstance(verdict, Finished) and verdict.finished_at is not None and watch.round == 0:
            since = max(verdict.finished_at, watch.registered_at)
            self._notice[provider,].observe(max(0, now - since) / 1_000)

    def record_attempt(
        self, delivery: ClaimedDelivery, attempt: Attempt, decision: AttemptDecision, *, now: int
    ) -> None:
        """See ``Meter``."""
        self._attempts[attempt.failure or "accepted",].inc()
        self._attempt_s.observe(attempt.duration_ms / 1_000)
        if isinstance(decision, Delivered):
            self._delivery_s.observe(max(0, now - delivery.created_at) / 1_000)
            if delivery.result_expires_at is not None and not delivery.is_replayed:
                self._margin_s.observe((delivery.result_expires_at - now) / 1_000)

    def record_commit(self, units: int, took_s: float) -> None:
        """See ``Meter``."""
        self._commit_units.observe(units)
        self._commit_s.observe(took_s)

    def record_lag(self, late_s: float) -> None:
        """See ``Meter``."""
        self._lag_s.observe(max(0.0, late_s))


def label_verdict(verdict: Verdict) -> str:
    """Return the label for the outcome of a poll."""
    match verdict:
        case Finished(state=state):
            return state
        case ResultPending(failure=failure):
            return "running" if failure is None else label_verdict(failure)
        case Running():
            return "running"
        case TaskUnknown():
            return "unknown"
        case AccountRefused():
            return "refused"
        case Throttled():
            return "throttled"
        case Inconclusive(is_outage=is_outage):
            return "outage" if is_outage else "unclear"
        case NotPolled():
            return "unpolled"
        case _:
            assert_never(verdict)


class DaemonStatus(Protocol):
    """The condition of the daemon."""

    def why_not_ready(self) -> Cause | None:
        """Return the reason why the daemon does not work at present, None if it works."""
        ...

    def conditions(self) -> Mapping[str, Condition | None]:
        """Return for each provider the reason why it is paused, None if it is not."""
        ...

    def count_blocked_paths(self) -> Mapping[str, int]:
        """Return for each provider how many of its api_paths are held back."""
        ...


class MetricsReport:
    """Makes the response to ``GET /metrics``: the counted metrics, and the state of the store."""

    def __init__(self, metrics: Metrics, *, store: Store, clock: Clock, status: DaemonStatus) -> None:
        self._registry = metrics.registry
        self._store = store
        self._clock = clock
        self._status = status
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._ready = self._gauge("ready", "1 while the daemon stores and polls, else 0.")
        self._paused = self._gauge("provider_paused", "1 while a provider is paused.", "provider")
        self._paths = self._gauge("paths_blocked", "api_paths of a provider that are held back.", "provider")
        self._watches = self._gauge("watches", "Watches by state.", "state")
        self._deliveries = self._gauge("deliveries", "Deliveries by state.", "state")
        self._oldest = self._gauge(
            "oldest_waiting_delivery_seconds", "Age of the oldest pending delivery; 0 without one."
        )
        self._expiring = self._gauge(
            "expiring_results",
            "Undelivered results in the last quarter of their lifetime or past it; up to 10000.",
        )
        self._shut = self._gauge(
            "shut_endpoints", "Endpoints that are paused, parked or failing; up to 10000 each.", "state"
        )

    async def text(self) -> bytes:
        """Return all metrics in Prometheus' text format 0.0.4. Raise StoreUnavailable."""
        async with self._reading:
            if self._clock.monotonic() - self._read_at >= REFRESH_INTERVAL_S:
                now = self._clock.now()
                self._set_gauges(await self._store.counts(now=now), now)
                self._read_at = self._clock.monotonic()
        self._ready.set(self._status.why_not_ready() is None)
        self._paused.clear()
        for provider, condition in self._status.conditions().items():
            self._paused.labels(provider).set(condition is not None)
        self._paths.clear()
        for provider, count in self._status.count_blocked_paths().items():
            self._paths.labels(provider).set(count)
        return generate_latest(self._registry)

    def _set_gauges(self, counts: Counts, now: int) -> None:
        for gauge, by_state in (
            (self._watches, counts.watches),
            (self._deliveries, counts.deliveries),
            (self._shut, counts.shut),
        ):
            for state, count in by_state.items():
                gauge.labels(state).set(count)
        oldest_at = now if counts.oldest_pending_at is None else counts.oldest_pending_at
        self._oldest.set(max(0, now - oldest_at) / 1_000)
        self._expiring.set(counts.expiring)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(f"notifier_{name}", description, labels, registry=self._registry)

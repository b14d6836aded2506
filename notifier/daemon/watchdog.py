"""Report progress and state to the service manager while the daemon runs.

Progress means that a commit returned and that the periodic jobs tick. An error of the store (a full disk, a
locked database) counts as progress: a restart repairs neither, and would interrupt running requests. A
writer or an event loop that hangs makes no progress, and a tick that crashes does not count.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from notifier.core.causes.cause import Cause
from notifier.core.formats.text import cut
from notifier.core.formats.times import format_instant
from notifier.core.model import DeliveryState, WatchState
from notifier.daemon import sdnotify
from notifier.errors import StoreUnavailable
from notifier.ports import Clock
from notifier.store.protocol import Store
from notifier.store.values import Counts

STALE_S = 10.0  # a job ticks at least once a second
REPORT_INTERVAL_S = 10.0  # below the 15 s that WatchdogSec=30s of the unit asks for
MAX_STATUS_CHARS = 500  # one line of `systemctl status`; no record of why; changing it needs a measurement

Tick = Callable[[], Awaitable[int]]


class Watchdog:
    """The reports to the service manager.

    ``conditions`` returns why providers are paused, ``trouble`` why the daemon does not work.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        conditions: Callable[[], Mapping[str, str]],
        trouble: Callable[[], Cause | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._conditions = conditions
        self._trouble = trouble
        self._ticked_at: dict[str, float] = {}
        interval_s = sdnotify.watchdog_interval_s()
        self._is_watched = interval_s is not None
        self._every_s = REPORT_INTERVAL_S if interval_s is None else min(REPORT_INTERVAL_S, interval_s / 2)

    def observe(self, name: str, tick: Tick) -> Tick:
        """Return the tick of a job, wrapped so that its calls count as progress."""
        self._ticked_at[name] = self._clock.monotonic()

        async def observed_tick() -> int:
            try:
                next_at = await tick()
            except StoreUnavailable:
                self._ticked_at[name] = self._clock.monotonic()
                raise
            self._ticked_at[name] = self._clock.monotonic()
            return next_at

        return observed_tick

    async def run(self) -> None:
        """Report periodically until cancelled, if there is a service manager."""
        while True:
            await asyncio.sleep(self._every_s)
            if sdnotify.has_manager():
                await self.report()

    async def report(self) -> None:
        """Report progress, if there is any, and the state."""
        if self._is_watched:
            await self._commit_heartbeat()
            if self._has_progress():
                sdnotify.report_progress()
        sdnotify.report_status(await self._describe_status())

    async def _commit_heartbeat(self) -> None:
        """Return after a commit, or after an error of the store."""
        try:
            await self._store.heartbeat(now=self._clock.now())
        except StoreUnavailable:
            return

    def _has_progress(self) -> bool:
        now = self._clock.monotonic()
        return all(now - ticked_at <= STALE_S for ticked_at in self._ticked_at.values())

    async def _describe_status(self) -> str:
        try:
            counts = await self._store.counts(now=self._clock.now())
        except StoreUnavailable as error:
            return cut(f"the store cannot be read: {error.cause}", MAX_STATUS_CHARS)
        trouble = self._trouble()
        return describe_counts(counts, self._conditions(), None if trouble is None else trouble.text())


def describe_counts(counts: Counts, conditions: Mapping[str, str], trouble: str | None = None) -> str:
    """Describe the watches, the waiting callbacks and what is paused, in one line."""
    parts = [] if trouble is None else [trouble]
    parts.append(f"watching {_count(counts.watches.get(WatchState.WATCHING, 0), 'task')}")
    parts.append(_waiting(counts))
    dead = counts.deliveries.get(DeliveryState.DEAD, 0)
    if dead:
        parts.append(f"{_count(dead, 'callback')} dead")
    parts.extend(_paused(counts.shut, conditions))
    return cut("; ".join(parts), MAX_STATUS_CHARS)


def _waiting(counts: Counts) -> str:
    waiting = counts.deliveries.get(DeliveryState.PENDING, 0)
    since = "" if counts.oldest_pending_at is None else f" since {format_instant(counts.oldest_pending_at)}"
    return f"{_count(waiting, 'callback')} waiting{since}" if waiting else "no callback waiting"


def _paused(shut: Mapping[str, int], conditions: Mapping[str, str]) -> Iterable[str]:
    held, failing = shut.get("paused", 0) + shut.get("gone", 0), shut.get("closed", 0)
    if held:
        yield f"{_count(held, 'endpoint')} paused until resumed"
    if failing:
        yield f"{_count(failing, 'endpoint')} failing, tried now and then"
    for name, why in conditions.items():
        yield f"{name}: {why}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

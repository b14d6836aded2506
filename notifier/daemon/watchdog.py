"""What the service manager is told while the daemon runs: that it makes progress, and how it stands.

Progress is a commit that came back and ticks that go on. What the store refuses in words (a full disk,
a database that somebody keeps locked) is an answer too: a restart mends neither, and would cut off what is
under way. A writer or a loop that hangs answers nothing, and a tick that crashes is none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from notifier.core.formats.text import cut
from notifier.core.formats.times import format_instant
from notifier.core.model import DeliveryState, WatchState
from notifier.daemon import sdnotify
from notifier.errors import StoreUnavailable
from notifier.ports import Clock
from notifier.store.protocol import Store
from notifier.store.values import Counts

STALE_S = 10.0  # bells ring once a second at least
REPORT_INTERVAL_S = 10.0
MAX_STATUS_CHARS = 500

Tick = Callable[[], Awaitable[int]]


class Watchdog:
    """``conditions`` says of each provider that is held back why, in words; ``trouble`` why work stands."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        conditions: Callable[[], Mapping[str, str]],
        trouble: Callable[[], str | None],
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
        """Have a bell's tick known here by this name."""
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
        """Tell again and again until cancelled; nothing where there is nobody to tell."""
        while True:
            await asyncio.sleep(self._every_s)
            if sdnotify.has_manager():
                await self.report()

    async def report(self) -> None:
        """Feed the watchdog if there is progress, and say how things stand."""
        if self._is_watched:
            await self._commit_heartbeat()
            if self._has_progress():
                sdnotify.report_progress()
        sdnotify.report_status(await self._describe_status())

    async def _commit_heartbeat(self) -> None:
        """Come back when the disk has taken a write, or the store has said why not."""
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
        return describe_counts(counts, self._conditions(), self._trouble())


def describe_counts(counts: Counts, conditions: Mapping[str, str], trouble: str | None = None) -> str:
    """Say what is watched, what waits and what is paused, in one line."""
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

"""What the service manager is told while the daemon runs: that it makes progress, and how it stands.

Progress is a commit that came back and ticks that go on. What the store refuses in words (a full disk,
a database that somebody keeps locked) is an answer too: a restart mends neither, and would cut off what is
under way. A writer or a loop that hangs answers nothing, and a tick that crashes is none.
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

STALE_S = 10.0  # bells ring once a second at least
EVERY_S = 10.0
MOST_CHARS = 500

Ring = Callable[[], Awaitable[int]]


class Watchdog:
    """``conditions`` says of each provider that is held back why, in words; ``trouble`` why work stands."""

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
        self._every_s = EVERY_S if interval_s is None else min(EVERY_S, interval_s / 2)

    def heard(self, name: str, tick: Ring) -> Ring:
        """Have a bell's tick known here by this name."""
        self._ticked_at[name] = self._clock.monotonic()

        async def ring() -> int:
            try:
                next_at = await tick()
            except StoreUnavailable:
                self._ticked_at[name] = self._clock.monotonic()
                raise
            self._ticked_at[name] = self._clock.monotonic()
            return next_at

        return ring

    async def run(self) -> None:
        """Tell again and again until cancelled; nothing where there is nobody to tell."""
        while True:
            await asyncio.sleep(self._every_s)
            if sdnotify.is_heard():
                await self.tell()

    async def tell(self) -> None:
        """Feed the watchdog if there is progress, and say how things stand."""
        if self._is_watched:
            await self._commit()
            if self._is_ticking():
                sdnotify.watchdog()
        sdnotify.status(await self._standing())

    async def _commit(self) -> None:
        """Come back when the disk has taken a write, or the store has said why not."""
        try:
            await self._store.heartbeat(now=self._clock.now())
        except StoreUnavailable:
            return

    def _is_ticking(self) -> bool:
        now = self._clock.monotonic()
        return all(now - ticked_at <= STALE_S for ticked_at in self._ticked_at.values())

    async def _standing(self) -> str:
        try:
            counts = await self._store.counts(now=self._clock.now())
        except StoreUnavailable as fault:
            return cut(f"the store cannot be read: {fault.cause}", MOST_CHARS)
        trouble = self._trouble()
        return describe_counts(counts, self._conditions(), None if trouble is None else trouble.text())


def describe_counts(counts: Counts, conditions: Mapping[str, str], trouble: str | None = None) -> str:
    """Say what is watched, what waits and what is paused, in one line."""
    parts = [] if trouble is None else [trouble]
    parts.append(f"watching {_of(counts.watches.get(WatchState.WATCHING, 0), 'task')}")
    parts.append(_waiting(counts))
    dead = counts.deliveries.get(DeliveryState.DEAD, 0)
    if dead:
        parts.append(f"{_of(dead, 'callback')} dead")
    parts.extend(_paused(counts.shut, conditions))
    return cut("; ".join(parts), MOST_CHARS)


def _waiting(counts: Counts) -> str:
    waiting = counts.deliveries.get(DeliveryState.PENDING, 0)
    since = "" if counts.oldest_pending_at is None else f" since {format_instant(counts.oldest_pending_at)}"
    return f"{_of(waiting, 'callback')} waiting{since}" if waiting else "no callback waiting"


def _paused(shut: Mapping[str, int], conditions: Mapping[str, str]) -> Iterable[str]:
    held, failing = shut.get("paused", 0) + shut.get("gone", 0), shut.get("closed", 0)
    if held:
        yield f"{_of(held, 'endpoint')} paused until resumed"
    if failing:
        yield f"{_of(failing, 'endpoint')} failing, tried now and then"
    for name, why in conditions.items():
        yield f"{name}: {why}"


def _of(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

"""The store on SQLite: each verb hands one function to the writer or to the reader."""

import random
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from notifier.core.delivery.decision import AttemptDecision
from notifier.core.delivery.endpoint import Report
from notifier.core.model import Attempt, ClaimedDelivery, Delivery, Event, NewWatch, Watch
from notifier.core.polling.decision import EndWatch, PollAgain
from notifier.core.timeline import WatchHistory
from notifier.errors import StoreClosed
from notifier.store.sqlite import (
    claiming,
    deliveries,
    durations,
    endpoints,
    listing,
    maintenance,
    replays,
    watches,
)
from notifier.store.sqlite.driver import Driver
from notifier.store.sqlite.errors import error_to_unavailable
from notifier.store.sqlite.history import read_history
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.lock import InstanceLock
from notifier.store.sqlite.writer import Writer
from notifier.store.values import (
    MAX_TRIALS,
    AttemptRecorded,
    CallbackLimitReached,
    ChangeRefused,
    ClaimedDeliveries,
    ClaimedWatches,
    Counts,
    DeliveryDetail,
    DeliveryQuery,
    EndpointDetail,
    FoundRows,
    Lease,
    PathDurations,
    RecentActivity,
    ReplayLimitReached,
    ReplayQuery,
    WatchAdded,
    WatchDetail,
    WatchLimitReached,
    WatchQuery,
)

T = TypeVar("T")


class SqliteStore:
    """``Store`` on one SQLite file, made by ``open_store``; ``interface.py`` says what the verbs promise."""

    def __init__(
        self,
        file: Path,
        *,
        owner: str,
        writer: Writer,
        reader: Driver,
        lock: InstanceLock,
        rng: random.Random,
        anchor: int,
        elapsed: Callable[[], int],
        boot: int | None,
    ) -> None:
        self.file = file
        self.owner = owner
        self.anchor = anchor
        """The time at which ``elapsed`` was 0, for the daemon's clock (``clock.py``)."""
        self._elapsed = elapsed
        self._boot = boot
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._mint = IdSequence(rng)
        self._is_closed = False

    async def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``fn`` on one snapshot."""
        if self._is_closed:
            raise StoreClosed

        def on_snapshot(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return fn(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

        try:
            return await self._reader.run(on_snapshot)
        except sqlite3.Error as error:
            raise error_to_unavailable(error, str(self.file)) from error

    async def add_watches(
        self, new: Sequence[NewWatch], *, give_up_at: int, max_live: int
    ) -> list[WatchAdded | WatchLimitReached | CallbackLimitReached]:
        """See ``Store``."""
        return await self._writer.submit(
            lambda connection: watches.add_watches(
                connection, new, self._mint, give_up_at=give_up_at, max_live=max_live
            ),
            weight=len(new),
        )

    async def watch(self, watch_id: str) -> WatchDetail | None:
        """See ``Store``."""
        return await self._read(lambda connection: watches.watch_detail(connection, watch_id))

    async def history(self, watch_id: str) -> WatchHistory | None:
        """See ``Store``."""
        return await self._read(lambda connection: read_history(connection, watch_id))

    async def watches(self, query: WatchQuery) -> list[Watch]:
        """See ``Store``."""
        return await self._read(lambda connection: listing.list_watches(connection, query))

    async def find(
        self, watch_ids: Iterable[str], delivery_ids: Iterable[str], *, deliveries_of: Iterable[str]
    ) -> FoundRows:
        """See ``Store``."""
        return await self._read(
            partial(
                listing.find_rows,
                watch_ids=[*watch_ids],
                delivery_ids=[*delivery_ids],
                deliveries_of=[*deliveries_of],
            )
        )

    async def claim_watches(
        self, provider: str, *, now: int, limit: int, lease: Lease, deadline_from: int | None = None
    ) -> ClaimedWatches:
        """See ``Store``."""
        return await self._writer.submit(
            lambda connection: watches.claim_watches(
                connection, provider, now=now, limit=limit, lease=lease, deadline_from=deadline_from
            )
        )

    async def providers(self) -> list[str]:
        """See ``Store``."""
        return await self._read(watches.provider_names)

    async def record_wait(self, watch: Watch, lease: Lease, wait: PollAgain, *, now: int) -> bool:
        """See ``Store``."""
        return await self._writer.submit(
            lambda connection: watches.record_wait(connection, watch, lease, wait, now=now), urgent=False
        )

    async def record_end(
        self, watch: Watch, lease: Lease, end: EndWatch, event: Event, *, now: int, give_up_at: int
    ) -> bool:
        """See ``Store``."""
        return await self._writer.submit(
            lambda connection: watches.record_end(
                connection, watch, lease, end, event, mint=self._mint, now=now, give_up_at=give_up_at
            )
        )

    async def learned(self, *, limit: int) -> list[PathDurations]:
        """See ``Store``."""
        return await self._read(partial(durations.list_durations, limit=limit))

    async def recent(self, *, limit: int) -> RecentActivity:
        """See ``Store``."""
        return await self._read(partial(listing.list_recent, limit=limit))

    async def stop_watch(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        """See ``Store``."""
        return await self._writer.submit(lambda connection: watches.stop_watch(connection, watch_id, now=now))

    async def resume_watch(
        self, watch_id: str, *, now: int, expires_at: int, max_live: int
    ) -> Watch | ChangeRefused | WatchLimitReached:
        """See ``Store``."""
        resume = partial(
            watches.resume_watch, watch_id=watch_id, now=now, expires_at=expires_at, max_live=max_live
        )
        return await self._writer.submit(resume)

    async def poll_now(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        """See ``Store``."""
        return await self._writer.submit(lambda connection: watches.poll_now(connection, watch_id, now=now))

    async def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """See ``Store``."""
        return await self._read(lambda connection: listing.list_deliveries(connection, query))

    async def delivery(self, delivery_id: str) -> DeliveryDetail | None:
        """See ``Store``."""
        return await self._read(lambda connection: deliveries.delivery_detail(connection, delivery_id))

    async def message(self, delivery_id: str) -> bytes | None:
        """See ``Store``."""
        return await self._read(partial(deliveries.message, delivery_id=delivery_id))

    async def claim_deliveries(
        self,
        *,
        now: int,
        limit: int,
        lease: Lease,
        busy: Mapping[str, int],
        per_origin: int,
        trials: Collection[str] = (),
        max_trials: int = MAX_TRIALS,
    ) -> ClaimedDeliveries:
        """See ``Store``."""
        # copies, as the caller's go on changing
        slots = claiming.InFlightLimits(dict(busy), per_origin, frozenset(trials), max_trials)
        claim = partial(claiming.claim_deliveries, now=now, limit=limit, lease=lease, slots=slots)
        return await self._writer.submit(claim)

    async def record_attempt(
        self,
        dispatch: ClaimedDelivery,
        lease: Lease,
        attempt: Attempt,
        sequel: AttemptDecision,
        report: Report,
        *,
        now: int,
    ) -> AttemptRecorded | None:
        """See ``Store``."""
        return await self._writer.submit(
            lambda connection: deliveries.record_attempt(
                connection, dispatch, lease, attempt, sequel, report, now=now
            )
        )

    async def redeliver(self, delivery_id: str, *, now: int, give_up_at: int) -> Delivery | ChangeRefused:
        """See ``Store``."""
        again = partial(deliveries.redeliver, delivery_id=delivery_id, now=now, give_up_at=give_up_at)
        return await self._writer.submit(again)

    async def endpoints(self, *, before: str | None, limit: int) -> list[EndpointDetail]:
        """See ``Store``."""
        return await self._read(partial(listing.list_endpoints, before=before, limit=limit))

    async def pause_endpoint(self, endpoint_id: str) -> EndpointDetail | ChangeRefused:
        """See ``Store``."""
        return await self._writer.submit(lambda connection: endpoints.pause(connection, endpoint_id))

    async def resume_endpoint(self, endpoint_id: str, *, now: int) -> EndpointDetail | ChangeRefused:
        """See ``Store``."""
        return await self._writer.submit(partial(endpoints.resume, endpoint_id=endpoint_id, now=now))

    async def start_replay(self, query: ReplayQuery, *, now: int, dry_run: bool) -> int | ReplayLimitReached:
        """See ``Store``. It counts in short steps, so that others read between them."""
        matches = replays.ReplayScan()
        while not matches.is_whole:
            matches = await self._read(partial(replays.continue_scan, query=query, so_far=matches))
        if matches.count and not dry_run:
            return await self._writer.submit(partial(replays.start, query=query, matches=matches, now=now))
        return matches.count

    async def replay_some(self, *, now: int, give_up_at: int, limit: int) -> int | None:
        """See ``Store``."""
        step = partial(replays.replay_some, now=now, give_up_at=give_up_at, limit=limit)
        return await self._writer.submit(step)

    async def give_up_overdue(self, *, now: int, limit: int) -> int:
        """See ``Store``."""
        seqs = await self._read(partial(maintenance.overdue, now=now, limit=limit))
        return await self._writer.submit(partial(maintenance.give_up, seqs=seqs, now=now)) if seqs else 0

    async def counts(self, *, now: int) -> Counts:
        """See ``Store``."""
        return await self._read(partial(maintenance.counts, now=now))

    async def prune(self, *, delivered_before: int, dead_before: int, limit: int) -> int:
        """See ``Store``. It goes in short steps, so that others write between them."""
        while await self._writer.submit(maintenance.trim_attempts, urgent=False):
            pass
        count = 0
        place: tuple[int, int] | None = maintenance.FIRST_PLACE
        while place is not None and count < limit:
            step = await self._writer.submit(
                partial(
                    maintenance.prune,
                    place=place,
                    delivered_before=delivered_before,
                    dead_before=dead_before,
                    limit=limit - count,
                ),
                urgent=False,
            )
            count, place = count + step.count, step.place
        return count

    async def shift_times(self, delta_ms: int) -> None:
        """See ``Store``."""
        await self._writer.submit(partial(maintenance.shift_times, delta_ms=delta_ms), is_premise=True)

    async def heartbeat(self, *, now: int) -> None:
        """See ``Store``."""
        clocks = maintenance.ClockReading(now, self._elapsed(), self._boot)
        await self._writer.submit(partial(maintenance.heartbeat, clocks=clocks))

    async def maintain(self) -> None:
        """See ``Store``. A long log is cut off, if no reader is in the way."""
        await self._writer.submit_alone(
            lambda connection: maintenance.maintain(connection, self._log_bytes())
        )

    def _log_bytes(self) -> int:
        try:
            return self.file.with_name(f"{self.file.name}-wal").stat().st_size
        except OSError:
            return 0

    async def until_closed(self) -> None:
        """See ``Store``."""
        await self._writer.until_closed()

    async def close(self) -> None:
        """See ``Store``. A second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._reader.close()  # first, so that the writer is the last one and tidies the log away
        finally:
            try:
                await self._writer.close()
            finally:
                self._lock.release()

"""The store on SQLite: it names the verbs, and gives each function to the writer or to the reader."""

import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from notifier.core.causes.cause import Cause
from notifier.core.delivery.slots import SlotUsage
from notifier.errors import StoreClosed
from notifier.store.changes import ChangeListener
from notifier.store.sqlite import (
    claiming,
    deliveries,
    durations,
    endpoints,
    history,
    in_flight_limits,
    listing,
    maintenance,
    poll_claims,
    provider_breakers,
    registration,
    replays,
    watch_changes,
    watches,
)
from notifier.store.sqlite.bulk import BulkScan
from notifier.store.sqlite.driver import Driver
from notifier.store.sqlite.errors import error_to_unavailable
from notifier.store.sqlite.lock import InstanceLock
from notifier.store.sqlite.transactions import Transaction
from notifier.store.sqlite.writer import Writer
from notifier.store.values import (
    MANY_SLOTS,
    MAX_CLAIMED_BYTES,
    BulkLimitReached,
    ClaimedDeliveries,
    Lease,
    PruneStep,
    RateAllowance,
    ReplayQuery,
    WatchChange,
    WatchLimitReached,
)

P = ParamSpec("P")
T = TypeVar("T")

Verb = Callable[Concatenate["SqliteStore", P], Coroutine[Any, Any, T]]
"""A method of the store. It has the parameters of its function except the first one."""


def read(function: Callable[Concatenate[sqlite3.Connection, P], T]) -> Verb[P, T]:
    """Make a verb that runs ``function`` on one snapshot."""

    def verb(store: "SqliteStore", /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        return store._read(lambda connection: function(connection, *args, **kwargs))

    return update_wrapper(verb, function)


def write(
    function: Callable[Concatenate[Transaction, P], T],
    *,
    urgent: bool = True,
    is_premise: bool = False,
    weigh: Callable[P, int] | None = None,
) -> Verb[P, T]:
    """Make a verb that runs ``function`` in a transaction; see ``Writer.submit`` for the options.

    ``weigh`` counts the rows that the arguments are about; without it a call counts as one.
    """

    def verb(store: "SqliteStore", /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        return store._writer.submit(
            lambda transaction: function(transaction, *args, **kwargs),
            urgent=urgent,
            weight=1 if weigh is None else weigh(*args, **kwargs),
            is_premise=is_premise,
        )

    return update_wrapper(verb, function)


class SqliteStore:
    """A ``Store`` on one SQLite file, opened by ``open_store``; ``protocol.py`` documents the verbs."""

    def __init__(
        self,
        file: Path,
        *,
        owner: str,
        writer: Writer,
        reader: Driver,
        lock: InstanceLock,
        anchor: int,
        elapsed: Callable[[], int],
        boot: int | None,
    ) -> None:
        self.file = file
        self.owner = owner
        self.anchor = anchor
        """The time at which ``elapsed`` was 0; the clock of the daemon starts from it (``clock.py``)."""
        self._elapsed = elapsed
        self._boot = boot
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._is_closed = False

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``function`` on one snapshot."""
        if self._is_closed:
            raise StoreClosed

        def on_snapshot(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return function(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

        try:
            return await self._reader.run(on_snapshot)
        except sqlite3.Error as error:
            raise error_to_unavailable(error, str(self.file)) from error

    add_watches = write(registration.add_watches, weigh=registration.count_entries)
    watch = read(watches.watch_detail)
    payload = read(watches.read_payload)
    history = read(history.read_history)
    find = read(listing.find_rows)
    claim_watches = write(poll_claims.claim_watches)
    claim_past_deadline = write(poll_claims.claim_past_deadline)
    recall_deferred = write(provider_breakers.recall_deferred)
    polling_state = read(provider_breakers.read_polling_state)
    record_breaker = write(provider_breakers.record_breaker, urgent=False)
    providers = read(watches.provider_names)
    record_wait = write(watches.record_wait, urgent=False)
    record_end = write(watches.record_end)
    completion = read(watches.load_completion)
    learned = read(durations.list_durations)
    recent = read(listing.list_recent)
    stop_watch = write(watches.stop_watch)
    resume_watch = write(watches.resume_watch)
    poll_now = write(watches.poll_now)
    delivery = read(deliveries.delivery_detail)
    message = read(deliveries.message)

    async def claim_deliveries(
        self,
        *,
        now: int,
        limit: int,
        lease: Lease,
        busy: Mapping[str, int],
        per_origin: int,
        slots: SlotUsage = MANY_SLOTS,
        rates: RateAllowance | None = None,
        max_bytes: int = MAX_CLAIMED_BYTES,
    ) -> ClaimedDeliveries:
        """See ``Store``. Copy the counts, because the caller changes them while it waits."""
        limits = in_flight_limits.InFlightLimits(dict(busy), per_origin, slots, rates, max_bytes)
        claim = partial(claiming.claim_deliveries, now=now, limit=limit, lease=lease, limits=limits)
        return await self._writer.submit(claim)

    record_attempt = write(deliveries.record_attempt)
    redeliver = write(deliveries.redeliver)
    give_up_delivery = write(deliveries.give_up)
    give_up_endpoint = write(endpoints.give_up_all)
    pause_endpoint = write(endpoints.pause)
    resume_endpoint = write(endpoints.resume)

    async def start_replay(self, query: ReplayQuery, *, now: int, dry_run: bool) -> int | BulkLimitReached:
        """See ``Store``."""
        matches = await self._count_matches(partial(replays.continue_scan, query=query))
        if matches.count and not dry_run:
            return await self._writer.submit(partial(replays.start, query=query, matches=matches, now=now))
        return matches.count

    replay_some = write(replays.replay_some)

    async def start_watch_change(
        self,
        change: WatchChange,
        *,
        now: int,
        expire_after_ms: Mapping[str, int],
        max_live: int,
        dry_run: bool,
    ) -> int | BulkLimitReached | WatchLimitReached:
        """See ``Store``."""
        change = watch_changes.limit_to_ended(change, now)
        scan = partial(watch_changes.continue_scan, change=change, providers=tuple(expire_after_ms))
        matches = await self._count_matches(scan)
        if matches.count and not dry_run:
            start = partial(watch_changes.start, change=change, matches=matches, now=now, max_live=max_live)
            return await self._writer.submit(start)
        return matches.count

    change_some_watches = write(watch_changes.change_some)

    async def _count_matches(self, scan: Callable[..., BulkScan]) -> BulkScan:
        """Count in short steps, so that others read between them."""
        matches = BulkScan()
        while not matches.is_whole:
            matches = await self._read(partial(scan, so_far=matches))
        return matches

    async def give_up_overdue(self, *, now: int, limit: int) -> int:
        """See ``Store``."""
        seqs = await self._read(partial(maintenance.overdue, now=now, limit=limit))
        return await self._writer.submit(partial(maintenance.give_up, seqs=seqs, now=now)) if seqs else 0

    counts = read(maintenance.counts)

    async def prune(
        self,
        *,
        delivered_before: int,
        dead_before: int,
        limit: int,
        place: tuple[int, int] | None = None,
    ) -> PruneStep:
        """See ``Store``. A reader walks, so that others write meanwhile."""
        age = maintenance.PruneAge(delivered_before, dead_before)
        excess = await self._writer.submit(maintenance.trim_attempts, urgent=False)
        old = await self._read(partial(maintenance.find_forgettable, age=age, place=place, limit=limit))
        delete = partial(maintenance.delete_watches, seqs=old.seqs, age=age)
        count = await self._writer.submit(delete, urgent=False) if old.seqs else 0
        return PruneStep(count, old.place, has_excess=excess > 0)

    shift_times = write(maintenance.shift_times, is_premise=True)

    async def heartbeat(self, *, now: int) -> None:
        """See ``Store``."""
        clocks = maintenance.ClockReading(now, self._elapsed(), self._boot)
        await self._writer.submit(partial(maintenance.heartbeat, clocks=clocks))

    async def maintain(self) -> None:
        """See ``Store``."""
        await self._writer.submit_alone(partial(maintenance.maintain, database=self.file))

    def add_listener(self, listener: ChangeListener) -> None:
        """See ``Store``."""
        self._writer.add_listener(listener)

    @property
    def trouble(self) -> Cause | None:
        """See ``Store``."""
        return self._writer.trouble

    async def until_closed(self) -> None:
        """See ``Store``."""
        await self._writer.until_closed()

    async def close(self) -> None:
        """See ``Store``. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._reader.close()  # first, because SQLite deletes the log with the last connection
        finally:
            try:
                await self._writer.close()
            finally:
                self._lock.release()

    # Last, because in the body of the class these names hide the modules.
    watches = read(listing.list_watches)
    deliveries = read(listing.list_deliveries)
    endpoints = read(listing.list_endpoints)

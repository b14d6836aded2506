"""What every store promises, whatever database it uses. The engine and the API know no other store than this.

Every verb that writes is one transaction, and returns when that has reached the disk. If it cannot be
written, the verb raises ``StoreUnavailable`` (or ``StoreFull``) and nothing of it is stored. If the disk
fails in the commit itself, the transaction may still be there after a crash; the cause then says so.

A claim carries an owner and a lease. A claimed row is given to nobody else until its lease ends or its owner
records it. A record is guarded by its claim. If the row has changed since, the record returns False and
changes nothing, so that the first outcome wins.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from notifier.core.causes.cause import Cause
from notifier.core.delivery.decision import AttemptDecision
from notifier.core.delivery.endpoint import AttemptResult
from notifier.core.delivery.slots import SlotUsage
from notifier.core.model import (
    Attempt,
    ClaimedDelivery,
    Delivery,
    Event,
    NewWatch,
    Watch,
)
from notifier.core.polling.decision import EndWatch, PollAgain
from notifier.core.polling.poll_choice import UNRESTRICTED, ClaimRules
from notifier.core.timeline import WatchHistory
from notifier.store.changes import ChangeListener
from notifier.store.values import (
    MANY_SLOTS,
    MAX_CLAIMED_BYTES,
    AttemptRecorded,
    BulkLimitReached,
    CallbackLimitReached,
    ChangeRefused,
    ClaimedDeliveries,
    ClaimedWatches,
    Counts,
    DeliveryDetail,
    DeliveryQuery,
    EndpointDetail,
    Lease,
    PathDurations,
    PollingState,
    ProviderBreaker,
    PruneStep,
    RateAllowance,
    RecentActivity,
    ReplayQuery,
    RowsById,
    WatchAdded,
    WatchChange,
    WatchDetail,
    WatchesChanged,
    WatchLimitReached,
    WatchQuery,
)


class Store(Protocol):
    """The verbs. ``now`` is epoch milliseconds."""

    async def add_watches(
        self, new: Sequence[NewWatch], *, give_up_at: int, max_live: int
    ) -> list[WatchAdded | WatchLimitReached | CallbackLimitReached]:
        """Register watches in one transaction; each entry stands alone, the results are in the same order.

        A watch of the same (provider, api_path, task_id) keeps its metadata and deadline and gains the
        callbacks with a new URL. If it has ended with an event, each gained callback that subscribes to the
        event gets a delivery of it. The delivery is due at the entry's ``registered_at`` and given up at
        ``give_up_at``.

        If the durations of an api_path are known, the first poll of a new watch waits until such tasks begin
        to end (``core/polling/learned_schedule.py``).

        A new watch beyond ``max_live`` live ones results in WatchLimitReached. An entry that would give a
        watch more than ``MAX_CALLBACKS`` callbacks changes nothing and results in CallbackLimitReached.
        """
        ...

    async def watch(self, watch_id: str) -> WatchDetail | None:
        """Read one watch with its event and deliveries; None if there is no such id."""
        ...

    async def payload(self, watch_id: str) -> bytes | None:
        """Read the provider's last reply, of the round that ended last, as it was sent or beside the event.

        None if there is no such id, if the watch runs, or if its end was not reported by the provider.
        """
        ...

    async def history(self, watch_id: str) -> WatchHistory | None:
        """Read all that the timeline of a watch shows; None if there is no such id."""
        ...

    async def watches(self, query: WatchQuery) -> list[Watch]:
        """List a page of watches. It ends early where it holds ``MAX_PAGE_BYTES`` (``is_page_full``)."""
        ...

    async def find(
        self, watch_ids: Iterable[str], delivery_ids: Iterable[str], *, deliveries_of: Iterable[str]
    ) -> RowsById:
        """Read the rows of these ids that exist, and all deliveries of ``deliveries_of``, in one snapshot.

        It ends early where the watches have ``MAX_PAGE_BYTES``.

        The arguments must not change until it returns.
        """
        ...

    async def claim_watches(
        self, provider: str, *, now: int, limit: int, lease: Lease, rules: ClaimRules = UNRESTRICTED
    ) -> ClaimedWatches:
        """Claim at most ``limit`` live watches that are due (``due_at <= now``), as ``choose_polls`` chooses.

        A due watch of a blocked path is held until it has room. So is what one claim cannot choose from.
        """
        ...

    async def claim_past_deadline(
        self,
        provider: str,
        *,
        now: int,
        limit: int,
        lease: Lease,
        deadline_from: int | None = None,
        paths: Mapping[str, int] = MappingProxyType({}),
    ) -> ClaimedWatches:
        """Claim live watches that are due and have ``deadline_from <= expires_at <= now``.

        Without ``deadline_from``, only those held in the queues of ``paths``, each with its own deadline.
        """
        ...

    async def recall_deferred(self, provider: str, *, api_path: str | None, limit: int) -> int:
        """Make at most ``limit`` watches due when they would have been without a ``Retry-After``.

        Return their number. These are watches of ``api_path``; without it, all that a 429 put off.
        """
        ...

    async def polling_state(self) -> PollingState:
        """Read what the poller must know after a restart."""
        ...

    async def record_breaker(self, breaker: ProviderBreaker) -> None:
        """Store the circuit breaker, or forget it if it does not block. It may wait for other writes."""
        ...

    async def providers(self) -> list[str]:
        """List the names of all providers that a watch was ever registered for."""
        ...

    async def record_wait(self, watch: Watch, lease: Lease, wait: PollAgain, *, now: int) -> bool:
        """Record the result of a poll and when the next one is due. It may wait for other writes."""
        ...

    async def completion(self, watch_id: str) -> str | None:
        """Return what ``record_wait`` stored of a completed task whose result is still to be read."""
        ...

    async def record_end(
        self, watch: Watch, lease: Lease, end: EndWatch, event: Event, *, now: int, give_up_at: int
    ) -> bool:
        """End the watch, store its event and create its deliveries, due now, all or nothing.

        If the end has a duration, it is added to the durations of the api_path.
        """
        ...

    async def learned(self, *, limit: int) -> list[PathDurations]:
        """List the learned durations by api_path, those of most tasks first."""
        ...

    async def recent(self, *, limit: int) -> RecentActivity:
        """List the ``limit`` watches that ended last, and the times of as many delivered callbacks.

        Watches that a user stopped or resumed are left out, because their times say nothing about polling.
        """
        ...

    async def stop_watch(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        """End a watch for a user. A stopped watch stays stopped; other ended ones are a CONFLICT."""
        ...

    async def resume_watch(
        self, watch_id: str, *, now: int, expires_at: int, max_live: int
    ) -> Watch | ChangeRefused | WatchLimitReached:
        """Start a new round of an expired, lost or stopped watch, due now. Others are a CONFLICT.

        A live watch is a CONFLICT too. Beyond ``max_live`` live watches the result is WatchLimitReached.
        """
        ...

    async def poll_now(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        """Make a live watch due now, unless it is being polled. Ended watches are a CONFLICT."""
        ...

    async def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """List a page of deliveries; see ``watches``."""
        ...

    async def delivery(self, delivery_id: str) -> DeliveryDetail | None:
        """Read one delivery with its attempts; None if there is no such id."""
        ...

    async def message(self, delivery_id: str) -> bytes | None:
        """Read the body that every attempt of a delivery sends; None if there is no such id."""
        ...

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
        """Claim pending deliveries that are due, in rotation over the endpoints.

        ``busy`` counts the requests in flight to each origin (``core.formats.urls.url_to_origin``). Together
        with the claimed ones no origin has more than ``per_origin``. ``slots`` are those in use by class: no
        class has more than its part, and no origin two of one class that does not work. What a user sends
        again goes first, whatever the health of its endpoint. ``rates`` limits how many others start now at
        each origin. ``next_due_at`` leaves out endpoints that have no room.

        The claimed bodies of more than ``UNCOUNTED_BYTES`` have at most ``max_bytes`` together. The first of
        them may have more if ``max_bytes`` is all of ``MAX_CLAIMED_BYTES``: it goes alone. One that has to
        wait holds up those behind it, but no short ones.
        """
        ...

    async def record_attempt(
        self,
        delivery: ClaimedDelivery,
        lease: Lease,
        attempt: Attempt,
        decision: AttemptDecision,
        result: AttemptResult,
        *,
        now: int,
    ) -> AttemptRecorded | None:
        """Record an attempt, and what follows from it for the delivery and for the gate of its endpoint.

        When the gate opens, every delivery that waits behind it becomes due, in bounded steps that claims
        continue. None means that the claim has ended.
        """
        ...

    async def redeliver(self, delivery_id: str, *, now: int, give_up_at: int) -> Delivery | ChangeRefused:
        """Make a delivery of any state pending and due now, with a new ``give_up_at``.

        One attempt goes out whatever the gate of the endpoint says.
        """
        ...

    async def give_up_delivery(self, delivery_id: str, *, now: int) -> Delivery | ChangeRefused:
        """Make a pending delivery dead for a user. A dead one stays as it is; a delivered one is a CONFLICT.

        The result of an attempt in flight is not recorded.
        """
        ...

    async def give_up_endpoint(self, endpoint_id: str, *, now: int) -> int | ChangeRefused:
        """Give up all deliveries that wait for the endpoint now, and return their number.

        It is done in bounded steps, and survives a restart. Claims of deliveries continue it.
        """
        ...

    async def endpoints(self, *, before: str | None, limit: int) -> list[EndpointDetail]:
        """List a page of endpoints, newest first; ``before`` is the last id of the page before."""
        ...

    async def pause_endpoint(self, endpoint_id: str) -> EndpointDetail | ChangeRefused:
        """Send nothing to the endpoint until it is resumed. Requests in flight are not interrupted."""
        ...

    async def resume_endpoint(self, endpoint_id: str, *, now: int) -> EndpointDetail | ChangeRefused:
        """Open the gate of the endpoint, whatever closed it, and make all that waits due now."""
        ...

    async def start_replay(self, query: ReplayQuery, *, now: int, dry_run: bool) -> int | BulkLimitReached:
        """Start to send again all deliveries that match now, and return their number. A dry run only counts.

        Pending deliveries do not match, because they are sent anyway. ``replay_some`` does the work, which
        survives a restart. At most ``MAX_BULK_CHANGES`` replays are under way or waiting.
        """
        ...

    async def replay_some(self, *, now: int, give_up_at: int, limit: int) -> int | None:
        """Make at most ``limit`` deliveries of the oldest replay pending and due, and return their number.

        None means that no replay is under way. Deliveries that are pending or in flight are passed over, so 0
        does not mean the end.
        """
        ...

    async def start_watch_change(
        self,
        change: WatchChange,
        *,
        now: int,
        expire_after_ms: Mapping[str, int],
        max_live: int,
        dry_run: bool,
    ) -> int | BulkLimitReached | WatchLimitReached:
        """Start to stop or resume all watches that match now, and return their number. A dry run only counts.

        ``expire_after_ms`` has the deadline of each configured provider. The watches of others are not
        resumed. ``change_some_watches`` does the work, which survives a restart. At most ``MAX_BULK_CHANGES``
        are under way or waiting. If there is no room for all that match, the result is WatchLimitReached.
        """
        ...

    async def change_some_watches(
        self, *, now: int, expire_after_ms: Mapping[str, int], max_live: int, limit: int
    ) -> WatchesChanged | None:
        """Stop or resume at most ``limit`` watches of the oldest bulk change. None: none is under way.

        Each is changed as ``stop_watch`` and ``resume_watch`` do. Watches that do not match any more are
        passed over, so no ids do not mean the end.
        """
        ...

    async def give_up_overdue(self, *, now: int, limit: int) -> int:
        """Give up deliveries that waited behind a closed gate past their ``give_up_at``; return their number.

        Deliveries of a paused or parked endpoint are left alone.
        """
        ...

    async def counts(self, *, now: int) -> Counts:
        """Read the totals, at a cost that does not grow with the rows."""
        ...

    async def prune(
        self,
        *,
        delivered_before: int,
        dead_before: int,
        limit: int,
        place: tuple[int, int] | None = None,
    ) -> PruneStep:
        """Delete at most ``limit`` ended watches with all that belongs to them, in one bounded step.

        It starts at the ``place`` that the last step returned, or at the oldest watch.
        A watch is deleted if it ended before ``delivered_before`` and none of its deliveries is pending. Each
        of its delivered ones must have ended before ``delivered_before``, each dead one before
        ``dead_before``. The oldest attempts beyond a fixed total are deleted too.
        """
        ...

    async def shift_times(self, delta_ms: int) -> None:
        """Move every time that is waited for by ``delta_ms``, after the wall clock was stepped by as much.

        Times from which something is counted move too, if this clock made them: since the store was first
        opened in this boot of the machine. These are the registration and last poll of live watches (their
        age) and the end of ended ones (their retention). If the shift cannot be written, all writes that were
        submitted after it are refused with it, because they carry times of the new clock.
        """
        ...

    async def heartbeat(self, *, now: int) -> None:
        """Record that the daemon ran at ``now``, which also shows that the disk takes writes."""
        ...

    async def maintain(self) -> None:
        """Do what the database needs from time to time, such as a checkpoint of its log."""
        ...

    def add_listener(self, listener: ChangeListener) -> None:
        """Notify ``listener`` of every change from now on, once the change is committed."""
        ...

    @property
    def trouble(self) -> Cause | None:
        """Why the last write was refused by the disk; None after one that succeeded."""
        ...

    async def until_closed(self) -> None:
        """Return when the store is closed; raise NotifierError if it cannot write any more before that."""
        ...

    async def close(self) -> None:
        """Write what is waiting, then close."""
        ...

"""What a store promises, whatever database stands behind it.

Every verb that writes is one transaction that has reached the disk when it returns. It raises
``StoreUnavailable`` (or ``StoreFull``) when it could not be written; then nothing of it was kept. Where the
disk fails in the commit itself, a crash right after may still bring it back; the cause then says so.

Claims carry an owner and a lease: a row that is claimed is handed to nobody else until its lease ends or
its owner records it. Records are guarded by the claim: a record whose row has moved on since returns False
and changes nothing, so that the first outcome wins.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from notifier.core.delivery.endpoint import Report
from notifier.core.model import (
    Attempt,
    ClaimedDelivery,
    Delivery,
    Event,
    NewWatch,
    Watch,
)
from notifier.core.polling.verdict import EndWatch, PollAgain, Sequel
from notifier.core.timeline import WatchHistory
from notifier.store.changes import ChangeListener
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
    Lease,
    PathDurations,
    RecentActivity,
    ReplayLimitReached,
    ReplayQuery,
    RowsById,
    WatchAdded,
    WatchDetail,
    WatchLimitReached,
    WatchQuery,
)


class Store(Protocol):
    """The verbs. ``now`` is epoch milliseconds."""

    async def add_watches(
        self, new: Sequence[NewWatch], *, give_up_at: int, max_live: int
    ) -> list[WatchAdded | WatchLimitReached | CallbackLimitReached]:
        """Register; each entry stands alone, results in order, all in one transaction.

        A known (provider, api_path, task_id) keeps its metadata and deadline and gains the callbacks whose
        URL is new to it; if it has ended with an event, each gained callback that wants that event gets a
        delivery of that very event, due at its ``registered_at``, to be given up at ``give_up_at``.
        Of a new watch whose kind is known the first poll is put where such tasks start to end
        (``core.learned.first_poll_at``).
        A new watch beyond ``max_live`` watching ones is refused as TooMany; what would
        give a watch more than ``MAX_CALLBACKS`` callbacks is refused, whole, as TooManyCallbacks.
        """
        ...

    async def watch(self, watch_id: str) -> WatchDetail | None:
        """One watch with event and deliveries."""
        ...

    async def history(self, watch_id: str) -> WatchHistory | None:
        """All that is kept of a watch, for its timeline; None when there is none of this id."""
        ...

    async def watches(self, query: WatchQuery) -> list[Watch]:
        """A page of watches."""
        ...

    async def find(
        self, watch_ids: Iterable[str], delivery_ids: Iterable[str], *, deliveries_of: Iterable[str]
    ) -> RowsById:
        """Those of these that there are, and all deliveries of ``deliveries_of``, as of one instant."""
        ...

    async def claim_watches(
        self, provider: str, *, now: int, limit: int, lease: Lease, deadline_from: int | None = None
    ) -> ClaimedWatches:
        """Claim watching ones that are due (``due_at <= now``), most overdue first.

        ``deadline_from`` claims those whose ``deadline_from <= expires_at <= now`` and no others.
        """
        ...

    async def providers(self) -> list[str]:
        """The names of all providers that a watch was ever registered for."""
        ...

    async def record_wait(self, watch: Watch, lease: Lease, wait: PollAgain, *, now: int) -> bool:
        """Write what a poll found and when the next one is due. Not urgent: may wait for company."""
        ...

    async def record_end(
        self, watch: Watch, lease: Lease, end: EndWatch, event: Event, *, now: int, give_up_at: int
    ) -> bool:
        """End the watch, keep its event and create its deliveries (due now), all or nothing.

        With them goes how long the task took, if the end says so, into what is known of its kind.
        """
        ...

    async def learned(self, *, limit: int) -> list[PathDurations]:
        """What is known of how long tasks take, by api_path, those with most finishes first."""
        ...

    async def recent(self, *, limit: int) -> RecentActivity:
        """What is to be told of the ``limit`` watches that ended last, and of as many delivered callbacks.

        Watches that their user stopped or resumed are left out.
        """
        ...

    async def stop_watch(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        """End a watch on the user's word. A stopped one stays stopped; other ends are a CONFLICT."""
        ...

    async def resume_watch(
        self, watch_id: str, *, now: int, expires_at: int, max_live: int
    ) -> Watch | ChangeRefused | WatchLimitReached:
        """Go on with an expired, lost or stopped watch: a new round, due now. Others are a CONFLICT.

        A watching one is a CONFLICT too. Beyond ``max_live`` watching ones it is refused as TooMany.
        """
        ...

    async def poll_now(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        """Make a watching one due now; one that is being polled is left alone. Ended ones: CONFLICT."""
        ...

    async def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """A page of deliveries."""
        ...

    async def delivery(self, delivery_id: str) -> DeliveryDetail | None:
        """One delivery with its attempts."""
        ...

    async def message(self, delivery_id: str) -> bytes | None:
        """The body that every attempt of a delivery sends; None when there is none of this id."""
        ...

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
        """Claim pending deliveries that are due, fairly: round robin over endpoints.

        ``busy`` counts what is in flight to each origin (``core.urls.origin_of``); with what is claimed
        no origin exceeds ``per_origin``. ``trials`` are the origins where a dispatch with ``is_trial`` is in
        flight; they get no second one, and with what is claimed there are ``max_trials`` of them at most.
        ``next_due_at`` leaves out endpoints for which there is no room.
        """
        ...

    async def record_attempt(
        self,
        delivery: ClaimedDelivery,
        lease: Lease,
        attempt: Attempt,
        sequel: Sequel,
        report: Report,
        *,
        now: int,
    ) -> AttemptRecorded | None:
        """Keep the attempt, what follows from it for the delivery, and what for its endpoint's gate.

        When the gate opens, everything that waits behind it is due now. None: the claim is not ours any more.
        """
        ...

    async def redeliver(self, delivery_id: str, *, now: int, give_up_at: int) -> Delivery | ChangeRefused:
        """Make a delivery of any state pending and due now, with a fresh budget, for one attempt at once.

        That attempt goes out whatever the endpoint's gate says.
        """
        ...

    async def endpoints(self, *, before: str | None, limit: int) -> list[EndpointDetail]:
        """A page of endpoints, newest first; ``before`` is the id that the last page ended with."""
        ...

    async def pause_endpoint(self, endpoint_id: str) -> EndpointDetail | ChangeRefused:
        """Send it nothing until it is resumed; what is in flight ends."""
        ...

    async def resume_endpoint(self, endpoint_id: str, *, now: int) -> EndpointDetail | ChangeRefused:
        """Open it, whatever held it, and have everything that waits due now."""
        ...

    async def start_replay(self, query: ReplayQuery, *, now: int, dry_run: bool) -> int | ReplayLimitReached:
        """Begin to send again what matches now, and return how many that is; a dry run only counts.

        No more than ``MAX_REPLAYS`` are under way or wait for their turn.

        What is pending is sent anyway and does not match. The work is done by ``replay_some`` and survives a
        restart.
        """
        ...

    async def replay_some(self, *, now: int, give_up_at: int, limit: int) -> int | None:
        """Make at most ``limit`` deliveries of the oldest replay pending and due; returns how many.

        None when there is no replay under way. What is pending already, or in flight, is passed over; so 0
        does not mean the end.
        """
        ...

    async def give_up_overdue(self, *, now: int, limit: int) -> int:
        """Declare dead what has waited behind a closed gate past its ``give_up_at``; returns how many.

        What a user or a 410 holds is left alone.
        """
        ...

    async def counts(self, *, now: int) -> Counts:
        """Cheap totals."""
        ...

    async def prune(self, *, delivered_before: int, dead_before: int, limit: int) -> int:
        """Forget at most ``limit`` ended watches with all that belongs to them; returns how many.

        A watch goes when it ended before ``delivered_before``, none of its deliveries is pending, and each
        dead one ended before ``dead_before`` and each delivered one before ``delivered_before``. The oldest
        attempts go too where there are more than a fixed number, in all and of each delivery.
        """
        ...

    async def shift_times(self, delta_ms: int) -> None:
        """Move every waiting time by ``delta_ms``, after the wall clock was stepped by as much.

        So are the instants told by this clock, since the store was first opened in this boot of the machine,
        that something is counted from: the registration and the last poll of what is watched (its age), the
        end of what has ended (how long it is kept). Where it cannot be written, what was handed in after it,
        and so told by the new time, is refused with it.
        """
        ...

    async def heartbeat(self, *, now: int) -> None:
        """Note that the daemon lived at ``now``, and that the disk takes writes."""
        ...

    async def maintain(self) -> None:
        """Do what the database wants done now and then, such as a checkpoint of its log."""
        ...

    def add_listener(self, listener: ChangeListener) -> None:
        """Notify ``listener`` of every change from now on, once the change is committed."""
        ...

    async def until_closed(self) -> None:
        """Return once it is closed; raises NotifierError if it can take no write any more before that."""
        ...

    async def close(self) -> None:
        """Write out what is waiting, then close."""
        ...

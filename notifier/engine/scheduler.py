"""APScheduler rings; it knows nothing that matters.

Each bell is one job that is re-armed after every ring, so there is never a list of missed runs. What
APScheduler 3 does not do by itself stands here: it drops late jobs unless told otherwise (misfire grace),
skips a job that comes due while it runs, sleeps on when the wall clock is set back, and cancels running
coroutines when it is shut down.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import structlog
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from notifier.core.causes.cause import Cause
from notifier.errors import NotifierError, StoreUnavailable
from notifier.ports import Clock

MIN_SPACING_S = 0.02  # rings gather what falls due meanwhile: one claim for many watches
DIRECT_TIMER_S = 0.02  # a ring as near as this is not worth the scheduler's work for it
AFTER_CRASH_MS = 1_000  # no record of why; changing it needs a measurement
OVERDUE_S = 0.5  # no record of why; changing it needs a measurement
MAX_WAIT_S = 60.0  # no bell wants to wait longer: such an instant is from before the clock was set back
# When to ring if nobody re-arms: a job with no next time is thrown away.
FALLBACK_TRIGGER = IntervalTrigger(days=1, timezone=UTC)

log = structlog.get_logger()

Run = Callable[[], Awaitable[int]]
Failed = asyncio.Future[NotifierError]


class PeriodicJob:
    """Calls ``ring``, which says when it wants to be called next. ``at`` asks for an earlier call.

    ``spacing_s`` is the least time between two rings; ``trouble`` says why the last one came to nothing.
    """

    def __init__(
        self, name: str, run: Run, scheduler: AsyncIOScheduler, clock: Clock, failed: Failed
    ) -> None:
        self.name = name
        self.spacing_s = MIN_SPACING_S
        self.trouble: Cause | None = None
        self._failed = failed
        self._run = run
        self._scheduler = scheduler
        self._clock = clock
        self._job: Job | None = None
        self._requested_at: int | None = None
        self._armed_for = float("inf")
        self._ran_at = float("-inf")
        self._is_running = False
        self._is_enabled = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def arm(self) -> None:
        """Ring from now on, the first time at once."""
        self._is_enabled = True
        self.run_at(self._clock.now())

    def run_at(self, instant: int) -> None:
        """Ring at ``instant`` (epoch milliseconds) or, if that is sooner, when it would have rung anyway."""
        if not self._is_enabled:
            return
        if self._is_running:
            self._requested_at = instant if self._requested_at is None else min(self._requested_at, instant)
            return
        monotonic = self._clock.monotonic()
        requested_s = min((instant - self._clock.now()) / 1_000, MAX_WAIT_S)
        wait_s = max(requested_s, self._ran_at + self.spacing_s - monotonic, 0.0)
        if monotonic + wait_s < self._armed_for:
            self._arm(wait_s)

    def check(self) -> None:
        """Re-arm if the ring is overdue: the wall clock that APScheduler goes by was set back."""
        late_s = self._clock.monotonic() - self._armed_for
        if self._is_enabled and not self._is_running and late_s > OVERDUE_S:
            log.info("bell.rearmed", bell=self.name, late_s=round(late_s, 3))
            self._arm(0.0)

    async def close(self) -> None:
        """Ring no more; wait for the ring under way."""
        self._is_enabled = False
        await self._idle.wait()

    def _arm(self, wait_s: float) -> None:
        """Have it rung: by the scheduler or, if that is soon, by the loop, at a fraction of the price."""
        self._armed_for = self._clock.monotonic() + wait_s
        if self._timer is not None:
            self._timer.cancel()
        if wait_s > DIRECT_TIMER_S:
            self._schedule(wait_s)
        else:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._start)

    def _start(self) -> None:
        self._task = asyncio.create_task(self._run_once(), name=f"bell {self.name}")

    def _schedule(self, wait_s: float) -> None:
        when = datetime.now(UTC) + timedelta(seconds=wait_s)
        if self._job is None:
            self._job = self._scheduler.add_job(
                self._run_once,
                FALLBACK_TRIGGER,
                id=self.name,
                next_run_time=when,
                misfire_grace_time=None,
                coalesce=True,
            )
        else:
            self._job.modify(next_run_time=when)

    async def _run_once(self) -> None:
        if not self._is_enabled or self._is_running:
            return
        self._is_running = True
        self._idle.clear()
        next_at = self._clock.now() + AFTER_CRASH_MS
        try:
            next_at = await self._run()
            self._clear_trouble()
        except StoreUnavailable as error:
            self._record_trouble(error)
        except NotifierError as error:
            self._fail(error)
        except Exception:
            log.exception("bell.crashed", bell=self.name)
        finally:
            self._is_running = False
            self._idle.set()
            self._rearm(next_at)

    def _record_trouble(self, error: StoreUnavailable) -> None:
        """Tell it once, not with each ring: a full disk may hold the log as well."""
        if self.trouble != error.reason:
            log.error("store.unavailable", bell=self.name, **error.log_fields())
        self.trouble = error.reason

    def _clear_trouble(self) -> None:
        if self.trouble is not None:
            log.info("store.recovered", bell=self.name)
        self.trouble = None

    def _fail(self, error: NotifierError) -> None:
        """Hand it on: it needs the operator, and no later ring would fare better."""
        if not self._failed.done():
            self._failed.set_result(error)

    def _rearm(self, next_at: int) -> None:
        self._ran_at = self._clock.monotonic()
        self._armed_for = float("inf")
        requested_at, self._requested_at = self._requested_at, None
        self.run_at(next_at if requested_at is None else min(next_at, requested_at))


class JobScheduler:
    """All bells of the daemon on one scheduler. Make it inside the running loop."""

    def __init__(self, clock: Clock) -> None:
        self._failed: Failed = asyncio.get_running_loop().create_future()
        self._clock = clock
        # UTC: no time zone file and no TZ variable can move a ring. Many instances: a job that is re-armed
        # before its last run has left the executor would be skipped for good; bells see to it themselves
        # that no two rings overlap.
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"max_instances": 1_000})
        self._jobs: list[PeriodicJob] = []

    def add(self, name: str, run: Run) -> PeriodicJob:
        """Hang up a bell; it is silent until ``start``."""
        job = PeriodicJob(name, run, self._scheduler, self._clock, self._failed)
        self._jobs.append(job)
        return job

    @property
    def trouble(self) -> Cause | None:
        """Why the store keeps a bell from its work; None while it does not."""
        return next((job.trouble for job in self._jobs if job.trouble is not None), None)

    def start(self) -> None:
        """Ring all, and go on as they say."""
        self._scheduler.start()
        for job in self._jobs:
            job.arm()

    def check(self) -> None:
        """Look after every bell; to be called about once a second by something that is no job."""
        for job in self._jobs:
            job.check()

    async def until_failed(self) -> NoReturn:
        """Raise the first fault of ours that a ring has met and that waiting does not mend."""
        raise await self._failed

    async def stop(self) -> None:
        """Silence all: no ring is cancelled, none starts any more."""
        for job in self._jobs:
            await job.close()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

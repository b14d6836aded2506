"""Run the daemon's periodic jobs on APScheduler.

All state is in the database; a job only returns when it must run next. It is scheduled again after each run,
so there is never a list of missed runs. This file also makes up for APScheduler 3. It drops late jobs by
default (misfire grace) and skips a job that comes due while it runs. It sleeps on when the wall clock is set
back, and cancels running coroutines at shutdown.
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

MIN_SPACING_S = 0.02  # between two runs, so that one claim takes many watches
DIRECT_TIMER_S = 0.02  # a run as near as this uses a timer of the loop, which costs less
AFTER_CRASH_MS = 1_000  # no record of why; changing it needs a measurement
OVERDUE_S = 0.5  # no record of why; changing it needs a measurement
MAX_WAIT_S = 60.0  # no job waits longer: a later instant is from before the clock was set back
# Used only if a job is not scheduled again, because APScheduler deletes a job without a next time.
FALLBACK_TRIGGER = IntervalTrigger(days=1, timezone=UTC)

log = structlog.get_logger()

Run = Callable[[], Awaitable[int]]
FailureFuture = asyncio.Future[NotifierError]


class PeriodicJob:
    """Calls ``run``, which returns when it must be called next. ``run_at`` requests an earlier call.

    ``spacing_s`` is the minimum time between two runs; ``trouble`` is why the last one failed.
    """

    def __init__(
        self, name: str, run: Run, scheduler: AsyncIOScheduler, clock: Clock, failure: FailureFuture
    ) -> None:
        self.name = name
        self.spacing_s = MIN_SPACING_S
        self.trouble: Cause | None = None
        self._failure = failure
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
        """Start the job. It runs at once."""
        self._is_enabled = True
        self.run_at(self._clock.now())

    def run_at(self, instant: int) -> None:
        """Run at ``instant`` (epoch milliseconds), or at the scheduled time if that is earlier."""
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
        """Schedule an overdue run again, because the wall clock of APScheduler was set back."""
        late_s = self._clock.monotonic() - self._armed_for
        if self._is_enabled and not self._is_running and late_s > OVERDUE_S:
            log.info("bell.rearmed", bell=self.name, late_s=round(late_s, 3))
            self._arm(0.0)

    async def close(self) -> None:
        """Stop the job, and wait for a run in progress."""
        self._is_enabled = False
        await self._idle.wait()

    def _arm(self, wait_s: float) -> None:
        """Schedule the next run: on APScheduler, or on a timer of the loop if it is soon."""
        self._armed_for = self._clock.monotonic() + wait_s
        if self._timer is not None:
            self._timer.cancel()
        if wait_s > DIRECT_TIMER_S:
            self._schedule(wait_s)
        else:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._start)

    def _start(self) -> None:
        self._task = asyncio.create_task(self._run_once(), name=f"job {self.name}")

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
        """Log a trouble once and not for each run, because a full disk may also have the log."""
        if self.trouble != error.reason:
            log.error("store.unavailable", bell=self.name, **error.log_fields())
        self.trouble = error.reason

    def _clear_trouble(self) -> None:
        if self.trouble is not None:
            log.info("store.recovered", bell=self.name)
        self.trouble = None

    def _fail(self, error: NotifierError) -> None:
        """Report an error that needs the operator, because each later run would have it too."""
        if not self._failure.done():
            self._failure.set_result(error)

    def _rearm(self, next_at: int) -> None:
        self._ran_at = self._clock.monotonic()
        self._armed_for = float("inf")
        requested_at, self._requested_at = self._requested_at, None
        self.run_at(next_at if requested_at is None else min(next_at, requested_at))


class JobScheduler:
    """All jobs of the daemon on one scheduler. Create it in the running loop."""

    def __init__(self, clock: Clock) -> None:
        self._failure: FailureFuture = asyncio.get_running_loop().create_future()
        self._clock = clock
        # UTC, so that no time zone file and no TZ variable moves a run. Many instances, because a job that is
        # scheduled before its last run has left the executor would be skipped for ever. PeriodicJob itself
        # prevents overlapping runs.
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"max_instances": 1_000})
        self._jobs: list[PeriodicJob] = []

    def add(self, name: str, run: Run) -> PeriodicJob:
        """Add a job. It does not run before ``start``."""
        job = PeriodicJob(name, run, self._scheduler, self._clock, self._failure)
        self._jobs.append(job)
        return job

    @property
    def trouble(self) -> Cause | None:
        """Why the store prevents the work of a job; None if it does not."""
        return next((job.trouble for job in self._jobs if job.trouble is not None), None)

    def start(self) -> None:
        """Start all jobs."""
        self._scheduler.start()
        for job in self._jobs:
            job.arm()

    def check(self) -> None:
        """Check every job. It must be called about once a second, and not by a job."""
        for job in self._jobs:
            job.check()

    async def until_failed(self) -> NoReturn:
        """Raise the first error of a run that needs the operator."""
        raise await self._failure

    async def stop(self) -> None:
        """Stop all jobs. No run is cancelled, and none starts any more."""
        for job in self._jobs:
            await job.close()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

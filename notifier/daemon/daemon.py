"""Assemble the daemon: make every part, pass it what it needs, and start and stop the parts in order."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable

import structlog

from notifier.api.app import build_app
from notifier.api.event_feed import EventFeed
from notifier.api.routes import API_ROUTES
from notifier.api.services import Services
from notifier.clock import SystemClock
from notifier.config.load import InvalidConfig
from notifier.config.model import Config
from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.daemon import log_setup, sdnotify
from notifier.daemon.descriptors import make_server_protocol
from notifier.daemon.http_clients import HttpClients
from notifier.daemon.interfaces import find_own_addresses
from notifier.daemon.key_renewal import KeyRenewal
from notifier.daemon.metrics import Metrics, MetricsReport
from notifier.daemon.settings import add_signing_secrets, keep_open_resources, make_api_settings
from notifier.daemon.watchdog import STALE_S, Tick, Watchdog
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.clock_watch import ClockWatch
from notifier.engine.deliverer import Deliverer
from notifier.engine.housekeeping import Housekeeping
from notifier.engine.poller import Poller
from notifier.engine.replayer import Replayer
from notifier.engine.scheduler import JobScheduler, PeriodicJob
from notifier.engine.waiters import WatchWaiters
from notifier.engine.watch_changer import WatchChanger
from notifier.errors import NotifierError
from notifier.results.image_proxy import ImageProxy
from notifier.server.server import EmbeddedServer
from notifier.server.sessions import BrowserSessions
from notifier.store.protocol import Store
from notifier.web.render import render_problem
from notifier.web.routes import WEB_ROUTES

DRAIN_S = 20.0  # above the 15 s that an exchange takes by default; docs/FAULTS.md row 8
DELIVER_SPACING_S = 0.002  # an origin has few connections, so a free one is used soon
SERVER_GRACE_S = 5  # for running API requests; no record of why; changing it needs a measurement

log = structlog.get_logger()


class Daemon:
    """All parts of the daemon. ``load`` loads the configuration at a reload."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        clock: SystemClock,
        bound: socket.socket,
        owner: str,
        load: Callable[[], Config],
        metrics: Metrics,
    ) -> None:
        self._owner = owner
        self._load = load
        self._metrics = metrics
        self._rng = random.SystemRandom()
        self._store = store
        self._feed = self._make_feed()
        self._clock = clock
        self._bound = bound
        self._config = add_signing_secrets(config)
        self._own_addresses = find_own_addresses(bound)
        self._waiters = WatchWaiters()
        self._polls, self._sends = BackgroundTasks(), BackgroundTasks()
        self._scheduler = JobScheduler(clock)
        self._clients = HttpClients(self._config, self._own_addresses)
        self._poller = self._make_poller()
        self._deliverer = self._make_deliverer()
        self._replayer = Replayer(
            store=store, clock=clock, settings=self._config.callbacks, deliver=self.deliver_now
        )
        self._watch_changer = WatchChanger(
            store=store, clock=clock, config=self._config, waiters=self._waiters, poll_at=self.poll_at
        )
        self._housekeeping = Housekeeping(store=store, clock=clock, settings=config.retention)
        self._watchdog = Watchdog(
            store=store, clock=clock, conditions=self._conditions, trouble=self.why_not_ready
        )
        self._poll_job = self._add_observed_job("poll", self._poller.tick)
        self._deliver_job = self._add_observed_job("deliver", self._deliverer.tick)
        self._deliver_job.spacing_s = DELIVER_SPACING_S
        self._replay_job = self._scheduler.add("replay", self._replayer.tick)
        self._watch_change_job = self._scheduler.add("watch_change", self._watch_changer.tick)
        self._scheduler.add("housekeeping", self._housekeeping.tick)
        self._key_renewal = KeyRenewal(clock=clock, config=lambda: self._config, adopt=self._adopt_keys)
        self._key_job = self._scheduler.add("keys", self._key_renewal.tick)
        self._clock_watch = ClockWatch(
            store=store, clock=clock, scheduler=self._scheduler, shift=self._shift, meter=metrics
        )
        self._stopping = asyncio.Event()
        self._api_settings = make_api_settings(self._config, self._own_addresses)
        self._server = self._make_server()

    # -- start and stop

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Work until ``stop``, then wait for running requests, within limits.

        A part that fails ends the daemon, because a daemon without it would seem to work.
        """
        server = asyncio.create_task(self._server.run_until_stopped(), name="serve")
        clock_watch = asyncio.create_task(self._clock_watch.run(), name="clock watch")
        store = asyncio.create_task(self._store.until_closed(), name="store")
        jobs = asyncio.create_task(self._scheduler.until_failed(), name="jobs")
        watchdog = asyncio.create_task(self._watchdog.run(), name="watchdog")
        parts: tuple[asyncio.Task[None], ...] = (server, clock_watch, store, jobs, watchdog)
        stop: asyncio.Task[bool] = asyncio.create_task(self._stopping.wait(), name="wait")
        is_up: asyncio.Task[bool] = asyncio.create_task(self._server.is_up.wait(), name="up")
        try:
            await asyncio.wait({server, is_up}, return_when=asyncio.FIRST_COMPLETED)
            if not server.done():  # else it cannot serve, and must not report readiness
                self._scheduler.start()
                on_ready()
                await asyncio.wait({*parts, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, is_up, watchdog):
                task.cancel()
            await self._stop_parts(*parts)
        for part in parts:
            if not part.cancelled() and (error := part.exception()) is not None:
                raise error

    def stop(self) -> None:
        """Start the stop."""
        self._stopping.set()

    async def _stop_parts(self, server: asyncio.Task[None], *others: asyncio.Task[None]) -> None:
        """Stop the API, the jobs and running requests, in this order; the caller closes the store."""
        self._server.stop()
        self._waiters.close()
        self._feed.close()
        await self._scheduler.stop()
        cut = await self._polls.drain(DRAIN_S) + await self._sends.drain(DRAIN_S)
        if cut:
            log.warning("daemon.cut_off", count=cut)
        await asyncio.wait({server}, timeout=DRAIN_S)
        for task in others:
            task.cancel()
        await asyncio.gather(server, *others, return_exceptions=True)
        await self._clients.close()

    # -- configuration

    async def reload(self) -> tuple[str, ...]:
        """Reload the configuration. An invalid one changes nothing; return its errors as text."""
        sdnotify.report_reloading()
        outcome = "reload failed; the old configuration stays in effect"
        try:
            new, needs_restart = keep_open_resources(self._load(), self._config, self._bound)
            self._apply(add_signing_secrets(new), needs_restart)
            log.info("config.reloaded", source=new.source)
            outcome = "configuration reloaded"
        except NotifierError as bad:
            errors = tuple(map(str, bad.errors)) if isinstance(bad, InvalidConfig) else (str(bad),)
            log.error("config.refused", faults=list(errors))
            outcome = "the new configuration is invalid; the old one stays in effect"
            return errors
        finally:  # without the end of a reload systemd would report a hang
            sdnotify.report_ready(outcome)
        return ()

    def _adopt_keys(self, new: Config) -> None:
        """Take new keys of providers into effect."""
        self._apply(new, self._api_settings.needs_restart)

    def _apply(self, new: Config, needs_restart: tuple[str, ...]) -> None:
        self._clients.adopt(new)  # first, because a certificate may be refused
        old, self._config = self._config, new
        if old.server != new.server:
            self._feed.end_all()  # every listener must authorize again
        log_setup.set_up(new.log, new.all_secrets)
        self._poller.http_client, self._deliverer.http_client = self._clients.polls, self._clients.callbacks
        self._configure_poller(self._poller)
        self._deliverer.settings = new.callbacks
        self._replayer.settings = new.callbacks
        self._watch_changer.configure(new)
        self._housekeeping.settings = new.retention
        self._api_settings = make_api_settings(self._config, self._own_addresses, needs_restart)
        self.poll_at(self._clock.now())
        self._key_job.run_at(self._clock.now())

    # -- parts

    def _make_feed(self) -> EventFeed:
        feed = EventFeed(
            store=self._store,
            epoch=f"{self._rng.getrandbits(48):012x}",
            condition_of=self.condition_of,
            conditions=self.conditions,
        )
        self._store.add_listener(feed)
        return feed

    def _make_poller(self) -> Poller:
        poller = Poller(
            store=self._store,
            http_client=self._clients.polls,
            clock=self._clock,
            rng=self._rng,
            owner=self._owner,
            waiters=self._waiters,
            tasks=self._polls,
            run_at=self.poll_at,
            deliver=self.deliver_now,
            meter=self._metrics,
        )
        self._configure_poller(poller)
        return poller

    def _configure_poller(self, poller: Poller) -> None:
        callbacks = self._config.callbacks
        poller.configure(
            self._config.providers,
            give_up_after_ms=callbacks.give_up_after_ms,
            max_payload=callbacks.max_payload,
        )

    def _make_deliverer(self) -> Deliverer:
        return Deliverer(
            store=self._store,
            http_client=self._clients.callbacks,
            clock=self._clock,
            rng=self._rng,
            owner=self._owner,
            tasks=self._sends,
            run_at=self.deliver_at,
            settings=self._config.callbacks,
            meter=self._metrics,
        )

    def _add_observed_job(self, name: str, tick: Tick) -> PeriodicJob:
        return self._scheduler.add(name, self._watchdog.observe(name, tick))

    def _make_server(self) -> EmbeddedServer:
        app = build_app(self._make_services(), [*API_ROUTES, *WEB_ROUTES], render_problem)
        return EmbeddedServer(
            app,
            self._bound,
            http=make_server_protocol(self._config),
            timeout_graceful_shutdown=SERVER_GRACE_S,
        )

    def _make_services(self) -> Services:
        return Services(
            store=self._store,
            clock=self._clock,
            settings=lambda: self._api_settings,
            waiters=self._waiters,
            wake=self,
            condition_of=self.condition_of,
            failing_paths=self._poller.list_failing_paths,
            is_ready=self.why_not_ready,
            reload=self.reload,
            feed=self._feed,
            sessions=BrowserSessions(self._clock, self._rng),
            images=ImageProxy(lambda: self._clients.images),
            metrics=MetricsReport(self._metrics, store=self._store, clock=self._clock, status=self).text,
        )

    # -- called by the API and the engine

    def poll_at(self, instant: int) -> None:
        """Schedule a tick of the poller at ``instant`` or earlier."""
        self._poll_job.run_at(instant)

    def deliver_at(self, instant: int) -> None:
        """Schedule a tick of the deliverer at ``instant`` or earlier."""
        self._deliver_job.run_at(instant)

    def deliver_now(self) -> None:
        """Schedule a tick of the deliverer now."""
        self.deliver_at(self._clock.now())

    def _shift(self, delta_ms: int) -> None:
        self._poller.shift(delta_ms)
        self._deliverer.shift(delta_ms)

    def _conditions(self) -> dict[str, str]:
        """Return the reasons of the paused providers."""
        return {name: why.text() for name, why in self.conditions().items() if why is not None}

    def replay_now(self) -> None:
        """Schedule a tick of the replayer now."""
        self._replay_job.run_at(self._clock.now())

    def change_watches_now(self) -> None:
        """Schedule a tick of the watch changer now."""
        self._watch_change_job.run_at(self._clock.now())

    def why_not_ready(self) -> Cause | None:
        """Return why the daemon does not work at present, None if it works. Causes precede symptoms."""
        jobs = self._housekeeping.trouble or self._scheduler.trouble
        return self._store.trouble or jobs or self._why_stale()

    def conditions(self) -> dict[str, Condition | None]:
        """Return for each configured provider why it is paused, None if it is not."""
        return {name: self.condition_of(name) for name in self._config.providers}

    def count_blocked_paths(self) -> dict[str, int]:
        """Return for each configured provider how many of its api_paths are held back."""
        blocked = Counter(provider for provider, _ in self._poller.path_conditions())
        return {name: blocked[name] for name in self._config.providers}

    def condition_of(self, provider: str, api_path: str | None = None) -> Condition | None:
        """Return why a provider, or an api_path of it, is held back, None if it is not."""
        return self._poller.condition_of(provider, api_path)

    def _why_stale(self) -> Cause | None:
        now = self._clock.monotonic()
        for name, ticked_at in (("poller", self._poller.ticked_at), ("deliverer", self._deliverer.ticked_at)):
            if now - ticked_at > STALE_S:
                return Cause(Code.LOOP_STALLED, {"part": name, "seconds": round(now - ticked_at)})
        return None

"""Assemble the daemon: make every part, pass it what it needs, and start and stop the parts in order."""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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
from notifier.daemon.listener import refuse_open_listener
from notifier.daemon.log_lines import hide_secrets
from notifier.daemon.metrics import Metrics, MetricsReport
from notifier.daemon.settings import make_api_settings
from notifier.daemon.signing_secrets import load_or_make_secrets, secret_path
from notifier.daemon.watchdog import STALE_S, Watchdog
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.clock_watch import ClockWatch
from notifier.engine.deliverer import Deliverer
from notifier.engine.housekeeping import Housekeeping
from notifier.engine.poller import Poller
from notifier.engine.replayer import Replayer
from notifier.engine.scheduler import JobScheduler
from notifier.engine.waiters import WatchWaiters
from notifier.errors import NotifierError
from notifier.results.image_proxy import ImageProxy
from notifier.server.server import EmbeddedServer
from notifier.server.sessions import BrowserSessions
from notifier.store.protocol import Store
from notifier.web.render import render_problem
from notifier.web.routes import WEB_ROUTES

DRAIN_S = 20.0  # above the 15 s that an exchange takes by default; docs/FAULTS.md row 8
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
        self._needs_restart: tuple[str, ...] = ()
        self._metrics = metrics
        self._rng = random.SystemRandom()
        self._feed = EventFeed(
            store=store,
            epoch=f"{self._rng.getrandbits(48):012x}",
            condition_of=self.condition_of,
            conditions=self.conditions,
        )
        store.add_listener(self._feed)
        self._store = store
        self._clock = clock
        self._bound = bound
        self._config = self._add_secrets(config)
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
        self._housekeeping = Housekeeping(store=store, clock=clock, settings=config.retention)
        self._watchdog = Watchdog(
            store=store, clock=clock, conditions=self._conditions, trouble=self.why_not_ready
        )
        self._poll_job = self._scheduler.add("poll", self._watchdog.observe("poll", self._poller.tick))
        self._deliver_job = self._scheduler.add(
            "deliver", self._watchdog.observe("deliver", self._deliverer.tick)
        )
        self._deliver_job.spacing_s = 0.002  # an origin has few connections, so a free one is used soon
        self._replay_job = self._scheduler.add("replay", self._replayer.tick)
        self._scheduler.add("housekeeping", self._housekeeping.tick)
        self._clock_watch = ClockWatch(
            store=store, clock=clock, scheduler=self._scheduler, shift=self._shift, meter=metrics
        )
        self._stopping = asyncio.Event()
        self._api_settings = make_api_settings(self._config, self._own_addresses)
        app = build_app(self._make_services(), [*API_ROUTES, *WEB_ROUTES], render_problem)
        self._server = EmbeddedServer(
            app, bound, http=make_server_protocol(self._config), timeout_graceful_shutdown=SERVER_GRACE_S
        )

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
            new = self._add_secrets(self._keep_open_resources(self._load()))
            self._apply(new)
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

    def _keep_open_resources(self, new: Config) -> Config:
        """Keep the open socket and database until a restart, and log keys that need one."""
        refuse_open_listener(self._bound, has_token=bool(new.server.tokens))
        current, self._needs_restart = self._config, ()
        for key, was, now in (
            ("server.listen", current.server.listen, new.server.listen),
            ("store.url", str(Path(current.store.url).absolute()), str(Path(new.store.url).absolute())),
        ):
            if was != now:
                self._needs_restart += (key,)
                log.warning("config.needs_restart", key=key, used=was, configured=now)
        return replace(new, server=replace(new.server, listen=current.server.listen), store=current.store)

    def _apply(self, new: Config) -> None:
        self._clients.adopt(new)  # first, because a certificate may be refused
        old, self._config = self._config, new
        if old.server != new.server:
            self._feed.end_all()  # every listener must authorize again
        log_setup.set_up(new.log, new.all_secrets)
        self._poller.http_client, self._deliverer.http_client = self._clients.polls, self._clients.callbacks
        self._poller.configure(new.providers, give_up_after_ms=new.callbacks.give_up_after_ms)
        self._deliverer.settings = new.callbacks
        self._replayer.settings = new.callbacks
        self._housekeeping.settings = new.retention
        self._api_settings = make_api_settings(self._config, self._own_addresses, self._needs_restart)
        self.poll_at(self._clock.now())

    def _add_secrets(self, config: Config) -> Config:
        if config.callbacks.secrets:
            return config
        path = secret_path(config.store.url)
        secrets, is_new = load_or_make_secrets(path)
        if is_new:
            log.info("secret.made", path=str(path))
        hide_secrets(secrets)
        return replace(config, callbacks=replace(config.callbacks, secrets=secrets))

    # -- parts

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
        poller.configure(self._config.providers, give_up_after_ms=self._config.callbacks.give_up_after_ms)
        return poller

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

    def _make_services(self) -> Services:
        return Services(
            store=self._store,
            clock=self._clock,
            settings=lambda: self._api_settings,
            waiters=self._waiters,
            wake=self,
            condition_of=self.condition_of,
            is_ready=self.why_not_ready,
            reload=self.reload,
            feed=self._feed,
            sessions=BrowserSessions(self._clock, self._rng),
            images=ImageProxy(lambda: self._clients.pictures),
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

    def why_not_ready(self) -> Cause | None:
        """Return why the daemon does not work at present, None if it works. Causes precede symptoms."""
        jobs = self._housekeeping.trouble or self._scheduler.trouble
        return self._store.trouble or jobs or self._why_stale()

    def conditions(self) -> dict[str, Condition | None]:
        """Return for each configured provider why it is paused, None if it is not."""
        return {name: self.condition_of(name) for name in self._config.providers}

    def condition_of(self, provider: str) -> Condition | None:
        """Return why a provider, configured or not, is paused, None if it is not."""
        return self._poller.condition_of(provider)

    def _why_stale(self) -> Cause | None:
        now = self._clock.monotonic()
        for name, ticked_at in (("poller", self._poller.ticked_at), ("deliverer", self._deliverer.ticked_at)):
            if now - ticked_at > STALE_S:
                return Cause(Code.LOOP_STALLED, {"part": name, "seconds": round(now - ticked_at)})
        return None

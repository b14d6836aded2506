"""The daemon put together: every part is made here and handed what it needs. Start and stop, in order."""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from notifier.api.app import build_app
from notifier.api.event_feed import EventFeed
from notifier.api.outputs import ImageProxy
from notifier.api.services import Services
from notifier.clock import SystemClock
from notifier.config.load import InvalidConfig
from notifier.config.model import Config
from notifier.daemon import log_setup, sdnotify
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
from notifier.server.graceful_stop import StoppingProtocol
from notifier.server.server import EmbeddedServer
from notifier.server.sessions import BrowserSessions
from notifier.store.observed import told
from notifier.store.protocol import Store

DRAIN_S = 20.0
SERVER_GRACE_S = 5

log = structlog.get_logger()


class Daemon:
    """All parts, wired. ``load`` reads the configuration again at a reload."""

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
        store = self._store = told(store, self._feed)
        self._clock = clock
        self._bound = bound
        self._config = self._with_secrets(config)
        self._own = find_own_addresses(bound)
        self._waiters = WatchWaiters()
        self._polls, self._sends = BackgroundTasks(), BackgroundTasks()
        self._scheduler = JobScheduler(clock)
        self._clients = HttpClients(self._config, self._own)
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
        self._deliver_job.spacing_s = 0.002  # an origin has few connections: each that is free counts
        self._replay_job = self._scheduler.add("replay", self._replayer.tick)
        self._scheduler.add("housekeeping", self._housekeeping.tick)
        self._clock_watch = ClockWatch(
            store=store, clock=clock, scheduler=self._scheduler, shift=self._shift, meter=metrics
        )
        self._stopping = asyncio.Event()
        self._api_settings = make_api_settings(self._config, self._own)
        app = build_app(self._make_services())
        self._server = EmbeddedServer(
            app, bound, http=StoppingProtocol, timeout_graceful_shutdown=SERVER_GRACE_S
        )

    # -- life

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Work until ``stop``; then let what is under way end, within limits.

        A part that dies takes the daemon with it: half a daemon would look alive and lose time.
        """
        serving = asyncio.create_task(self._server.run_until_stopped(), name="serve")
        watching = asyncio.create_task(self._clock_watch.run(), name="pulse")
        storing = asyncio.create_task(self._store.until_closed(), name="store")
        failing = asyncio.create_task(self._scheduler.until_failed(), name="bells")
        telling = asyncio.create_task(self._watchdog.run(), name="herald")
        parts: tuple[asyncio.Task[None], ...] = (serving, watching, storing, failing, telling)
        waiting: asyncio.Task[bool] = asyncio.create_task(self._stopping.wait(), name="wait")
        up: asyncio.Task[bool] = asyncio.create_task(self._server.is_up.wait(), name="up")
        try:
            await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():  # else it cannot serve, and nobody may be told that it does
                self._scheduler.start()
                on_ready()
                await asyncio.wait({*parts, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, up, telling):
                task.cancel()
            await self._wind_up(*parts)
        for part in parts:
            if not part.cancelled() and (error := part.exception()) is not None:
                raise error

    def stop(self) -> None:
        """Begin the end."""
        self._stopping.set()

    async def _wind_up(self, serving: asyncio.Task[None], *others: asyncio.Task[None]) -> None:
        """Intake, bells, work under way. The caller closes the store after that."""
        self._server.stop()
        self._waiters.close()
        self._feed.close()
        await self._scheduler.stop()
        cut = await self._polls.drain(DRAIN_S) + await self._sends.drain(DRAIN_S)
        if cut:
            log.warning("daemon.cut_off", count=cut)
        await asyncio.wait({serving}, timeout=DRAIN_S)
        for task in others:
            task.cancel()
        await asyncio.gather(serving, *others, return_exceptions=True)
        await self._clients.close()

    # -- configuration

    async def reload(self) -> tuple[str, ...]:
        """Read the configuration again. A bad one changes nothing; its faults are returned in words."""
        sdnotify.report_reloading()
        outcome = "the new configuration could not be read; the old one stays"
        try:
            fresh = self._with_secrets(self._in_place(self._load()))
            self._adopt(fresh)
            log.info("config.reloaded", source=fresh.source)
            outcome = "configuration read again"
        except NotifierError as bad:
            errors = tuple(map(str, bad.errors)) if isinstance(bad, InvalidConfig) else (str(bad),)
            log.error("config.refused", faults=list(errors))
            outcome = "the new configuration is bad; the old one stays"
            return errors
        finally:  # systemd takes a reload without an end for one that hangs
            sdnotify.report_ready(outcome)
        return ()

    def _in_place(self, fresh: Config) -> Config:
        """Leave what is open, the socket and the database, as it is until a restart, and say so."""
        refuse_open_listener(self._bound, has_token=bool(fresh.server.tokens))
        used, self._needs_restart = self._config, ()
        for key, was, now in (
            ("server.listen", used.server.listen, fresh.server.listen),
            ("store.url", str(Path(used.store.url).absolute()), str(Path(fresh.store.url).absolute())),
        ):
            if was != now:
                self._needs_restart += (key,)
                log.warning("config.needs_restart", key=key, used=was, configured=now)
        return replace(fresh, server=replace(fresh.server, listen=used.server.listen), store=used.store)

    def _adopt(self, fresh: Config) -> None:
        self._clients.adopt(fresh)  # first: a certificate may be refused
        old, self._config = self._config, fresh
        if old.server != fresh.server:
            self._feed.cut()  # whoever listens is judged anew
        log_setup.set_up(fresh.log, fresh.all_secrets)
        self._poller.http_client, self._deliverer.http_client = self._clients.polls, self._clients.callbacks
        self._poller.configure(fresh.providers, give_up_after_ms=fresh.callbacks.give_up_after_ms)
        self._deliverer.settings = fresh.callbacks
        self._replayer.settings = fresh.callbacks
        self._housekeeping.settings = fresh.retention
        self._api_settings = make_api_settings(self._config, self._own, self._needs_restart)
        self.poll_at(self._clock.now())

    def _with_secrets(self, config: Config) -> Config:
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
            logins=BrowserSessions(self._clock, self._rng),
            pictures=ImageProxy(lambda: self._clients.pictures),
            metrics=MetricsReport(self._metrics, store=self._store, clock=self._clock, status=self).text,
        )

    # -- what the API may ask of the engine

    def poll_at(self, instant: int) -> None:
        """Have the poller tick at ``instant`` at the latest."""
        self._poll_job.run_at(instant)

    def deliver_at(self, instant: int) -> None:
        """Have the deliverer tick at ``instant`` at the latest."""
        self._deliver_job.run_at(instant)

    def deliver_now(self) -> None:
        """Have the deliverer tick now."""
        self.deliver_at(self._clock.now())

    def _shift(self, delta_ms: int) -> None:
        self._poller.shift(delta_ms)
        self._deliverer.shift(delta_ms)

    def _conditions(self) -> dict[str, str]:
        """Why providers are held back; nothing of those that are not."""
        conditions = {name: self._poller.condition_of(name) for name in self._config.providers}
        return {name: why for name, why in conditions.items() if why is not None}

    def replay_now(self) -> None:
        """Have the replayer tick now."""
        self._replay_job.run_at(self._clock.now())

    def why_not_ready(self) -> str | None:
        """Say why the daemon does not do its work at present; None when it does. Cause before symptom."""
        return self._housekeeping.trouble or self._scheduler.trouble or self._why_stale()

    def conditions(self) -> dict[str, str | None]:
        """Each provider's: why it is held back, in words; None while it is not."""
        return {name: self.condition_of(name) for name in self._config.providers}

    def condition_of(self, provider: str) -> str | None:
        """The same of one, whether it is configured or not."""
        return self._poller.condition_of(provider)

    def _why_stale(self) -> str | None:
        now = self._clock.monotonic()
        for name, ticked_at in (("poller", self._poller.ticked_at), ("deliverer", self._deliverer.ticked_at)):
            if now - ticked_at > STALE_S:
                return f"the {name} has not ticked for {now - ticked_at:.0f} s"
        return None

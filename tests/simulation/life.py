"""One life of the daemon: from its start to a stop or a crash. The daemon is the real one, whole.

Replaced are only its edges: the two HTTP clients, the listening server, the wall clock that APScheduler
reads, chance, and the log.
"""

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast
from unittest import mock

import apscheduler.executors.base
import apscheduler.schedulers.base
import structlog
from starlette.types import ASGIApp

from notifier.clock import SystemClock
from notifier.daemon import client_factory, daemon, settings, watchdog
from notifier.daemon.daemon import Daemon
from notifier.daemon.metrics import Metrics
from notifier.engine import clock_watch, deliverer, housekeeping, paced_steps, poller, scheduler
from notifier.errors import StoreUnavailable
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from tests.simulation.city import City, Tempo
from tests.simulation.disk import Disk
from tests.simulation.loop import Crash, VirtualLoop
from tests.simulation.oracle import Oracle
from tests.simulation.wires import SimWire
from tests.simulation.world import World


class Front:
    """Stands where ``daemon/app.py`` makes its server: keeps the application, opens no socket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.is_up = asyncio.Event()
        self._is_over = asyncio.Event()

    async def run_until_stopped(self) -> None:
        """See ``Host``."""
        self.is_up.set()
        await self._is_over.wait()

    def stop(self) -> None:
        """See ``Host``."""
        self._is_over.set()


@dataclass
class Outside:
    """All that a life needs of what was before it and will be after it."""

    world: World
    city: City
    oracle: Oracle
    disk: Disk
    file: Path
    tempo: Tempo
    life: "Life | None" = None


class Life:
    """``number`` counts them. ``is_dead``: what still runs is a ghost and must move nothing."""

    def __init__(self, outside: Outside, number: int) -> None:
        self.world, self.city, self.oracle = outside.world, outside.city, outside.oracle
        self.number = number
        self.owner = f"life-{number}"
        self.is_dead = False
        self.is_ready = False
        self.is_stopping = False
        self.is_stopped = False
        self.born_at = self.world.elapsed_ms()
        self.rng = random.Random(f"daemon {self.world.seed} {number}")
        self.front: Front | None = None
        self.clock: SystemClock | None = None
        self.daemon: Daemon | None = None
        self._store: SqliteStore | None = None
        self._outside = outside
        outside.life = self
        self.loop = VirtualLoop(self.world)
        self.world.on_breach = self.loop.stop
        self.loop.set_exception_handler(self._hear_loop)
        self._acts: set[asyncio.Task[None]] = set()
        self._main = self.loop.create_task(self._live(), name="main")
        self._main.add_done_callback(lambda _: self.loop.stop())
        self.oracle.new_life(self)

    async def _live(self) -> None:
        """As ``daemon/run.py`` does it."""
        store = await open_store(
            self._outside.file,
            owner=self.owner,
            now=self.world.wall_ms(),
            elapsed=self.world.elapsed_ms,
            boot=1,
            rng=self.rng,
            open_driver=self._outside.disk.open,
        )
        self._store = store
        try:
            self.clock = SystemClock(store.anchor, wall=self.world.wall_ms, elapsed=self.world.elapsed_ms)
            bound = cast("socket.socket", None)
            self.daemon = Daemon(
                self.city.load(),
                store=store,
                clock=self.clock,
                bound=bound,
                owner=self.owner,
                load=self.city.load,
                metrics=Metrics(),
            )
            await self.daemon.run(self._say_ready)
        finally:
            await store.close()

    def _say_ready(self) -> None:
        self.is_ready = True
        self.world.note("ready", self.owner)

    def now(self) -> int:
        """The daemon's own time, epoch milliseconds."""
        return self.world.wall_ms() if self.clock is None else self.clock.now()

    def _hear_loop(self, _loop: object, context: dict[str, Any]) -> None:
        """What nobody caught; of a ghost it says nothing."""
        if not self.is_dead:
            self.world.breach("no fault of ours", f"{context}")

    def run_to(self, instant: float) -> bool:
        """Live until the loop's ``instant``; False when this life has ended before that."""
        try:
            self.loop.run_to(instant)
        except Crash as crash:
            self._bury(str(crash))
            return False
        if self._main.done():
            self._bury_stopped()
            return False
        return True

    def start(self, act: Any, name: str) -> None:
        """Have a client do something. A crash leaves it without an answer."""
        task = self.loop.create_task(act, name=name)
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)

    def die(self, where: str) -> NoReturn:
        """Kill the process, here and now."""
        self.is_dead = True
        raise Crash(where)

    def stop(self) -> None:
        """Send SIGTERM."""
        if self.daemon is not None and self.is_ready and not self.is_stopping:
            self.is_stopping = True
            self.daemon.stop()

    def end(self) -> None:
        """Kill it from outside of its loop, if it is not over already."""
        if not self.is_dead:
            self._bury("from outside")

    def _bury(self, where: str) -> None:
        self.is_dead = True
        self.world.note("crash", where)
        self.world.disturb()
        self._outside.disk.drop()
        self.loop.finish()
        if self._store is not None:
            self._store._lock.release()  # the kernel lets go of a dead process's locks

    def _bury_stopped(self) -> None:
        self.is_dead = self.is_stopped = True
        self.world.note("stopped", self.owner)
        self.world.disturb()
        self._outside.disk.connections.clear()
        fault = self._main.exception()  # a disk that fails as it starts may end it
        if fault is not None and not isinstance(fault, StoreUnavailable):
            self.world.breach("alive", f"the daemon ended by itself: {fault!r}")
        self.loop.finish()


@contextlib.contextmanager
def edges(outside: Outside) -> Iterator[None]:
    """Put the world between the daemon's edges, for whichever life is under way."""

    def life() -> Life:
        assert outside.life is not None
        return outside.life

    def front(app: ASGIApp, _bound: object, **_options: object) -> Front:
        life().front = opened = Front(app)
        return opened

    class WorldsDatetime(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Any:
            return outside.world.wall()

    idle_ms = outside.tempo.idle_s * 1_000
    changes: list[tuple[Any, str, Any]] = [
        (daemon, "EmbeddedServer", front),
        (client_factory, "make_poll_client", lambda _config: SimWire(life())),
        (client_factory, "make_callback_client", lambda _settings, _own: SimWire(life())),
        (watchdog, "REPORT_INTERVAL_S", outside.tempo.housekeeping_s),
        (daemon, "find_own_addresses", lambda _bound: frozenset()),
        (settings, "refuse_open_listener", lambda _bound, **_options: None),
        (daemon, "random", SimpleNamespace(SystemRandom=lambda: life().rng)),
        (daemon, "log_setup", SimpleNamespace(set_up=lambda *_: None)),
        (settings, "hide_secrets", lambda *_: None),
        (scheduler, "datetime", WorldsDatetime),
        (apscheduler.schedulers.base, "datetime", WorldsDatetime),
        (apscheduler.executors.base, "datetime", WorldsDatetime),
        (scheduler, "MAX_WAIT_S", max(scheduler.MAX_WAIT_S, outside.tempo.idle_s)),
        (poller, "IDLE_MS", idle_ms),
        (deliverer, "IDLE_MS", idle_ms),
        (clock_watch, "TICK_S", float(outside.tempo.idle_s)),
        (housekeeping, "INTERVAL_MS", outside.tempo.housekeeping_s * 1_000),
        (paced_steps, "IDLE_MS", max(60_000, idle_ms)),
    ]
    with contextlib.ExitStack() as stack:
        for place, name, value in changes:
            stack.enter_context(mock.patch.object(place, name, value))
        stack.enter_context(heard_logs(outside))
        yield


@contextlib.contextmanager
def heard_logs(outside: Outside) -> Iterator[None]:
    """Hear what the daemon logs: a fault of its own is a breach, whatever else goes well."""

    def hear(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        name = event["event"]
        if outside.life is not None and not outside.life.is_dead and name.endswith(".crashed"):
            outside.world.breach("no fault of ours", f"{name} {event}")
        raise structlog.DropEvent

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if outside.life is not None and not outside.life.is_dead:
                outside.world.breach("no fault of ours", record.getMessage())

    listener: Any = hear
    processors, scheduler = structlog.get_config()["processors"], logging.getLogger("apscheduler")
    before = processors[:], scheduler.handlers, scheduler.level, scheduler.propagate
    processors[:] = [listener]
    scheduler.handlers, scheduler.level, scheduler.propagate = [Ear()], logging.ERROR, False
    try:
        yield
    finally:
        processors[:] = before[0]
        scheduler.handlers, scheduler.level, scheduler.propagate = before[1:]

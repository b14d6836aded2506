"""`notifier run`: from the configuration to a working daemon, and orderly back. Returns the exit status."""

import asyncio
import faulthandler
import gc
import os
import random
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

import structlog
import uvloop

from notifier import __version__
from notifier.clock import SystemClock, boot_id, elapsed_ms, wall_ms
from notifier.config.load import InvalidConfig
from notifier.config.model import Config
from notifier.daemon import log_setup, reload_mailbox, sdnotify
from notifier.daemon.daemon import DRAIN_S, Daemon
from notifier.daemon.listener import (
    SocketFile,
    bind,
    find_socket_file,
    listener_address,
    refuse_open_listener,
    remove,
)
from notifier.daemon.metrics import Metrics
from notifier.daemon.settings import longest_interval_ms
from notifier.daemon.stop_signals import StopSignals
from notifier.errors import NotifierError
from notifier.store.sqlite.backup import keep_copy
from notifier.store.sqlite.open import open_store

STOP_LIMIT_S = 2 * DRAIN_S + 10.0
EX_CONFIG = 78
MIGRATION_LIMIT_S = 3_600  # a killed one begins anew: what takes too long once would never end
GC_AFTER = 10_000  # new objects; some twenty requests under way have as many

log = structlog.get_logger()


def run(load: Callable[[], Config]) -> int:
    """Run until a signal ends it. Faults of the operator end it with their own status, said in words."""
    _show_hangs()
    try:
        config = load()
    except InvalidConfig as bad:
        log_setup.print_error(*(f"notifier: {fault}" for fault in bad.faults))
        return EX_CONFIG
    log_setup.set_up(config.log, config.known_secrets)
    try:
        _spare_collector()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, load))
    except NotifierError as fault:
        _tell_failure(fault)
        return fault.exit_status
    return 0


def _show_hangs() -> None:
    """Have the stack of each thread on stderr when systemd aborts a daemon that hangs."""
    if not faulthandler.is_enabled():
        faulthandler.enable()


def _spare_collector() -> None:
    """Modules live as long as we do: the collector need not look through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_AFTER)


def _tell_failure(fault: NotifierError) -> None:
    """Once in each place: in words on stderr, and as a line of the log where that is not the same screen."""
    if not sys.stdout.isatty():
        log.error("daemon.failed", code=fault.code, cause=fault.cause, fix=fault.fix)
    log_setup.print_error(f"notifier: {fault.code}: {fault.cause}", f"  fix: {fault.fix}")


async def _serve(config: Config, load: Callable[[], Config]) -> None:
    owner, rng = f"{socket.gethostname()}:{os.getpid()}", random.SystemRandom()
    metrics = Metrics()
    store = await open_store(
        config.store.url,
        owner=owner,
        now=wall_ms(),
        elapsed=elapsed_ms,
        boot=boot_id(),
        rng=rng,
        max_interval_ms=longest_interval_ms(config),
        before_migration=_keep_copy,
        meter=metrics,
    )
    own_file: SocketFile | None = None
    try:
        clock = SystemClock(store.anchor)
        bound, own_file = _listener(config)
        daemon = Daemon(
            config,
            store=store,
            clock=clock,
            bound=bound,
            owner=owner,
            load=partial(_read_again, load),
            metrics=metrics,
        )
        _obey_signals(daemon)
        _warn(config)
        await daemon.run(lambda: _say_ready(bound, config))
    finally:
        await store.close()
        remove(own_file)
    log.info("daemon.stopped")


def _keep_copy(connection: sqlite3.Connection, version: int) -> None:
    """Before an older database is brought up to date; a large one takes its time, so say what is done."""
    sdnotify.extend_start(MIGRATION_LIMIT_S)
    sdnotify.status("keeping a copy of the database before it is brought up to date")
    kept = keep_copy(connection, version)
    log.info("store.migrating", version=version, backup=str(kept))


def _listener(config: Config) -> tuple[socket.socket, SocketFile | None]:
    """What systemd hands over wins. The configuration could not judge it, so that is done here.

    With it the file of a Unix socket that we made, and so are to remove; systemd's is systemd's.
    """
    given = sdnotify.listen_fds()
    handed = given or [bind(config.server.listen)]
    refuse_open_listener(handed[0], has_token=bool(config.server.tokens))
    for spare in handed[1:]:
        log.warning(
            "listener.spare",
            address=listener_address(spare),
            fix="leave one ListenStream= in the socket unit",
        )
    return handed[0], None if given else find_socket_file(handed[0])


def _say_ready(bound: socket.socket, config: Config) -> None:
    url = listener_address(bound)
    log.info("daemon.ready", url=url, store=config.store.url, version=__version__, pid=os.getpid())
    sdnotify.ready(f"ready on {url}")


def _read_again(load: Callable[[], Config]) -> Config:
    config = load()
    _warn(config)
    return config


def _warn(config: Config) -> None:
    """Say what is allowed and yet likely a mistake."""
    for note in config.notes:
        log.warning("config.note", note=note)
    for provider in config.providers.values():
        if provider.api_key is None and provider.name == "mulerouter":
            log.warning("provider.no_key", provider=provider.name, fix="set MULEROUTER_API_KEY")
        elif provider.api_key is None:  # as written: a key that is named and not there stops the start
            log.info("provider.no_key", provider=provider.name, note="it is asked without a key")


def _obey_signals(daemon: Daemon) -> None:
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()
    ending = StopSignals()

    def end(number: signal.Signals) -> None:
        is_wanted_now = ending.is_wanted_now(loop.time())
        if is_wanted_now:
            os._exit(128 + number)  # the store needs no goodbye
        if is_wanted_now is None:
            return
        log.info("daemon.stopping", signal=number.name)
        sdnotify.stopping("finishing what is under way")
        _exit_at_last(STOP_LIMIT_S)
        daemon.stop()

    def reload() -> None:
        task = loop.create_task(_reload_and_tell(daemon))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _reload_and_tell(daemon: Daemon) -> None:
    faults: Sequence[str] = ["the configuration could not be read; see the log"]
    try:
        faults = await daemon.reload()
    finally:
        reload_mailbox.report_reload(faults)


def _exit_at_last(after_s: float) -> None:
    """A thread that hangs (a disk that does not answer) must not keep a stopped daemon alive."""
    timer = threading.Timer(after_s, os._exit, [1])
    timer.daemon = True
    timer.start()

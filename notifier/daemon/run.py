"""Run the daemon for `notifier run`: load the configuration, start, serve, stop. Return the exit status."""

import asyncio
import contextlib
import faulthandler
import gc
import os
import random
import signal
import socket
import sqlite3
import sys
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
from notifier.daemon.descriptors import raise_descriptor_limit
from notifier.daemon.exit_timer import ExitTimer
from notifier.daemon.listener import (
    SocketFile,
    bind,
    find_socket_file,
    format_listener_url,
    refuse_open_listener,
    remove_socket_file,
)
from notifier.daemon.metrics import Metrics
from notifier.daemon.output_queue import queue_output
from notifier.daemon.settings import longest_interval_ms
from notifier.daemon.stop_signals import StopSignals
from notifier.errors import NotifierError
from notifier.store.sqlite.backup import keep_copy
from notifier.store.sqlite.open import open_store

STOP_LIMIT_S = 2 * DRAIN_S + 10.0  # polls and callbacks drain in turn; below TimeoutStopSec=60s of the unit
EX_CONFIG = 78  # CONTRACT, Commands: configuration or database unusable
MIGRATION_LIMIT_S = 3_600  # a killed migration starts again; with a short limit it could never end
GC_AFTER = 10_000  # new objects; about twenty running requests have as many

log = structlog.get_logger()


def run(load_config: Callable[[], Config]) -> int:
    """Run until a signal stops the daemon. Print an error of the operator and return its exit status."""
    _enable_stack_dumps()
    raise_descriptor_limit()
    with queue_output(_report_dropped):
        return _run(load_config)


def _report_dropped(count: int) -> None:
    log.warning("log.dropped", count=count, note="nobody read the output in time")


def _run(load_config: Callable[[], Config]) -> int:
    try:
        config = load_config()
    except InvalidConfig as bad:
        log_setup.print_error(*(f"notifier: {error}" for error in bad.errors))
        return EX_CONFIG
    log_setup.set_up(config.log, config.all_secrets)
    try:
        _relax_garbage_collector()
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        try:
            runner.run(_serve(config, load_config))
        finally:
            with contextlib.suppress(RuntimeError):  # a limit of threads: nothing waits for the executor then
                runner.close()
    except NotifierError as error:
        _report_failure(error)
        return error.exit_status
    return 0


def _enable_stack_dumps() -> None:
    """Print the stack of each thread to stderr when systemd aborts a hanging daemon."""
    if not faulthandler.is_enabled():
        faulthandler.enable()


def _relax_garbage_collector() -> None:
    """Exclude the loaded modules from garbage collection, because they live as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_AFTER)


def _report_failure(error: NotifierError) -> None:
    """Print the error to stderr, and log it unless the log is on the same terminal."""
    if not sys.stdout.isatty():
        log.error("daemon.failed", code=error.code, cause=error.cause, fix=error.fix)
    log_setup.print_error(f"notifier: {error.code}: {error.cause}", f"  fix: {error.fix}")


async def _serve(config: Config, load_config: Callable[[], Config]) -> None:
    hangups = _remember_hangup()
    rng = random.SystemRandom()
    owner = f"{rng.getrandbits(64):016x}"  # not the name of the host, which may be no text
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
        bound, own_file = _open_listener(config)
        daemon = Daemon(
            config,
            store=store,
            clock=clock,
            bound=bound,
            owner=owner,
            load=partial(_reload, load_config),
            metrics=metrics,
        )
        _handle_signals(daemon, hangups)
        _log_notes(config)
        await daemon.run(lambda: _report_ready(bound, config))
    finally:
        await store.close()
        remove_socket_file(own_file)
    log.info("daemon.stopped")


def _keep_copy(connection: sqlite3.Connection, version: int) -> None:
    """Copy the database before its migration, and report it, because a large copy takes time."""
    sdnotify.extend_start(MIGRATION_LIMIT_S)
    sdnotify.report_status("copying the database before its migration")
    backup = keep_copy(connection, version)
    log.info("store.migrating", version=version, backup=str(backup))


def _open_listener(config: Config) -> tuple[socket.socket, SocketFile | None]:
    """Return the socket of systemd, else bind ``server.listen``. Check it, as the configuration cannot.

    Also return the file of a Unix socket that we bound, to remove it at the end.
    """
    sockets = sdnotify.take_listen_sockets()
    listeners = sockets or [bind(config.server.listen)]
    refuse_open_listener(listeners[0], has_token=bool(config.server.tokens))
    for spare in listeners[1:]:
        log.warning(
            "listener.spare",
            address=format_listener_url(spare),
            fix="leave one ListenStream= in the socket unit",
        )
    return listeners[0], None if sockets else find_socket_file(listeners[0])


def _report_ready(bound: socket.socket, config: Config) -> None:
    url = format_listener_url(bound)
    log.info("daemon.ready", url=url, store=config.store.url, version=__version__, pid=os.getpid())
    sdnotify.report_ready(f"ready on {url}")


def _reload(load_config: Callable[[], Config]) -> Config:
    config = load_config()
    _log_notes(config)
    return config


def _log_notes(config: Config) -> None:
    """Log settings that are valid but likely a mistake."""
    for note in config.notes:
        log.warning("config.note", note=note)
    for provider in config.providers.values():
        if provider.api_key is None and provider.name == "mulerouter":
            log.warning("provider.no_key", provider=provider.name, fix="set MULEROUTER_API_KEY")
        elif provider.api_key is None:  # intended: a missing key that is configured stops the start
            log.info("provider.no_key", provider=provider.name, note="it is polled without a key")


def _remember_hangup() -> list[int]:
    """Return a list that gets the signals to reload of the start, which would end the process by default."""
    hangups: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _frame: hangups.append(number))
    return hangups


def _handle_signals(daemon: Daemon, hangups: Sequence[int]) -> None:
    """Stop and reload the daemon by signals; ``hangups`` came during the start."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()
    signals, exit_timer = StopSignals(), ExitTimer(STOP_LIMIT_S)

    def end(number: signal.Signals) -> None:
        is_immediate = signals.is_immediate(loop.time())
        if is_immediate:
            os._exit(128 + number)  # the store survives a kill at any moment
        if is_immediate is None:
            return
        log.info("daemon.stopping", signal=number.name)
        sdnotify.report_stopping("finishing running requests")
        exit_timer.begin()
        daemon.stop()

    def reload() -> None:
        task = loop.create_task(_reload_and_report(daemon))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if hangups:
        loop.call_soon(reload)


async def _reload_and_report(daemon: Daemon) -> None:
    errors: Sequence[str] = ["the reload failed; read the log"]
    try:
        errors = await daemon.reload()
    finally:
        reload_mailbox.report_reload(errors)

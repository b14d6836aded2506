"""The daemon as a whole: what ends it, and what a reload may change."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trustme

from notifier.clock import SystemClock, wall_ms
from notifier.config.model import (
    HOUR,
    Config,
    PollingSettings,
    ProviderSettings,
    ServerSettings,
    StoreSettings,
)
from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.delivery.signature import make_secret
from notifier.core.secret import Secret
from notifier.daemon import log_setup, sdnotify
from notifier.daemon.daemon import Daemon
from notifier.daemon.metrics import Metrics
from notifier.daemon.signing_secrets import SecretUnusable
from notifier.errors import DatabaseUnusable, NotifierError, StoreFull, StoreUnavailable
from notifier.server.access import collect_allowed_names
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.sqlite.transactions import Transaction
from notifier.store.sqlite.writer import Writer
from tests.builders import DISK_FULL, new_watch
from tests.store.steps import add

FAR_S = 20.0  # a test that waits for so long has failed


@dataclass
class Bench:
    """A daemon on a real store and a bound socket; ``config`` is what its next reload will read."""

    folder: Path
    store: SqliteStore
    bound: socket.socket
    config: Config
    said: list[tuple[str, ...]] = field(default_factory=list)

    def daemon(self, load: Callable[[], Config] | None = None) -> Daemon:
        return Daemon(
            self.config,
            store=self.store,
            clock=SystemClock(),
            bound=self.bound,
            owner="test",
            load=load or (lambda: self.config),
            metrics=Metrics(),
        )

    async def run(self, daemon: Daemon, on_ready: Callable[[], None]) -> None:
        async with asyncio.timeout(FAR_S):
            await daemon.run(on_ready)

    def has_said_ready_last(self) -> bool:
        """Whether systemd was told that a reload began, and then that it was over."""
        return [fields[0] for fields in self.said[-2:]] == ["RELOADING=1", "READY=1"]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    store = await open_store(tmp_path / "notifier.db", owner="test", now=wall_ms(), rng=random.Random(7))
    config = Config(
        server=ServerSettings(listen="127.0.0.1:0"),
        store=StoreSettings(url=str(tmp_path / "notifier.db")),
        providers={
            "mulerouter": ProviderSettings(base_url="http://127.0.0.1:9", api_key=Secret("sk-canary-0123"))
        },
    )
    bench = Bench(tmp_path, store, socket.create_server(("127.0.0.1", 0)), config)
    monkeypatch.setattr(log_setup, "set_up", lambda *_args, **_more: None)  # pytest's own handlers stay

    def note(*fields: str, **_more: object) -> bool:
        bench.said.append(fields)
        return True

    monkeypatch.setattr(sdnotify, "notify", note)
    yield bench
    await store.close()
    bench.bound.close()


# ---- what it says of itself


async def test_it_names_the_cause_and_not_that_ticks_are_missing(bench: Bench) -> None:
    """A full disk stops the ticks: who asks why nothing goes on is to hear of the disk."""
    daemon = bench.daemon()
    daemon._poller.ticked_at -= 60
    assert daemon.why_not_ready() == Cause(Code.LOOP_STALLED, {"part": "poller", "seconds": 60})
    daemon._poll_job.trouble = DISK_FULL
    assert daemon.why_not_ready() == DISK_FULL


@pytest.mark.fault(19, 138)
async def test_it_is_not_ready_from_the_first_registration_that_is_refused(bench: Bench) -> None:
    """Whoever watches /readyz hears of a full disk at once, and not at the next beat of a job."""
    daemon = bench.daemon()

    def set_room(pages: int) -> Callable[[Transaction], object]:
        return lambda transaction: transaction.connection.execute(f"PRAGMA max_page_count = {pages}")

    await bench.store._writer.submit(set_room(1))
    with pytest.raises(StoreFull):
        await add(bench.store, *(new_watch(f"{n}") for n in range(200)))
    why = daemon.why_not_ready()
    assert why is not None
    assert why.code is Code.DISK_FULL
    await bench.store._writer.submit(set_room(10_000))
    assert daemon.why_not_ready() is None


# ---- what ends it


@pytest.mark.fault(31)
async def test_a_database_that_was_removed_ends_the_daemon(bench: Bench) -> None:
    """What is written from then on goes into a file that nobody will find: it must not go on."""
    daemon = bench.daemon()
    (bench.folder / "notifier.db").unlink()
    with pytest.raises(DatabaseUnusable, match="removed or replaced"):
        await bench.run(daemon, lambda: None)


@pytest.mark.fault(15)
async def test_a_writer_that_died_ends_the_daemon(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no write any more, and says so; a start brings a new one."""
    daemon = bench.daemon()

    def kill() -> None:
        def die(_writer: Writer) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(Writer, "_take_batch", die)

    with pytest.raises(NotifierError, match="planted"):
        await bench.run(daemon, kill)
    with pytest.raises(StoreUnavailable):
        await bench.store.heartbeat(now=wall_ms())


async def test_a_server_that_cannot_start_is_a_fault_and_nothing_is_ready(bench: Bench) -> None:
    """Nothing rings, and nobody is told that we are there."""
    daemon = bench.daemon()
    bench.bound.close()
    was_ready: list[bool] = []
    with pytest.raises(OSError, match=r"[Bb]ad file|Invalid"):
        await bench.run(daemon, lambda: was_ready.append(True))
    assert was_ready == []


# ---- reload


async def test_a_reload_with_another_database_signs_as_before(bench: Bench) -> None:
    """The database stays the one that is open until a restart, and so does the secret beside it."""
    daemon = bench.daemon()
    before = daemon._deliverer.settings.secrets
    bench.config = replace(bench.config, store=StoreSettings(url=str(bench.folder / "other.db")))
    for _ in range(2):
        assert await daemon.reload() == ()
    assert daemon._deliverer.settings.secrets == before
    assert not (bench.folder / "other.secret").exists()


async def test_a_reload_that_finds_no_usable_secret_changes_nothing(bench: Bench) -> None:
    """It comes back as a fault in words, and systemd hears that the reload is over."""
    told = make_secret(bytes(range(32)))
    bench.config = replace(bench.config, callbacks=replace(bench.config.callbacks, secrets=(told,)))
    daemon = bench.daemon()
    (bench.folder / "notifier.secret").write_bytes(b"\xff no secret")
    bench.config = replace(bench.config, callbacks=replace(bench.config.callbacks, secrets=()))
    (fault,) = await daemon.reload()
    assert "notifier.secret" in fault
    assert daemon._deliverer.settings.secrets == (told,)
    assert bench.has_said_ready_last()


@pytest.mark.parametrize("planted", [NotifierError("planted"), SecretUnusable("planted")])
async def test_every_fault_of_ours_at_a_reload_is_told(bench: Bench, planted: NotifierError) -> None:
    """None of them is a crash: the caller is told, the old configuration stays."""

    def load() -> Config:
        raise planted

    assert await bench.daemon(load).reload() == ("planted",)
    assert bench.has_said_ready_last()


async def test_a_reload_that_crashes_is_over_for_systemd_too(bench: Bench) -> None:
    """It would otherwise be taken for one that hangs, and the daemon be killed."""

    def load() -> Config:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        await bench.daemon(load).reload()
    assert bench.has_said_ready_last()


async def test_a_reload_reads_the_authority_anew(bench: Bench) -> None:
    """The same path with another certificate in it is another trust; the same content changes nothing."""
    path = bench.folder / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    bench.config = replace(bench.config, callbacks=replace(bench.config.callbacks, ca_file=str(path)))
    daemon = bench.daemon()
    before = daemon._deliverer.http_client
    assert await daemon.reload() == ()
    assert daemon._deliverer.http_client is before
    trustme.CA().cert_pem.write_to_path(str(path))
    assert await daemon.reload() == ()
    assert daemon._deliverer.http_client is not before
    await daemon._clients._retired.drain(0)


async def test_a_reload_reads_the_authority_of_a_provider_anew(bench: Bench) -> None:
    """Only the client for polls is another one then."""
    path = bench.folder / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    [provider] = bench.config.providers.values()
    bench.config = replace(bench.config, providers={provider.name: replace(provider, ca_file=str(path))})
    daemon = bench.daemon()
    polls, callbacks = daemon._clients.polls, daemon._clients.callbacks
    assert await daemon.reload() == ()
    assert daemon._clients.polls is polls
    trustme.CA().cert_pem.write_to_path(str(path))
    assert await daemon.reload() == ()
    assert daemon._clients.polls is not polls
    assert daemon._clients.callbacks is callbacks
    path.unlink()
    (fault,) = await daemon.reload()
    assert f"providers.{provider.name}.ca_file: {path} cannot be used" in fault
    await daemon._clients._retired.drain(0)


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_an_authority_that_is_gone_at_a_reload_keeps_the_old_one_and_all_else(
    bench: Bench, content: bytes | None
) -> None:
    """The fault names the file and the fix; nothing of the new configuration is in use."""
    path = bench.folder / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    bench.config = replace(bench.config, callbacks=replace(bench.config.callbacks, ca_file=str(path)))
    daemon = bench.daemon()
    before, config = daemon._deliverer.http_client, daemon._config
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    bench.config = replace(bench.config, callbacks=replace(bench.config.callbacks, timeout_ms=1_000))
    (fault,) = await daemon.reload()
    assert str(path) in fault
    assert "as PEM, and reload" in fault
    assert (daemon._deliverer.http_client, daemon._config) == (before, config)
    assert bench.has_said_ready_last()


async def test_shorter_timeouts_cut_no_exchange_that_is_under_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client is closed when the longest exchange begun by the old settings must be over."""
    slow = PollingSettings(request_timeout_ms=40_000)
    provider = bench.config.providers["mulerouter"]
    bench.config = replace(
        bench.config,
        providers={"mulerouter": replace(provider, polling=slow)},
        callbacks=replace(bench.config.callbacks, timeout_ms=30_000),
    )
    daemon = bench.daemon()
    bench.config = replace(
        bench.config,
        providers={
            "mulerouter": replace(
                provider, polling=PollingSettings(request_timeout_ms=1_000), max_in_flight=7
            )
        },
        callbacks=replace(bench.config.callbacks, timeout_ms=1_000),
    )
    loop, waits = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def noting(delay: float, *args: object, **more: object) -> object:
        waits.append(delay)
        return call_later(delay, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_later", noting)
    assert await daemon.reload() == ()
    await asyncio.sleep(0)
    assert len(daemon._clients._retired) == 3
    assert [wait for wait in waits if wait > 1] == [41.0, 41.0, 41.0]
    await daemon._clients._retired.drain(0)


async def test_the_same_database_by_another_name_needs_no_restart(bench: Bench) -> None:
    """As after `notifier init`, which writes in full what was relative before."""
    bench.config = replace(bench.config, store=StoreSettings("notifier.db"))
    daemon = bench.daemon()
    bench.config = replace(bench.config, store=StoreSettings(str(Path("notifier.db").absolute())))
    assert await daemon.reload() == ()
    assert not daemon._api_settings.needs_restart
    bench.config = replace(bench.config, store=StoreSettings("another.db"))
    assert await daemon.reload() == ()
    assert daemon._api_settings.needs_restart == ("store.url",)


async def test_a_reload_with_another_listen_is_served_under_the_old_name(bench: Bench) -> None:
    """The bound socket stays until a restart, and with it the Host that leads to it."""
    bench.config = replace(bench.config, server=ServerSettings(listen="notifier.lan:8484"))
    daemon = bench.daemon()
    bench.config = replace(
        bench.config, server=ServerSettings(listen="another.lan:8484", allowed_hosts=("x.lan",))
    )
    assert await daemon.reload() == ()
    settings = daemon._api_settings
    assert settings.needs_restart == ("server.listen",)
    names = collect_allowed_names(settings.access.listen, settings.access.allowed_hosts)
    assert names >= {"notifier.lan", "x.lan"}
    assert "another.lan" not in names


@pytest.mark.threat(4)
async def test_a_reload_that_drops_the_tokens_is_refused_while_other_machines_reach_the_socket(
    bench: Bench,
) -> None:
    """A changed ``listen`` waits for a restart: until then the old socket would be open to everybody."""
    bench.bound.close()
    bench.bound = socket.create_server(("0.0.0.0", 0))
    bench.config = replace(
        bench.config, server=ServerSettings(listen="0.0.0.0:0", tokens=(Secret("t" * 16),))
    )
    daemon = bench.daemon()
    bench.config = replace(bench.config, server=ServerSettings(listen="127.0.0.1:0"))
    (fault,) = await daemon.reload()
    assert "no token" in fault
    assert "server.tokens" in fault
    assert daemon._api_settings.access.tokens == (Secret("t" * 16),)
    assert bench.has_said_ready_last()


async def test_learning_may_put_off_a_first_poll_by_a_quarter_of_a_results_life(bench: Bench) -> None:
    """By two hours at most; and not at all for a provider that is not to be learned from."""
    providers = {
        "short": ProviderSettings("short", result_ttl_ms=HOUR),
        "long": ProviderSettings("long", result_ttl_ms=100 * HOUR),
        "never": ProviderSettings("never", polling=PollingSettings(learn=False)),
    }
    bench.config = replace(bench.config, providers=providers)
    settings = bench.daemon()._api_settings.providers
    assert {name: one.first_by_ms for name, one in settings.items()} == {
        "short": HOUR // 4,
        "long": 2 * HOUR,
        "never": None,
    }

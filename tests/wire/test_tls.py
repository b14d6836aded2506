"""Certificates are verified, always; what is wrong with one is said."""

import asyncio
import contextlib
import datetime
import socket
import ssl
from asyncio import sslproto
from pathlib import Path
from typing import Any

import pytest
import trustme

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.outbound.resolver import CachingResolver
from notifier.outbound.tls import make_tls_context
from tests.wire.peers import LONG_MS, SOON_MS, Line, answer, for_ever, listening, resolving, saying, wired


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def server_side(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    cert.configure_cert(context)
    return context


def tls_fault(exchange: Exchange) -> str:
    assert isinstance(exchange, NoReply), exchange
    assert exchange.kind is FailureKind.TLS
    return exchange.detail


async def test_a_certificate_of_our_own_authority_is_trusted_and_the_connection_kept(
    ca: trustme.CA, ca_file: str
) -> None:
    tls = server_side(ca.issue_cert("hook.example"))
    names = resolving(hook_example=["127.0.0.1"])
    async with listening(saying(answer()), tls) as peer, wired(ca_file=ca_file, resolver=names) as wire:
        for _ in range(3):
            url = peer.url(host="hook.example")
            assert isinstance(await wire.post(url, {}, b"{}", timeout_ms=LONG_MS), HttpReply)
            assert isinstance(await wire.get(url, {}, timeout_ms=LONG_MS), HttpReply)
    assert peer.connections == 1


@pytest.mark.fault(62)
@pytest.mark.threat(8)
@pytest.mark.fault(74)
async def test_a_certificate_of_an_unknown_authority_is_refused(ca: trustme.CA) -> None:
    """Nothing is sent before the certificate is verified."""
    tls = server_side(ca.issue_cert("127.0.0.1"))
    async with listening(saying(answer()), tls) as peer, wired() as wire:
        detail = tls_fault(
            await wire.post(peer.url(), {"Authorization": "canary"}, b"{}", timeout_ms=LONG_MS)
        )
    assert "certificate" in detail
    assert peer.heads == []


@pytest.mark.fault(62)
@pytest.mark.fault(74)
async def test_a_certificate_for_another_name_is_refused(ca: trustme.CA, ca_file: str) -> None:
    """A good certificate of somebody else is none, and nothing is sent."""
    tls = server_side(ca.issue_cert("other.example"))
    names = resolving(hook_example=["127.0.0.1"])
    async with listening(saying(answer()), tls) as peer, wired(ca_file=ca_file, resolver=names) as wire:
        detail = tls_fault(await wire.post(peer.url(host="hook.example"), {}, b"{}", timeout_ms=LONG_MS))
    assert "Hostname mismatch" in detail
    assert peer.heads == []


@pytest.mark.fault(62)
@pytest.mark.fault(74)
async def test_an_expired_certificate_is_refused(ca: trustme.CA, ca_file: str) -> None:
    """It is told as such, and nothing is sent."""
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    tls = server_side(ca.issue_cert("127.0.0.1", not_after=past))
    async with listening(saying(answer()), tls) as peer, wired(ca_file=ca_file) as wire:
        detail = tls_fault(await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS))
    assert "expired" in detail
    assert peer.heads == []


@pytest.mark.fault(62)
@pytest.mark.fault(74)
async def test_plain_text_on_a_tls_port_is_told_as_such() -> None:
    """And is not answered in kind: nothing but the beginning of a handshake is ever sent."""
    seen: list[bytes] = []

    async def script(line: Line) -> None:
        seen.append(await line.reader.read(100))
        await line.say(b"HTTP/1.1 400 Bad Request\r\n\r\nThis is plain HTTP")

    async with listening(script) as peer, wired() as wire:
        url = peer.url().replace("http:", "https:")
        assert "does not speak TLS" in tls_fault(await wire.post(url, {}, b"{}", timeout_ms=LONG_MS))
    assert [first[:1] for first in seen] == [b"\x16"]


@pytest.mark.parametrize("with_reset", [True, False])
async def test_a_handshake_that_breaks_off(with_reset: bool) -> None:
    async def script(line: Line) -> None:
        await line.reader.read(100)
        if with_reset:
            line.reset()

    async with listening(script) as peer, wired() as wire:
        url = peer.url().replace("http:", "https:")
        tls_fault(await wire.get(url, {}, timeout_ms=LONG_MS))


async def test_a_handshake_that_never_ends_is_left_at_the_deadline() -> None:
    async with listening(for_ever(b"", b"")) as peer, wired() as wire:
        exchange = await wire.get(peer.url().replace("http:", "https:"), {}, timeout_ms=SOON_MS)
    assert isinstance(exchange, NoReply)
    assert exchange.kind is FailureKind.TIMEOUT


async def test_a_peer_that_connects_and_is_silent_is_told_from_one_that_does_not_connect() -> None:
    """TCP is up: the certificate or the port is the next thing to look at, not the network."""
    async with listening(lambda line: line.hang()) as peer, wired() as wire:
        exchange = await wire.get(peer.url().replace("http:", "https:"), {}, timeout_ms=SOON_MS)
    assert isinstance(exchange, NoReply)
    assert exchange.kind is FailureKind.TIMEOUT
    assert exchange.detail == "1 s, connected, and the TLS handshake did not end"
    assert exchange.peer == f"127.0.0.1:{peer.port}"


@pytest.mark.parametrize("size", [2, 1_000_000])
async def test_a_peer_that_wants_a_client_certificate_is_told_as_such(
    ca: trustme.CA, ca_file: str, size: int
) -> None:
    """In TLS 1.3 the alert comes after the handshake, as an answer to the request."""
    tls = server_side(ca.issue_cert("127.0.0.1"))
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as bound:
        async with wired(ca_file=ca_file) as wire:
            for _ in range(5):
                refusing = asyncio.create_task(asyncio.to_thread(refuse_handshake, bound, tls))
                url = f"https://127.0.0.1:{bound.getsockname()[1]}/"
                exchange = await wire.post(url, {}, b"x" * size, timeout_ms=LONG_MS)
                assert tls_fault(exchange) == "the peer requires a client certificate"
                await refusing


def refuse_handshake(bound: socket.socket, tls: ssl.SSLContext) -> None:
    """Accept one connection, as servers on plain sockets do; asyncio's would close without the alert."""
    accepted, _ = bound.accept()
    with accepted, contextlib.suppress(ssl.SSLError), tls.wrap_socket(accepted, server_side=True):
        pass


async def test_a_dot_at_the_end_of_a_host_is_in_neither_sni_nor_certificate(
    ca: trustme.CA, ca_file: str
) -> None:
    names: list[str | None] = []
    tls = server_side(ca.issue_cert("hook.example"))
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    resolver = CachingResolver(lambda name: ["127.0.0.1"] if name == "hook.example." else [])
    async with listening(saying(answer()), tls) as peer, wired(ca_file=ca_file, resolver=resolver) as wire:
        reply = await wire.post(peer.url(host="hook.example."), {}, b"{}", timeout_ms=LONG_MS)
    assert isinstance(reply, HttpReply), reply
    assert names == ["hook.example"]


async def test_a_long_body_over_tls_and_its_long_answer_arrive(ca: trustme.CA, ca_file: str) -> None:
    """Both in many records."""
    tls = server_side(ca.issue_cert("127.0.0.1"))
    script = saying(answer(b"a" * 60_000, "422 No"))
    async with listening(script, tls) as peer, wired(ca_file=ca_file) as wire:
        for _ in range(3):
            reply = await wire.post(peer.url(), {}, b"x" * 1_000_000, timeout_ms=LONG_MS)
            assert isinstance(reply, HttpReply)
            assert reply.body == b"a" * 60_000
    assert peer.connections == 1
    assert [len(body) for body in peer.bodies] == [1_000_000] * 3


def abort_of_old(transport: Any) -> None:
    """As it is written in Python 3.11.2, Debian's: it knows no transport that has let go of its protocol."""
    transport._closed = True
    transport._ssl_protocol._abort()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_ends_with_its_connection_is_an_answer_on_asyncios_loop_too(
    monkeypatch: pytest.MonkeyPatch, ca: trustme.CA, ca_file: str, method: str
) -> None:
    """No length, then the end of the TLS connection. The commands run on that loop, the daemon on uvloop."""
    monkeypatch.setattr(sslproto._SSLProtocolTransport, "abort", abort_of_old)
    tls = server_side(ca.issue_cert("127.0.0.1"))

    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.0 200 OK\r\n\r\nhello")

    async def ask() -> Exchange:
        async with listening(script, tls) as peer, wired(ca_file=ca_file) as wire:
            if method == "GET":
                return await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
            return await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        reply = runner.run(ask())
    assert isinstance(reply, HttpReply), reply
    assert (reply.status, reply.body) == (200, b"hello" if method == "GET" else b"")


async def test_an_endless_answer_over_tls_is_dropped_at_once(ca: trustme.CA, ca_file: str) -> None:
    tls = server_side(ca.issue_cert("127.0.0.1"))
    script = for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 10_000)
    async with listening(script, tls) as peer, wired(ca_file=ca_file) as wire:
        reply = await wire.post(peer.url(), {}, b"{}", timeout_ms=200_000)
    assert isinstance(reply, HttpReply)
    assert reply.body == b""


def test_every_context_verifies_and_knows_the_systems_certificates(ca_file: str) -> None:
    for context in (make_tls_context(), make_tls_context(ca_file)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    assert len(make_tls_context(ca_file).get_ca_certs()) == len(make_tls_context().get_ca_certs()) + 1


def test_the_same_trust_is_the_same_context() -> None:
    assert make_tls_context() is make_tls_context()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_with_no_certificate_is_an_os_error(tmp_path: Path, content: bytes | None) -> None:
    """The configuration can name it; a wire is never made with less trust than asked for."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError):  # noqa: PT011 - ssl.SSLError and FileNotFoundError have nothing else in common
        make_tls_context(str(path))

"""A real web server between notifier and a receiver loses no callback and makes none fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from notifier.core.exchange import Exchange, FailureKind, FailureSubkind, HttpReply, NoReply
from notifier.core.formats.addresses import AddressPolicy
from notifier.outbound.client import HttpxClient
from notifier.outbound.tls import make_tls_context
from tests.wire.peers import LONG_MS, Line, answer, listening, wired
from tests.wire.real_servers import APACHE, HAPROXY, NGINX, SERVERS, Running, Server, running

BIG = "a" * 20_000
BODY = b'{"type": "task.completed"}'


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def cert(request: pytest.FixtureRequest, ca: trustme.CA) -> trustme.LeafCert | None:
    return ca.issue_cert("127.0.0.1") if request.param == "https" else None


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(params=SERVERS, ids=lambda server: server.name)
def server(request: pytest.FixtureRequest) -> Server:
    return installed(request.param)


def installed(server: Server) -> Server:
    if server.binary() is None:
        pytest.skip(f"NO {server.name.upper()}: install the Debian packages {server.package}")
    return server


@pytest.fixture
async def front(server: Server, cert: trustme.LeafCert | None, tmp_path: Path) -> AsyncIterator[Running]:
    async with between(server, cert, tmp_path) as front:
        yield front


async def receive(line: Line) -> None:
    """Take every callback; at ``/big`` with a header of 20 KB."""
    while await line.request():
        big = [f"X-Big: {BIG}"] if b"/big" in line.peer.heads[-1] else []
        await line.say(answer(b"ok", "200 OK", *big))


@contextlib.asynccontextmanager
async def between(server: Server, cert: trustme.LeafCert | None, here: Path) -> AsyncIterator[Running]:
    async with (
        listening(receive) as receiver,
        running(server, here, receiver.port, cert) as front,
    ):
        yield front


@pytest.fixture
async def client(ca_file: str) -> AsyncIterator[HttpxClient]:
    async with wired(connections=60, ca_file=ca_file) as client:
        yield client


async def post(client: HttpxClient, front: Running, path: str, body: bytes = BODY) -> Exchange:
    return await client.post(front.url(path), {}, body, timeout_ms=LONG_MS)


def statuses(exchanges: list[Exchange]) -> list[object]:
    return [e.status if isinstance(e, HttpReply) else (e.kind, e.detail) for e in exchanges]


async def test_a_keep_alive_shorter_than_ours_fails_nothing(front: Running, client: HttpxClient) -> None:
    """The pauses lie around the server's limit, so that it closes just when the next one is sent."""
    shortest_s, longest_s = front.server.idle_limit_s

    async def post_with_pauses(pause_s: float) -> list[Exchange]:
        exchanges = [await post(client, front, "/hook")]
        for _ in range(3):
            await asyncio.sleep(pause_s)
            exchanges.append(await post(client, front, "/hook"))
        return exchanges

    pauses_s = [shortest_s + (longest_s - shortest_s) * step / 60 for step in range(60)]
    exchanges = await asyncio.gather(*map(post_with_pauses, pauses_s))
    assert statuses([exchange for each in exchanges for exchange in each]) == [200] * 240


async def test_an_answer_before_a_body_of_1_mb_is_read_counts(front: Running, client: HttpxClient) -> None:
    exchanges = await asyncio.gather(*(post(client, front, "/small", b"x" * 1_000_000) for _ in range(40)))
    assert statuses(exchanges) == [front.server.early_status] * 40


async def test_a_long_body_arrives(front: Running, client: HttpxClient) -> None:
    exchanges = await asyncio.gather(*(post(client, front, "/hook", b"x" * 1_000_000) for _ in range(8)))
    assert statuses(exchanges) == [200] * 8


async def test_big_headers_are_read(front: Running, client: HttpxClient) -> None:
    for method in ("GET", "POST"):
        exchange = (
            await post(client, front, "/big")
            if method == "POST"
            else await client.get(front.url("/big"), {}, timeout_ms=LONG_MS)
        )
        assert isinstance(exchange, HttpReply), exchange
        assert (exchange.status, exchange.headers["x-big"]) == (200, BIG)


async def test_a_reload_under_load_fails_nothing(front: Running, client: HttpxClient) -> None:
    """Old workers close their idle connections, just when the next callback is sent."""
    is_over = False

    async def post_on() -> list[Exchange]:
        exchanges = []
        while not is_over:
            exchanges.append(await post(client, front, "/hook"))
            await asyncio.sleep(0.002)
        return exchanges

    tasks = [asyncio.create_task(post_on()) for _ in range(4)]
    for _ in range(4):
        await asyncio.sleep(0.4)
        await front.reload()
    await asyncio.sleep(0.4)
    is_over = True
    exchanges = [exchange for done in await asyncio.gather(*tasks) for exchange in done]
    assert len(exchanges) > 50
    assert set(statuses(exchanges)) == {200}


async def test_limit_req_of_nginx_is_a_429_with_its_retry_after(
    cert: trustme.LeafCert | None, tmp_path: Path, client: HttpxClient
) -> None:
    async with between(installed(NGINX), cert, tmp_path) as front:
        first, *others = [await post(client, front, "/limited", b"x" * 100_000) for _ in range(5)]
    assert statuses([first, *others]) == [200, 429, 429, 429, 429]
    assert all(isinstance(other, HttpReply) and other.headers["retry-after"] == "7" for other in others)


async def test_plain_http_to_a_tls_port_is_told(
    server: Server, ca: trustme.CA, tmp_path: Path, client: HttpxClient
) -> None:
    """As a failure of the endpoint and not as a refusal of this callback: HAProxy and lighttpd just close."""
    async with between(server, ca.issue_cert("127.0.0.1"), tmp_path) as front:
        url = front.url("/hook").replace("https:", "http:")
        exchange = await client.post(url, {}, BODY, timeout_ms=LONG_MS)
    assert isinstance(exchange, NoReply), exchange
    if server.name in {"haproxy", "lighttpd"}:
        assert exchange.kind is FailureKind.RESET
    else:
        assert exchange.kind is FailureKind.TLS
        assert exchange.subkind is FailureSubkind.TLS_EXPECTED


CLIENT_CERTIFICATE = [
    replace(NGINX, tls=("", f"{NGINX.tls[1]} ssl_client_certificate HERE/ca.pem; ssl_verify_client on;")),
    replace(HAPROXY, tls=("", f"{HAPROXY.tls[1]} ca-file HERE/ca.pem verify required")),
    replace(APACHE, tls=("", f"{APACHE.tls[1]}\nSSLCACertificateFile HERE/ca.pem\nSSLVerifyClient require")),
]


@pytest.mark.parametrize("server", CLIENT_CERTIFICATE, ids=lambda server: server.name)
async def test_a_server_that_requires_a_client_certificate_is_told(
    server: Server, ca: trustme.CA, tmp_path: Path, client: HttpxClient
) -> None:
    """nginx answers with a page, the others with an alert of TLS 1.3."""
    async with between(installed(server), ca.issue_cert("127.0.0.1"), tmp_path) as front:
        for _ in range(5):
            exchange = await post(client, front, "/hook")
            assert isinstance(exchange, NoReply), exchange
            assert exchange.subkind is FailureSubkind.TLS_CLIENT_CERTIFICATE


@pytest.mark.fault(160)
@pytest.mark.parametrize("server", CLIENT_CERTIFICATE, ids=lambda server: server.name)
async def test_a_server_that_requires_a_client_certificate_gets_ours(
    server: Server, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """The callback is delivered, also on a kept connection."""
    tls = make_tls_context(ca_file, *write_certificate(ca, tmp_path))
    async with (
        between(installed(server), ca.issue_cert("127.0.0.1"), tmp_path) as front,
        wired(tls=tls) as client,
    ):
        exchanges = [await post(client, front, "/hook") for _ in range(5)]
    assert statuses(exchanges) == [200] * 5


@pytest.mark.fault(160)
@pytest.mark.parametrize("server", CLIENT_CERTIFICATE, ids=lambda server: server.name)
async def test_a_server_that_refuses_our_client_certificate_is_told(
    server: Server, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """It is from another authority. nginx answers with a page, the others with an alert."""
    tls = make_tls_context(ca_file, *write_certificate(trustme.CA(), tmp_path))
    async with (
        between(installed(server), ca.issue_cert("127.0.0.1"), tmp_path) as front,
        wired(tls=tls) as client,
    ):
        for _ in range(3):
            exchange = await post(client, front, "/hook")
            assert isinstance(exchange, NoReply), exchange
            assert exchange.subkind is FailureSubkind.TLS_CLIENT_CERTIFICATE
            assert exchange.detail == "the peer refuses our client certificate"


def write_certificate(ca: trustme.CA, here: Path) -> tuple[str, str]:
    """Write a client certificate and its key, and return both paths."""
    cert, (cert_path, key_path) = ca.issue_cert("notifier.example"), (here / "own.pem", here / "own.key")
    cert.cert_chain_pems[0].write_to_path(str(cert_path))
    cert.private_key_pem.write_to_path(str(key_path))
    return str(cert_path), str(key_path)


@pytest.mark.fault(162)
async def test_nginx_on_a_unix_socket_is_called_as_on_a_port(ca: trustme.CA, tmp_path: Path) -> None:
    """With its short keep-alive, big headers, and its answer before a body of 1 MB is read."""
    path = tmp_path / "front.sock"
    server = replace(installed(NGINX), tls=("; listen unix:HERE/front.sock;", ""))
    policy = AddressPolicy.of([f"unix:{tmp_path}/*.sock"])
    async with between(server, None, tmp_path), wired(connections=60, policy=policy) as client:

        async def call(target: str, body: bytes) -> Exchange:
            return await client.post(f"unix:{path}:{target}", {}, body, timeout_ms=LONG_MS)

        exchanges = await asyncio.gather(*(call("/hook?a=1", BODY) for _ in range(40)))
        await asyncio.sleep(NGINX.idle_limit_s[0])
        exchanges += await asyncio.gather(*(call("/big", BODY) for _ in range(40)))
        early = await asyncio.gather(*(call("/small", b"x" * 1_000_000) for _ in range(40)))
    assert statuses(exchanges) == [200] * 80
    assert statuses(early) == [413] * 40

"""Both clients name the same cause where the peer is no daemon, or a daemon that dies."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from notifier.client import AsyncNotifier, Notifier, Unreachable, transport
from notifier.client.calls import RequestStep

Request = Callable[..., Awaitable[Any]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: the peer's end of the connection is a reset."""


async def _request_blocking(url: str, step: RequestStep) -> Any:
    return await asyncio.to_thread(Notifier(url)._perform, step)


async def _request_asyncio(url: str, step: RequestStep) -> Any:
    return await AsyncNotifier(url)._perform(step)


@pytest.fixture(params=[_request_blocking, _request_asyncio], ids=["blocking", "asyncio"])
def request_once(request: pytest.FixtureRequest) -> Request:
    return lambda url, timeout_s=30.0: request.param(url, RequestStep("GET", "/v1/x", timeout_s=timeout_s))


@asynccontextmanager
async def _peer(
    reply: bytes, then: str = "close", *, path: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve one reply to each connection, then close, reset, or keep it open until the test ends."""
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(reply)
        await writer.drain()
        if then == "hold":
            await is_over.wait()
        if then == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.close()

    if path is not None:
        server = await asyncio.start_unix_server(serve, path)
        url = f"unix:{path}"
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield url
    finally:
        is_over.set()
        server.close()


@pytest.mark.parametrize("then", ["close", "hold"])
@pytest.mark.parametrize(
    "reply", [b"220 mail.example ESMTP\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"-ERR unknown command 'GET'\r\n"]
)
async def test_what_speaks_no_http_is_named_at_once(request_once: Request, reply: bytes, then: str) -> None:
    """Whether it closes or waits for more: it is no daemon, and a repeat would not help."""
    async with _peer(reply, then) as url:
        with pytest.raises(Unreachable, match=r"is not notifier: its response is no HTTP") as error:
            await request_once(url)
    assert not error.value.is_broken


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        HEAD + b"Content-Length: 9\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["nothing", "length", "chunk"],
)
async def test_a_reply_that_breaks_off_is_worth_a_repeat(request_once: Request, reply: bytes) -> None:
    """As a daemon leaves it that is killed while it answers."""
    async with _peer(reply) as url:
        with pytest.raises(Unreachable, match=r"closed the connection before its response") as error:
            await request_once(url)
    assert error.value.is_broken


async def test_a_reset_is_worth_a_repeat(request_once: Request) -> None:
    """The cause names the reset, because a firewall makes them too."""
    async with _peer(b"", "reset") as url:
        with pytest.raises(Unreachable, match=r"no daemon responds at .* \(connection reset by") as error:
            await request_once(url)
    assert error.value.is_broken


async def test_silence_ends_with_the_time_that_a_call_has(request_once: Request) -> None:
    """A hanging daemon is not broken: a repeat would hang as well."""
    async with _peer(b"HTTP/1.1 200 OK\r\n", "hold") as url:
        with pytest.raises(Unreachable, match=r"did not answer within 0 s") as error:
            await request_once(url, 0.05)
    assert not error.value.is_broken


async def test_a_reply_without_end_is_cut(request_once: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds however the body is framed."""
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 1_000)
    async with _peer(HEAD + b"\r\n" + b" " * 100_000) as url:
        with pytest.raises(Unreachable, match=r"its response is larger than"):
            await request_once(url)


async def test_a_body_that_is_compressed_unasked_is_no_daemons(request_once: Request) -> None:
    """Nothing is unpacked, so a small reply cannot become a large one."""
    async with _peer(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00") as url:
        with pytest.raises(Unreachable, match=r"is not notifier"):
            await request_once(url)


async def test_a_unix_socket_is_asked_like_an_address(request_once: Request, tmp_path: Path) -> None:
    """The reply is read to its end, the connection closed by either side."""
    async with _peer(HEAD + b"Content-Length: 2\r\n\r\n{}", path=f"{tmp_path}/n.sock") as url:
        assert (await request_once(url)).raw == b"{}"


async def test_a_closed_port_and_a_missing_socket_name_the_command_that_starts_it(
    request_once: Request, tmp_path: Path
) -> None:
    """Both are as a daemon leaves them that starts again."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        places = {
            f"http://127.0.0.1:{reserved.getsockname()[1]}": "connection refused",
            f"unix:{tmp_path}/none.sock": "no such socket",
        }
        for url, cause in places.items():
            with pytest.raises(Unreachable, match=cause) as error:
                await request_once(url)
            assert error.value.is_broken
            assert "notifier run" in error.value.fix


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_https_holds_to_the_certificates_that_the_system_trusts(
    request_once: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    """Of a proxy before the daemon, say. ``SSL_CERT_FILE`` names further ones."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusted = authority if is_trusted else trustme.CA()
    trusted.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with _peer(HEAD + b"Content-Length: 2\r\n\r\n{}", tls=tls) as url:
        if is_trusted:
            assert (await request_once(url)).raw == b"{}"
            return
        with pytest.raises(Unreachable, match=r"no daemon responds at .* certificate verify failed") as error:
            await request_once(url)
    assert not error.value.is_broken


async def test_https_to_a_port_without_tls_says_so(request_once: Request) -> None:
    """The words of the TLS library name no way out."""
    async with _peer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        with pytest.raises(Unreachable, match=r"no TLS is spoken at https://") as error:
            await request_once(url.replace("http:", "https:"))
    assert not error.value.is_broken

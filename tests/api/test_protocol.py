"""What only a socket shows: strict heads, deadlines, and answers that arrive though the body is not read.

Each exchange is raw bytes over loopback. Deadlines are short and their length is not judged: a test waits for
the connection to end, and the suite's own timeout says when that does not happen.
"""

import asyncio
import functools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast
from unittest import mock

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from notifier.server.connection_limit import MIN_CONNECTIONS, limit_connections
from notifier.server.protocol import REQUEST_TIMEOUT_S, DeadlineProtocol
from notifier.server.request_head import MAX_HEAD_BYTES
from tests.api.conftest import Bench, registration

SHORT_S = 0.2
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/watches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Hasty(DeadlineProtocol):
    """So that no test waits for ten seconds."""

    timeout_s = SHORT_S


@asynccontextmanager
async def serving(app: ASGIApp, protocol: type[DeadlineProtocol] = DeadlineProtocol) -> AsyncIterator[int]:
    """Serve ``app`` on a port of loopback."""
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    server = uvicorn.Server(config)
    listening = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def say(port: int, *parts: bytes, end: bool = False) -> bytes:
    """Send the parts one by one, and return all that comes until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


def statuses(answers: bytes) -> list[int]:
    """The statuses of the answers, in their order."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    "head",
    [
        GET + b"Host: localhost\r\n\r\n",
        GET + b"Host: evil\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Content-Length: 2, 2\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: +2\r\n\r\n{}",
        POST + b"Content-Length: 0x2\r\n\r\n{}",
        POST + b"Content-Length : 2\r\n\r\n{}",
        POST + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n\r\n",
        GET + b"X: a\nContent-Length: 5\r\n\r\n",
        GET + b"X: a\rContent-Length: 5\r\n\r\n",
        GET + b"X: a\r\n folded\r\n\r\n",
        GET + b"X: a\x00b\r\n\r\n",
        GET + b"X: a\x0bb\r\n\r\n",
        GET + b": x\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /heal thz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /h\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        GET + b"X: " + b"a" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
        GET + b"X: " + b"a" * 2_000_000,
        POST + b"Transfer-Encoding: chunked\r\n\r\nxx\r\n{}\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nHost: evil\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\n\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2;\n{}\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"a" * 2 * MAX_HEAD_BYTES,
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: " + b"a" * 2 * MAX_HEAD_BYTES,
        POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        POST + b"Content-Length: " + b"0" * 5_000 + b"2\r\n\r\n{}",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        GET + b" \r\n\r\n",
        GET + b"X y: z\r\n\r\n",
    ],
)
async def test_what_two_parsers_may_read_in_two_ways_is_refused(bench: Bench, head: bytes) -> None:
    """Row 88 of the fault matrix: one answer, 400, and the connection is closed; what follows is not read."""
    async with serving(bench.app) as port:
        answer = await say(port, head + b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    # A head of 2 MB is refused when 16 KiB are in: the kernel may reset what it still sends.
    assert statuses(answer) == [400] or (len(head) > 100_000 and answer == b"reset")
    if answer != b"reset":
        assert b"content-type: application/problem+json" in answer
        assert b"connection: close" in answer
    assert (await bench.http.get("/v1/watches")).json()["watches"] == []


async def test_bytes_may_come_one_by_one(bench: Bench) -> None:
    request = GET + b"Connection: close\r\n\r\n"
    async with serving(bench.app) as port:
        assert statuses(await say(port, *(bytes([byte]) for byte in request))) == [200]


@pytest.mark.fault(88)
async def test_pipelined_requests_are_answered_in_order(bench: Bench) -> None:
    """One after the other, each whole."""
    async with serving(bench.app) as port:
        answer = await say(
            port,
            GET
            + b"\r\n"
            + b"GET /v1/watches/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
            + GET
            + b"Connection: close\r\n\r\n",
        )
    assert statuses(answer) == [200, 404, 200]


BODY = json.dumps(registration()).encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n1;a=b\r\n\n\r\n0\r\n\r\n" % (len(BODY), BODY)
SIZED = b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.mark.parametrize("rest", [CHUNKED, SIZED])
async def test_the_end_of_a_body_is_found_wherever_it_is_cut(bench: Bench, rest: bytes) -> None:
    """Also when the next request, which is not clear, came with it: it is checked as the first one was."""
    first = POST + rest
    whole = first + b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n"
    async with serving(bench.app) as port:
        for cut in range(len(first) - 20, len(whole), 1):
            answer = await say(port, whole[:cut], whole[cut:])
            assert statuses(answer)[0] in (200, 201)
            assert statuses(answer)[1:] == [400]
        answer = await say(port, *(bytes([byte]) for byte in whole))
        assert statuses(answer) == [200, 400]


async def test_an_empty_line_in_a_body_is_no_end(bench: Bench) -> None:
    inside = b"\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(inside), inside)
    async with serving(bench.app) as port:
        for rest in (chunked, b"Content-Length: %d\r\n\r\n%b" % (len(inside), inside)):
            answer = await say(port, POST + rest + GET + b"Connection: close\r\n\r\n")
            assert statuses(answer) == [400, 200]
            assert b"bad_json" in answer


async def test_an_offer_to_change_the_protocol_is_passed_over(bench: Bench) -> None:
    """Some clients offer h2c with each request; what follows is HTTP/1.1 nevertheless."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    async with serving(bench.app) as port:
        answer = await say(
            port, POST + offer + SIZED + GET + offer + b"\r\n" + GET + b"Connection: close\r\n\r\n"
        )
    assert statuses(answer) == [201, 200, 200]


@pytest.mark.parametrize("target", [b"http://localhost/healthz", b"/healthz#x", b"*", b"//localhost/healthz"])
async def test_a_target_in_another_form_is_no_route(bench: Bench, target: bytes) -> None:
    head = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target
    async with serving(bench.app) as port:
        assert statuses(await say(port, head)) == [404]


async def test_blanks_around_a_value_are_no_part_of_it(bench: Bench) -> None:
    head = b"GET /healthz HTTP/1.1\r\nX:\r\nHost: \t localhost \t \r\nY:   \r\nConnection: close\r\n\r\n"
    async with serving(bench.app) as port:
        assert statuses(await say(port, head)) == [200]


async def test_who_asks_before_sending_the_body_is_told_to(bench: Bench) -> None:
    head, _, body = (POST + b"Expect: 100-continue\r\n" + SIZED).partition(b"\r\n\r\n")
    async with serving(bench.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readuntil(b"\r\n")) == b"HTTP/1.1 201 Created\r\n"
        writer.close()
        refused = await say(
            port, POST + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n", end=True
        )
        assert statuses(refused) == [413]


async def test_the_answer_to_head_has_no_body(bench: Bench) -> None:
    head = b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with serving(bench.app) as port:
        answer = await say(port, head)
    assert statuses(answer) == [200]
    assert answer.endswith(b"\r\n\r\n")


async def test_a_host_that_is_not_ours_is_421_on_the_wire_too(bench: Bench) -> None:
    async with serving(bench.app) as port:
        for head in (
            b"GET /healthz HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n",
            b"GET http://localhost/healthz HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n",
            b"GET /healthz HTTP/1.0\r\n\r\n",
        ):
            assert statuses(await say(port, head)) == [421]


@pytest.mark.fault(87)
@pytest.mark.threat(16)
@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ((), []),
        ((GET,), [408]),
        ((b"G",), [408]),
        ((POST + b"Content-Length: 10\r\n\r\n",), [408]),
        ((POST + b"Content-Length: 10\r\n\r\n{",), [408]),
        ((POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",), [408]),
        ((GET + b"\r\n",), [200]),
        ((GET + b"\r\n", GET), [200, 408]),
    ],
)
async def test_who_does_not_go_on_is_cut_off(
    bench: Bench, begun: tuple[bytes, ...], expected: list[int]
) -> None:
    """Row 87 of the fault matrix: silence, half a head, half a body, an idle connection."""
    async with serving(bench.app, Hasty) as port:
        assert statuses(await say(port, *begun)) == expected


@pytest.mark.fault(87)
@pytest.mark.parametrize("begun", [GET, POST + b"Content-Length: 1000000\r\n\r\n"])
async def test_who_drips_is_cut_off(bench: Bench, begun: bytes) -> None:
    """Each byte comes in time; the whole does not."""
    async with serving(bench.app, Hasty) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun + (b"X: " if begun is GET else b""))
        answer = asyncio.create_task(_read(reader))
        try:
            while not answer.done():
                writer.write(b"x")
                await asyncio.sleep(SHORT_S / 10)
        except ConnectionError:
            pass
        finally:
            writer.close()
        assert (await answer)[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 413", b"reset")


@pytest.mark.fault(87)
@pytest.mark.threat(16)
async def test_a_crowd_of_silent_clients_keeps_nobody_out(bench: Bench) -> None:
    """Who asks in time is answered beside them."""
    async with serving(bench.app, Hasty) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        assert statuses(await say(port, GET + b"Connection: close\r\n\r\n")) == [200]
        await asyncio.gather(*(reader.read() for reader, _ in crowd))  # each sees its end
        for _, writer in crowd:
            writer.close()


@pytest.mark.fault(143)
async def test_a_crowd_beyond_the_limit_ends_the_oldest_idle_connection_first(bench: Bench) -> None:
    """A new client is served, and so is a held request; only idle connections and the oldest ones end."""
    watch_id = (await bench.register())["id"]
    async with serving(bench.app, limit_connections(0, 0)) as port:
        held = asyncio.create_task(say(port, f"GET /v1/watches/{watch_id}?wait=60s HTTP/1.1\r\n".encode(),
                                       b"Host: localhost\r\nConnection: close\r\n\r\n"))  # fmt: skip
        await _until(lambda: bool(bench.waiters._waiting))
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * MIN_CONNECTIONS)]
        assert statuses(await say(port, GET + b"Connection: close\r\n\r\n")) == [200]
        for reader, _ in crowd[:MIN_CONNECTIONS]:
            with suppress(ConnectionError):
                assert await reader.read() == b""
        await bench.end(watch_id)
        assert b'"state":"completed"' in await held
        for _, writer in crowd:
            writer.close()


@pytest.mark.fault(143)
async def test_a_crowd_of_held_requests_keeps_nobody_out(bench: Bench) -> None:
    """Nobody is idle then: the oldest of them ends."""
    watch_id = (await bench.register())["id"]
    head = f"GET /v1/watches/{watch_id}?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    async with serving(bench.app, limit_connections(0, 0)) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MIN_CONNECTIONS)]
        for _, writer in crowd:
            writer.write(head)
        await _until(lambda: len(bench.waiters._waiting.get(watch_id, ())) == MIN_CONNECTIONS)
        assert statuses(await say(port, GET + b"Connection: close\r\n\r\n")) == [200]
        for _, writer in crowd:
            writer.close()


async def test_a_held_answer_has_no_deadline(bench: Bench) -> None:
    """The request is in; how long its answer takes is our own affair."""
    watch_id = (await bench.register())["id"]
    head = f"GET /v1/watches/{watch_id}?wait=60s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with serving(bench.app, Hasty) as port:
        held = asyncio.create_task(say(port, head.encode()))
        await _until(lambda: bool(bench.waiters._waiting))
        await asyncio.sleep(2 * SHORT_S)
        await bench.end(watch_id)
        assert b'"state":"completed"' in await held


async def test_a_held_answer_is_dropped_when_its_client_leaves(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    async with serving(bench.app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /v1/watches/{watch_id}?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await _until(lambda: bool(bench.waiters._waiting))
        writer.close()
        await _until(lambda: not bench.waiters._waiting)


@pytest.mark.fault(85)
async def test_who_sends_first_and_reads_later_gets_the_refusal(bench: Bench) -> None:
    """Row 85: 10 MB, declared or in chunks. The answer is 413 and arrives, and the connection ends."""
    size = 10_000_000
    chunked = b"".join(b"%x\r\n%b\r\n" % (65_536, b"x" * 65_536) for _ in range(size // 65_536))
    async with serving(bench.app) as port:
        declared = await say(port, POST + b"Content-Length: %d\r\n\r\n" % size, b"x" * size)
        in_chunks = await say(port, POST + b"Transfer-Encoding: chunked\r\n\r\n", chunked, b"0\r\n\r\n")
    for answer in (declared, in_chunks):
        assert statuses(answer) == [413]
        assert b"connection: close" in answer


async def test_who_does_not_read_is_cut_off() -> None:
    """An answer larger than all buffers, and nobody there to take it."""
    is_over = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 50_000_000, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        is_over.set()

    async with serving(endless, Hasty) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(GET + b"\r\n")
        await is_over.wait()
        writer.close()


class Timers:
    """A loop of which only the timers are asked: they run when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, callback: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        entry = (delay_s, functools.partial(callback, *args))
        self.waiting.append(entry)
        handle = mock.Mock(spec=asyncio.TimerHandle)
        handle.cancel.side_effect = lambda: self.waiting.remove(entry)
        return handle

    def run(self) -> float:
        """Run the only timer; returns what it was set to."""
        ((delay_s, callback),) = self.waiting
        self.waiting.clear()
        callback()
        return delay_s


def connected(timers: Timers) -> tuple[DeadlineProtocol, mock.Mock]:
    """A protocol on a transport that only notes what it is told."""
    config = uvicorn.Config(_never, http=DeadlineProtocol, ws="none", lifespan="off", log_config=None)
    loop = cast("asyncio.AbstractEventLoop", timers)
    protocol = DeadlineProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    transport = mock.Mock(spec=asyncio.Transport)
    transport.is_closing.side_effect = lambda: transport.close.called or transport.abort.called
    transport.get_extra_info.return_value = None
    protocol.connection_made(transport)
    return protocol, transport


async def _never(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("no request is complete")


def test_who_reads_slowly_gets_all_of_it() -> None:
    """As long as something was read in each stretch of time, the answer goes on."""
    timers = Timers()
    protocol, transport = connected(timers)
    timers.waiting.clear()  # that of the request
    transport.get_write_buffer_size.return_value = 300
    protocol.pause_writing()
    for left in (200, 199, 1):
        transport.get_write_buffer_size.return_value = left
        assert timers.run() == REQUEST_TIMEOUT_S
        assert not transport.abort.called
    protocol.resume_writing()
    assert timers.waiting == []
    protocol.pause_writing()
    timers.run()
    assert transport.abort.called


def test_the_time_of_a_request_begins_with_its_first_byte_and_is_not_prolonged() -> None:
    timers = Timers()
    protocol, transport = connected(timers)
    (idle,) = timers.waiting
    protocol.data_received(b"G")
    (begun,) = timers.waiting
    assert begun is not idle
    protocol.data_received(b"ET /healthz HTTP/1.1\r\n")
    assert timers.waiting == [begun]
    timers.run()
    assert transport.write.call_args[0][0].startswith(b"HTTP/1.1 408 ")
    assert transport.close.called


def test_a_connection_that_is_lost_leaves_no_timer() -> None:
    timers = Timers()
    protocol, _ = connected(timers)
    protocol.pause_writing()
    assert len(timers.waiting) == 2
    protocol.connection_lost(None)
    assert timers.waiting == []


def test_the_deadline_is_what_the_contract_says() -> None:
    assert REQUEST_TIMEOUT_S == 10.0


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b"reset"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)

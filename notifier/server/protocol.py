"""HTTP/1.1 on a socket: uvicorn's httptools protocol, but strict about heads and with an end to waiting.

A request's head and body together have ``RECEIVE_S`` from its first byte on; a connection on which none
begins has as long, and so has a client that reads nothing of its answer. httptools takes heads of any size,
and such as can be read in two ways: so it is handed one checked head at a time (``heads.py``), and of what
follows no more than the body.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from notifier.server.problems import MEDIA_TYPE, ProblemError, problem_body
from notifier.server.request_head import HEAD_BYTES, BadRequestHead, check_begun, check_head

RECEIVE_S = 10.0

_EMPTY_LINE = b"\r\n\r\n"
# Where a body in chunks may end: at an empty line, perhaps one of which the beginning came before.
_STOP = re.compile(rb"(?<=\n)\r\n|\A\r?\n")
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r]*", re.IGNORECASE)


class DeadlineProtocol(HttpToolsProtocol):
    """What ``uvicorn.Config(http=…)`` gets. A subclass with another ``receive_s`` is what tests use.

    Of pipelined requests the next one is looked at when the one before it is answered.
    """

    receive_s = RECEIVE_S

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # uvicorn's own arguments, handed through
        self._received = b""  # and not handed to the parser
        self._length: int | None = 0  # of the body, as the head says; None: it comes in chunks
        self._is_body_awaited = False
        self._framing = 0  # how many bytes have come since the last one of a body
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._follow()

    def data_received(self, data: bytes) -> None:
        """Go on with the request, unless this connection is being ended."""
        if self.transport.is_closing():
            return
        if not self._has_begun():
            self._stop_receiving()  # these are the first bytes of a request: its time begins now
        self._received += data
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        super().connection_lost(exc)
        self._stop_receiving()
        self._stop_sending()

    def pause_writing(self) -> None:
        """The client does not read: begin to wait for it."""
        super().pause_writing()
        self._stop_sending()
        self._expect_progress()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._stop_sending()
        super().resume_writing()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note one header of the head; after the head there are none."""
        if self._is_body_awaited:
            raise BadRequestHead("trailers are not taken")
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Begin to answer. The path is all of the target, in whatever form, up to its query."""
        if self.parser.should_upgrade():
            raise BadRequestHead("this is no proxy")  # CONNECT
        raw_path, _, query = self.url.partition(b"?")
        version = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = self.root_path + unquote(raw_path.decode("ascii"))
        self.scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        self.scope["query_string"] = query
        is_new = version == "1.1"
        self._is_body_awaited = True
        self.cycle = _Cycle(
            scope=self.scope,
            transport=cast("asyncio.Transport", _Joining(self.transport)),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=is_new and self.expect_100_continue,
            keep_alive=is_new and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on."""
        self.cycle.waiting_for_100_continue = False
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is in."""
        self._is_body_awaited = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, or go on with what came of it; uvicorn's timer stays unset."""
        self.server_state.total_requests += 1
        self._stop_receiving()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._go_on()

    def _go_on(self) -> None:
        """Hand the parser what it may have, and have the timer run while a request is coming in."""
        try:
            while self._received and not self._is_answering() and self._hand_over():
                pass
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(ProblemError("bad_request", "this is no proper HTTP/1.1 request"))
        if self._received and self._is_answering():
            self.flow.pause_reading()
        self._follow()

    def _hand_over(self) -> bool:
        """Hand the parser a head, or what there is of a body; returns whether there was enough for it."""
        if self._is_body_awaited:
            self._hand_over_body()
            return True
        head, end, rest = self._received.partition(_EMPTY_LINE)
        if not end or len(head) > HEAD_BYTES:
            check_begun(self._received)
            return False
        self._length, self._framing, self._received = check_head(head), 0, rest
        # Without this field: the parser takes what follows for another protocol, and we speak none.
        self.parser.feed_data(_UPGRADE.sub(b"", head) + _EMPTY_LINE)
        return True

    def _hand_over_body(self) -> None:
        received, self._received = self._received, b""
        begin = 0
        for end in self._stops(received):
            self._framing += end - begin
            self.parser.feed_data(received[begin:end])
            if not self._is_body_awaited:
                self._received = received[end:]
                return
            if self._framing > HEAD_BYTES:
                raise BadRequestHead("too much around the chunks of a body")
            begin = end

    def _stops(self, received: bytes) -> Iterator[int]:
        """Where the body may end; what lies beyond may be another request, whose head is to be checked."""
        if self._length is None:
            yield from (stop.end() for stop in _STOP.finditer(received))
            yield len(received)
        else:
            end = min(self._length, len(received))
            self._length -= end
            yield end

    def _follow(self) -> None:
        if self.transport.is_closing() or self._is_answering():
            self._stop_receiving()
        elif self._receiving is None:
            self._receiving = self.loop.call_later(self.receive_s, self._too_late)

    def _too_late(self) -> None:
        self._receiving = None
        if self._has_begun():
            self._refuse(
                ProblemError("request_timeout", f"a request is complete within {self.receive_s:g} s")
            )
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, problem: ProblemError) -> None:
        """Answer by hand, if no answer has begun, and end the connection.

        The application may still be waiting for the body, or be about to answer: for it, the client is gone.
        """
        if self.transport.is_closing():
            return
        running = self._running()
        if running is None or not running.response_started:
            self.transport.write(_by_hand(problem))
        if running is not None:
            running.disconnected = True
            running.message_event.set()
        self.transport.close()

    def _running(self) -> RequestResponseCycle | None:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle if cycle is not None and not cycle.response_complete else None

    def _is_answering(self) -> bool:
        """Whether a request is in and its answer is not out."""
        return not self._is_body_awaited and self._running() is not None

    def _has_begun(self) -> bool:
        return self._is_body_awaited or bool(self._received)

    def _expect_progress(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._sending = self.loop.call_later(self.receive_s, self._check_progress, left)

    def _check_progress(self, left_before: int) -> None:
        if self.transport.get_write_buffer_size() < left_before:
            self._expect_progress()
        else:
            self.transport.abort()

    def _stop_receiving(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None


class _Cycle(RequestResponseCycle):
    """One answer. Its head goes out together with what follows it: one system call less on each side."""

    async def send(self, message: Any) -> None:
        """See ASGI."""
        if message["type"] == "http.response.start" and self.scope["method"] != "HEAD":
            cast("_Joining", self.transport).holds_next = True
        await super().send(message)


class _Joining:
    """The transport as an answer sees it: what is written while ``holds_next`` waits for the next write."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.holds_next = False
        self._transport = transport
        self._held = b""

    def write(self, data: bytes) -> None:
        if self.holds_next:
            self._held, self.holds_next = data, False
        else:
            self._transport.write(self._held + data if self._held else data)
            self._held = b""

    def close(self) -> None:
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


def _by_hand(problem: ProblemError) -> bytes:
    content = msgspec.json.encode(problem_body(problem))
    head = (
        f"HTTP/1.1 {problem.status} {problem_body(problem).title}\r\n"
        f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\n"
        "x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + content

"""Speak HTTP/1.1 on a socket: uvicorn's httptools protocol with strict heads and deadlines.

A request has ``REQUEST_TIMEOUT_S`` for its head and body, from its first byte on. A connection on which none
begins has as long, and so has a client that does not read its response. httptools accepts heads of any size
and heads that can be read in two ways. So it is fed one checked head at a time (``request_head.py``), and
after it no more than the body.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from notifier.server.problems import MEDIA_TYPE, ProblemError, problem_to_body
from notifier.server.request_head import MAX_HEAD_BYTES, BadRequestHead, check_head, check_partial_head

REQUEST_TIMEOUT_S = 10.0
"""CONTRACT, HTTP: a request whose head and body are not in within 10 s is closed."""

_EMPTY_LINE = b"\r\n\r\n"
# Where a chunked body may end: at an empty line, whose first bytes may have come with the bytes before.
_BODY_END = re.compile(rb"(?<=\n)\r\n|\A\r?\n")
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r]*", re.IGNORECASE)


class DeadlineProtocol(HttpToolsProtocol):
    """The value of ``uvicorn.Config(http=…)``. Tests use a subclass with another ``timeout_s``.

    A pipelined request is parsed after the response to the one before it.
    """

    timeout_s = REQUEST_TIMEOUT_S

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # uvicorn's own arguments, passed on
        self._received = b""  # not fed to the parser yet
        self._length: int | None = 0  # of the body, by its head; None: chunked
        self._is_body_awaited = False
        self._framing_size = 0  # bytes since the last byte of body content
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Start to wait for a request."""
        super().connection_made(transport)
        self._update_timer()

    def data_received(self, data: bytes) -> None:
        """Process more bytes of a request, unless the connection is closing."""
        if self.transport.is_closing():
            return
        if not self._has_begun():
            self._cancel_request_timer()  # the deadline of a request starts with its first byte
        self._received += data
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        super().connection_lost(exc)
        self._cancel_request_timer()
        self._cancel_write_timer()

    def pause_writing(self) -> None:
        """Start the write timer, because the client does not read."""
        super().pause_writing()
        self._cancel_write_timer()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Stop the write timer, because the client reads again."""
        self._cancel_write_timer()
        super().resume_writing()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store one header. Trailers are refused."""
        if self._is_body_awaited:
            raise BadRequestHead("trailers are not taken")
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Start the application. Whatever the form of the target, its path is all before the query."""
        if self.parser.should_upgrade():
            raise BadRequestHead("this is no proxy")  # CONNECT
        raw_path, _, query = self.url.partition(b"?")
        version = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = self.root_path + unquote(raw_path.decode("ascii"))
        self.scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        self.scope["query_string"] = query
        self._is_body_awaited = True
        self.cycle = self._make_cycle(is_http_1_1=version == "1.1")
        self._start_asgi_task(self.cycle, self.app)

    def _make_cycle(self, *, is_http_1_1: bool) -> "_Cycle":
        return _Cycle(
            scope=self.scope,
            transport=cast("asyncio.Transport", _JoiningTransport(self.transport)),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=is_http_1_1 and self.expect_100_continue,
            keep_alive=is_http_1_1 and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self.cycle.waiting_for_100_continue = False
        self._framing_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Finish the request."""
        self._is_body_awaited = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Process the next request, or wait for one with our timer instead of uvicorn's."""
        self.server_state.total_requests += 1
        self._cancel_request_timer()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._advance()

    def _advance(self) -> None:
        """Feed the parser what it may have, and run the timer while a request is coming in."""
        try:
            while self._received and not self._is_responding() and self._feed():
                pass
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(ProblemError("bad_request", "this is not a valid HTTP/1.1 request"))
        if self._received and self._is_responding():
            self.flow.pause_reading()
        self._update_timer()

    def _feed(self) -> bool:
        """Feed the parser a whole head, or the bytes of a body. Return False for an incomplete head."""
        if self._is_body_awaited:
            self._feed_body()
            return True
        head, end, rest = self._received.partition(_EMPTY_LINE)
        if not end or len(head) > MAX_HEAD_BYTES:
            check_partial_head(self._received)
            return False
        self._length, self._framing_size, self._received = check_head(head), 0, rest
        # Without the Upgrade field: the parser would take what follows for another protocol.
        self.parser.feed_data(_UPGRADE.sub(b"", head) + _EMPTY_LINE)
        return True

    def _feed_body(self) -> None:
        received, self._received = self._received, b""
        begin = 0
        for end in self._possible_ends(received):
            self._framing_size += end - begin
            self.parser.feed_data(received[begin:end])
            if not self._is_body_awaited:
                self._received = received[end:]
                return
            if self._framing_size > MAX_HEAD_BYTES:
                raise BadRequestHead("too much around the chunks of a body")
            begin = end

    def _possible_ends(self, received: bytes) -> Iterator[int]:
        """Yield where the body may end. Bytes after it may be another request, whose head must be checked."""
        if self._length is None:
            yield from (match.end() for match in _BODY_END.finditer(received))
            yield len(received)
        else:
            end = min(self._length, len(received))
            self._length -= end
            yield end

    def _update_timer(self) -> None:
        if self.transport.is_closing() or self._is_responding():
            self._cancel_request_timer()
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(self.timeout_s, self._on_request_timeout)

    def _on_request_timeout(self) -> None:
        self._request_timer = None
        if self._has_begun():
            self._refuse(
                ProblemError("request_timeout", f"a request must be complete within {self.timeout_s:g} s")
            )
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, problem: ProblemError) -> None:
        """Write a problem, if no response has begun, and close the connection.

        The application may still wait for the body or be about to respond; to it, the client disconnected.
        """
        if self.transport.is_closing():
            return
        running = self._running()
        if running is None or not running.response_started:
            self.transport.write(_encode_response(problem))
        if running is not None:
            running.disconnected = True
            running.message_event.set()
        self.transport.close()

    def _running(self) -> RequestResponseCycle | None:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle if cycle is not None and not cycle.response_complete else None

    def _is_responding(self) -> bool:
        """Return whether a request is complete and its response is not."""
        return not self._is_body_awaited and self._running() is not None

    def _has_begun(self) -> bool:
        """Return whether a request has begun and is not complete."""
        return self._is_body_awaited or bool(self._received)

    def _start_write_timer(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(self.timeout_s, self._check_write_progress, unsent)

    def _check_write_progress(self, unsent_before: int) -> None:
        if self.transport.get_write_buffer_size() < unsent_before:
            self._start_write_timer()
        else:
            self.transport.abort()

    def _cancel_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class _Cycle(RequestResponseCycle):
    """One response. Its head is sent with the first piece of its body: one system call less on each side."""

    async def send(self, message: Any) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start" and self.scope["method"] != "HEAD":
            cast("_JoiningTransport", self.transport).holds_next = True
        await super().send(message)


class _JoiningTransport:
    """The transport of a cycle. A write while ``holds_next`` is set waits and goes out with the next one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.holds_next = False
        self._transport = transport
        self._pending = b""

    def write(self, data: bytes) -> None:
        if self.holds_next:
            self._pending, self.holds_next = data, False
        else:
            self._transport.write(self._pending + data if self._pending else data)
            self._pending = b""

    def close(self) -> None:
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


def _encode_response(problem: ProblemError) -> bytes:
    body = problem_to_body(problem)
    content = msgspec.json.encode(body)
    head = (
        f"HTTP/1.1 {problem.status} {body.title}\r\n"
        f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\n"
        "x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + content

"""HTTP/1.1 on a socket: uvicorn's h11 protocol, but strict about heads and with an end to waiting.

A request's head and body together have ``RECEIVE_S`` from its first byte on; a connection on which none
begins has as long, and so has a client that reads nothing of its answer. What h11 lets pass though two
parsers may read it in two ways (bare line feeds, folded lines, several framings) is refused.
"""

import asyncio
import re
from collections import Counter

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from notifier.api.problems import MEDIA_TYPE, Problem, body_of

RECEIVE_S = 10.0
HEAD_BYTES = 16 * 1024

_END_OF_HEAD = b"\r\n\r\n"
# A line feed with no return before it, a return with no feed after it, a folded line, a control character.
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r(?!\n)(?!\Z)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ONCE = (b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization")
_FRAMINGS = {b"content-length", b"transfer-encoding"}
_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")
_UNFINISHED = (h11.IDLE, h11.SEND_BODY)


class StrictConnection(h11.Connection):
    """h11's state machine for a server, which looks at each head before h11 does."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEAD_BYTES)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """See h11; raises RemoteProtocolError for more."""
        if self.their_state is h11.IDLE:
            check_head(self.trailing_data[0])
        event = super().next_event()
        if isinstance(event, h11.EndOfMessage) and event.headers:
            raise h11.RemoteProtocolError("trailers are not taken")
        return event


def check_head(received: bytes) -> None:
    """Raise RemoteProtocolError for a head, or the beginning of one, that is not plain and clear."""
    head, end, _ = received[: HEAD_BYTES + len(_END_OF_HEAD)].partition(_END_OF_HEAD)
    if not end and len(received) > HEAD_BYTES:
        raise h11.RemoteProtocolError("the head of a request is too long", error_status_hint=431)
    if _AMBIGUOUS.search(head):
        raise h11.RemoteProtocolError("the head of a request has bare or folded lines or control characters")
    if not end:
        return
    request_line, *lines = head.split(b"\r\n")
    if not request_line.endswith(_VERSIONS):
        raise h11.RemoteProtocolError("neither HTTP/1.1 nor HTTP/1.0")
    fields = [line.partition(b":")[::2] for line in lines]
    names = Counter(name.lower() for name, _ in fields)
    if any(names[name] > 1 for name in _ONCE) or names.keys() >= _FRAMINGS:
        raise h11.RemoteProtocolError("a header that may stand once stands twice, or there are two framings")
    if any(name.lower() == b"content-length" and not value.strip(b" \t").isdigit() for name, value in fields):
        raise h11.RemoteProtocolError("content-length is not one number")


class DeadlineProtocol(H11Protocol):
    """What ``uvicorn.Config(http=…)`` gets. A subclass with another ``receive_s`` is what tests use."""

    receive_s = RECEIVE_S

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # uvicorn's own arguments, handed through
        self.conn = StrictConnection()
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
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._stop_receiving()
        super().on_response_complete()
        self._follow()

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

    def send_400_response(self, msg: str) -> None:
        """Tell a client that speaks no proper HTTP, and end the connection."""
        self._refuse(Problem("bad_request", "this is no proper HTTP/1.1 request"))

    def _follow(self) -> None:
        """Have the timer run while a request is coming in, and only then."""
        if self.transport.is_closing() or self.conn.their_state not in _UNFINISHED:
            self._stop_receiving()
        elif self._receiving is None:
            self._receiving = self.loop.call_later(self.receive_s, self._too_late)

    def _too_late(self) -> None:
        self._receiving = None
        if self._has_begun():
            self._refuse(Problem("request_timeout", f"a request is complete within {self.receive_s:g} s"))
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer by hand, if no answer has begun, and end the connection.

        The application may still be waiting for the body, or be about to answer: for it, the client is gone.
        """
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        running = cycle if cycle is not None and not cycle.response_complete else None
        if running is None or not running.response_started:
            self.transport.write(_by_hand(problem))
        if running is not None:
            running.disconnected = True
            running.message_event.set()
        self.transport.close()

    def _has_begun(self) -> bool:
        return self.conn.their_state is not h11.IDLE or bool(self.conn.trailing_data[0])

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


def _by_hand(problem: Problem) -> bytes:
    content = msgspec.json.encode(body_of(problem))
    head = (
        f"HTTP/1.1 {problem.status} {body_of(problem).title}\r\n"
        f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\n"
        "x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + content

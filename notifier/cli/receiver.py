"""A receiver of callbacks for ``listen`` and ``demo``. It verifies and replies as a user's would."""

import base64
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from notifier.cli.client import is_json
from notifier.client.model import Event
from notifier.core.delivery.signature import BadSignature, verify
from notifier.core.secret import Secret

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A callback holds one reply of a provider, at most ``max_body`` (16 MiB). No record of why 64 MiB."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReceivedCallback:
    """One callback. ``reason`` says why its signature is not valid, None if it is. ``path`` has the query.

    ``fix`` says what to do where a wrong secret may be the reason.
    """

    at: int
    headers: Mapping[str, str]
    body: bytes
    reason: str | None
    reply_status: int
    path: str = "/"
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ReplyPlan:
    """The replies: 503 to the first ``failures`` callbacks, then ``status`` to verified ones."""

    status: int = 204
    failures: int = 0


class LocalReceiver:
    """An ASGI application. It passes each callback to ``print_callback``, then replies.

    After the reply to a verified callback it calls ``on_accepted`` with their number. If ``print_callback``
    raises BrokenPipeError, it refuses the callback, so that the daemon sends it again, and calls
    ``on_unread``.
    """

    def __init__(
        self,
        secrets: Sequence[Secret],
        reply_plan: ReplyPlan,
        *,
        now: Callable[[], int],
        print_callback: Callable[[ReceivedCallback], None],
        on_accepted: Callable[[int], None] = lambda _: None,
        on_unread: Callable[[], None] = lambda: None,
    ) -> None:
        self._secrets = secrets
        self._reply_plan = reply_plan
        self._now = now
        self._print_callback = print_callback
        self._on_accepted = on_accepted
        self._on_unread = on_unread
        self._failures_left = reply_plan.failures
        self._accepted = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _respond(send, 405, [(b"allow", b"POST")])
            return
        body = await _read_body(receive)
        if body is None:
            await _respond(send, 413)
            return
        now = self._now()
        headers = _decode_headers(scope["headers"])
        reason, fix = self._verify(headers, body, now)
        status, is_accepted = self._choose_status(reason)
        try:
            self._print_callback(ReceivedCallback(now, headers, body, reason, status, _get_path(scope), fix))
        except BrokenPipeError:
            await _respond(send, 503)
            self._on_unread()
            return
        await _respond(send, status)
        if is_accepted:
            self._accepted += 1
            self._on_accepted(self._accepted)

    def _verify(self, headers: Mapping[str, str], body: bytes, now: int) -> tuple[str | None, str]:
        """Return why the signature is not valid, and what to do about it, where that is known."""
        try:
            verify(self._secrets, headers, body, now=now)
        except BadSignature as error:
            return str(error), "" if error.cause is None else error.cause.fix()
        return None, ""

    def _choose_status(self, reason: str | None) -> tuple[int, bool]:
        if self._failures_left > 0:
            self._failures_left -= 1
            return 503, False
        return (self._reply_plan.status, True) if reason is None else (401, False)


def parse_event(body: bytes) -> Event | None:
    """Decode a callback's body. Return None if it is not an event of notifier."""
    try:
        return msgspec.json.decode(body, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def extract_metadata(body: bytes) -> bytes:
    """Return the metadata of a callback as it is written in the body, b"" if there is none."""
    try:
        data = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["data"]
        metadata = msgspec.json.decode(data, type=dict[str, msgspec.Raw])["metadata"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return b""
    return b"" if bytes(metadata) == b"{}" else bytes(metadata)


def callback_to_json(received: ReceivedCallback, at: str) -> bytes:
    """Encode one callback: with its event unchanged, or with the body in Base64 if that is not JSON."""
    headers = received.headers
    content: dict[str, object] = {"event": msgspec.Raw(received.body)}
    if not is_json(received.body):
        content = {"event": None, "body_base64": base64.b64encode(received.body).decode()}
    return msgspec.json.encode(
        {
            "at": at,
            "verified": received.reason is None,
            "reason": received.reason,
            "answered": received.reply_status,
            "path": received.path,
            "webhook_id": headers.get("webhook-id"),
            "attempt": headers.get("notifier-attempt"),
            "maybe_duplicate": headers.get("notifier-maybe-duplicate") == "1",
            **content,
        }
    )


def _get_path(scope: Mapping[str, Any]) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


def _decode_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


async def _read_body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _respond(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})

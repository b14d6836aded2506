"""Verify the signature of a callback and decode its body, for receivers."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from notifier.client.model import Event
from notifier.core.delivery.signature import BadSecret, key_of
from notifier.core.delivery.signature import verify as verify_signature
from notifier.core.secret import Secret


class HeaderItems(Protocol):
    """The headers of a web framework, in any case and order."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""
        ...


class BadEvent(ValueError):
    """The signature is valid, but the signed body is no event of notifier."""


def verify(
    body: bytes | bytearray | memoryview,
    headers: HeaderItems | Mapping[str, str],
    secret: str | Sequence[str],
    *,
    now_s: float | None = None,
) -> Event:
    """Verify the signature of a callback and return its event.

    ``body`` holds the received bytes before any parsing. ``secret`` is the text that `notifier secret show`
    prints (``whsec_…``, also several), or a sequence of secrets. The timestamp may differ from ``now_s`` by
    at most 300 s (Standard Webhooks). ``now_s`` is in seconds of the epoch, by default from the clock.

    Raise ``BadSignature`` (a ValueError) for a callback that must not be trusted: respond with 401, and the
    daemon sends it again later. Raise ``BadEvent`` for a signed body that is no event, ``BadSecret`` for an
    invalid secret, and TypeError for a body that was decoded before.
    """
    content = _bytes_of(body)
    secrets = [Secret(text) for text in (secret.split() if isinstance(secret, str) else secret)]
    if not secrets:
        raise BadSecret("no secret: pass the output of `notifier secret show`")
    for each in secrets:
        key_of(each)
    named = {str(name): str(value) for name, value in headers.items()}
    now = int((time.time() if now_s is None else now_s) * 1_000)
    verify_signature(secrets, named, content, now=now)
    try:
        return msgspec.json.decode(content, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent(f"the body is signed, but no event of notifier: {error}") from None


def _bytes_of(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    kind = type(body).__name__
    raise TypeError(f"the body must be the bytes as received, not {kind}: parsing loses the signed bytes")

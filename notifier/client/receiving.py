"""For receivers: is this callback from our daemon, and what does it say?"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from notifier.client.model import Event
from notifier.core.delivery.signature import BadSecret, key_of
from notifier.core.delivery.signature import verify as verify_signature
from notifier.core.secret import Secret


class HeaderItems(Protocol):
    """Headers as web frameworks have them, in any case and order."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""
        ...


class BadEvent(ValueError):
    """The signature is right, but what was signed is no event of notifier's."""


def verify(
    body: bytes | bytearray | memoryview,
    headers: HeaderItems | Mapping[str, str],
    secret: str | Sequence[str],
    *,
    now_s: float | None = None,
) -> Event:
    """Check a callback's signature, and read it.

    ``body`` is what came, byte for byte, before any parsing. ``secret`` is the text that `notifier secret
    show` prints (``whsec_…``), also while it prints two, or a sequence of such. The timestamp may be
    300 s off at most; ``now_s`` is in seconds of the epoch, the system's clock if left out.

    Raises ``BadSignature`` (a ValueError) for what must not be trusted: answer 401, and the daemon tries
    again later. Raises ``BadEvent`` if the secret signs for somebody else too, ``BadSecret`` if a
    secret is none, and TypeError if ``body`` has been decoded already. The source of the rules: Standard
    Webhooks.
    """
    content = _bytes_of(body)
    secrets = [Secret(text) for text in (secret.split() if isinstance(secret, str) else secret)]
    if not secrets:
        raise BadSecret("no secret is given: `notifier secret show` prints the daemon's")
    for each in secrets:
        key_of(each)
    named = {str(name): str(value) for name, value in headers.items()}
    now = int((time.time() if now_s is None else now_s) * 1_000)
    verify_signature(secrets, named, content, now=now)
    try:
        return msgspec.json.decode(content, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise BadEvent(f"the body is signed, but no event of notifier: {wrong}") from None


def _bytes_of(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    kind = type(body).__name__
    raise TypeError(f"the body is to be the bytes as they came, not {kind}: parsing loses what was signed")

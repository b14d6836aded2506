"""Make and verify signatures of Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body``.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.secret import Secret

TOLERANCE_S = 300  # Standard Webhooks: its libraries allow five minutes either way
SECRET_PREFIX = "whsec_"  # noqa: S105 - the public mark of a secret
_KEY_BYTES = range(24, 65)
_TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)


class BadSecret(ValueError):
    """A text that is no signing secret. The message does not quote it."""


class BadSignature(ValueError):
    """A request that must not be trusted. The message says why.

    ``cause`` is set if a wrong secret may be the reason.
    """

    def __init__(self, reason: str, cause: Cause | None = None) -> None:
        super().__init__(reason)
        self.cause = cause


def make_secret(entropy: bytes) -> Secret:
    """Encode random bytes, for example 32, as a signing secret."""
    return Secret(SECRET_PREFIX + base64.b64encode(entropy).decode("ascii"))


def key_of(secret: Secret) -> bytes:
    """Return the key in ``whsec_…``. Raise BadSecret."""
    text = secret.reveal()
    if not text.startswith(SECRET_PREFIX):
        raise BadSecret(f"a signing secret starts with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:  # binascii.Error is one
        raise BadSecret(f"what follows {SECRET_PREFIX} is not base64") from None
    if len(key) not in _KEY_BYTES:
        raise BadSecret(f"a signing secret holds {_KEY_BYTES[0]} to {_KEY_BYTES[-1]} bytes, not {len(key)}")
    return key


def sign(secrets: Iterable[Secret], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Make the value of ``webhook-signature``: one entry per secret, in their order."""
    return " ".join(entry_of(key_of(secret), message_id, str(timestamp_s), body) for secret in secrets)


def entry_of(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Make one ``v1,`` entry with the key itself, of any length."""
    digest = digest_of(key, signed_part(message_id, timestamp, body))
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def signed_part(message_id: str, timestamp: str, body: bytes) -> bytes:
    """Return the bytes that every version of the standard signs."""
    return f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass") + body


def digest_of(key: bytes, signed: bytes) -> bytes:
    """Return the HMAC-SHA256 of the bytes."""
    return hmac.digest(key, signed, hashlib.sha256)


def verify(secrets: Iterable[Secret], headers: Mapping[str, str], body: bytes, *, now: int) -> None:
    """Check that an entry is by one of the secrets and that the time is near. Raise BadSignature."""
    named = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if name not in named]
    if missing:
        raise BadSignature(f"missing header: {', '.join(missing)}")
    timestamp = named["webhook-timestamp"]
    _check_age(timestamp, now)
    entries = [entry for entry in named["webhook-signature"].split(" ") if entry.startswith("v1,")]
    if not entries:
        raise BadSignature("webhook-signature holds no v1 entry")
    expected = [entry_of(key_of(secret), named["webhook-id"], timestamp, body) for secret in secrets]
    if not any([_is_same(ours, theirs) for ours in expected for theirs in entries]):  # noqa: C419 - compare all, in constant time
        mismatch = Cause(Code.SIGNATURE_MISMATCH)
        raise BadSignature(mismatch.text(), mismatch)


def _check_age(timestamp: str, now: int) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadSignature("webhook-timestamp is not a whole number of seconds")
    age_s = now // 1_000 - int(timestamp)
    if age_s > TOLERANCE_S:
        raise BadSignature(f"webhook-timestamp is {age_s} s old, more than {TOLERANCE_S} s")
    if age_s < -TOLERANCE_S:
        raise BadSignature(f"webhook-timestamp is {-age_s} s ahead, more than {TOLERANCE_S} s")


def _is_same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))

"""Make and check ids: a prefix for the type, and a ULID, so that they sort by time."""

import re

WATCH = "wch"
EVENT = "evt"
DELIVERY = "dlv"
ENDPOINT = "ep"
ENTROPY_BITS = 80  # specification of ULID: 48 bits of time and 80 random bits

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_ULID = re.compile(rf"[0-7][{_LETTERS}]{{25}}")


def new_id(prefix: str, at: int, entropy: int) -> str:
    """Make an id from the instant and 80 random bits (``rng.getrandbits(ENTROPY_BITS)``)."""
    number = (max(at, 0) & (1 << 48) - 1) << ENTROPY_BITS | entropy & (1 << ENTROPY_BITS) - 1
    return f"{prefix}_{''.join(_LETTERS[number >> shift & 31] for shift in range(125, -1, -5))}"


def is_id(text: object, prefix: str) -> bool:
    """Return whether ``text`` is an id that ``new_id`` can make for this prefix."""
    if not isinstance(text, str) or not text.startswith(f"{prefix}_"):
        return False
    return _ULID.fullmatch(text, len(prefix) + 1) is not None

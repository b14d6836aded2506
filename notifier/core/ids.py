"""Ids of ours: a prefix that says of what, and a ULID, so that they sort by the millisecond."""

import re

WATCH = "wch"
EVENT = "evt"
DELIVERY = "dlv"
ENDPOINT = "ep"
ENTROPY_BITS = 80  # specification of ULID: 48 bits of time and 80 random bits

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_ULID = re.compile(rf"[0-7][{_LETTERS}]{{25}}")


def new_id(prefix: str, at: int, entropy: int) -> str:
    """Make an id from the instant and 80 random bits (``chance.getrandbits(ENTROPY_BITS)``)."""
    number = (max(at, 0) & (1 << 48) - 1) << ENTROPY_BITS | entropy & (1 << ENTROPY_BITS) - 1
    return f"{prefix}_{''.join(_LETTERS[number >> shift & 31] for shift in range(125, -1, -5))}"


def is_id(text: object, prefix: str) -> bool:
    """Whether ``text`` is exactly what ``new_id`` makes for this prefix."""
    if not isinstance(text, str) or not text.startswith(f"{prefix}_"):
        return False
    return _ULID.fullmatch(text, len(prefix) + 1) is not None

"""Log browsers in by one-time codes, and keep the sessions that they start. Both are in memory only.

A browser cannot send ``Authorization`` when it opens a page. So a program that has a token requests a code
(``POST /v1/login``), and the browser exchanges it for a cookie (``GET /login?code=…``). Only digests are
stored; a lookup by digest takes a time that discloses nothing about the values.
"""

import hashlib
from dataclasses import dataclass
from random import Random

from notifier.core.secret import Secret
from notifier.ports import Clock

CODE_TTL_S = 60
"""``notifier open`` starts the browser at once. No record of why a minute rather than less."""

SESSION_TTL_S = 12 * 3_600
"""No record of why 12 h; changing it needs a measurement."""

MAX_CODES = 16
"""CONTRACT P5: bounded. Beyond it the oldest code is dropped. No record of why 16."""

MAX_SESSIONS = 64
"""CONTRACT P5: bounded. Beyond it the oldest session is dropped. No record of why 64."""

TOKEN_BITS = 256
"""As many as SHA-256 has: fewer would be easier to guess, more would not be harder."""


@dataclass(frozen=True, slots=True)
class _Grant:
    """A token, and the monotonic second until which a code or session stands for it."""

    token: Secret
    until_s: float


class BrowserSessions:
    """All codes and sessions of this process. ``rng`` must be unpredictable."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._codes: dict[bytes, _Grant] = {}
        self._sessions: dict[bytes, _Grant] = {}

    def offer(self, token: Secret) -> str:
        """Return a new one-time code for ``token``; drop the oldest code when there are too many."""
        return self._grant(self._codes, token, CODE_TTL_S, MAX_CODES)

    def redeem(self, code: str) -> tuple[Secret, str] | None:
        """Exchange a code for its token and a new session; None for an unknown or expired code."""
        grant = self._codes.pop(_digest(code), None)
        if grant is None or self._clock.monotonic() >= grant.until_s:
            return None
        return grant.token, self._grant(self._sessions, grant.token, SESSION_TTL_S, MAX_SESSIONS)

    def find_token(self, session: str) -> Secret | None:
        """Return the token of a session. The caller checks whether a reload has removed that token."""
        grant = self._sessions.get(_digest(session))
        return None if grant is None or self._clock.monotonic() >= grant.until_s else grant.token

    def _grant(self, grants: dict[bytes, _Grant], token: Secret, ttl_s: float, limit: int) -> str:
        value = f"{self._rng.getrandbits(TOKEN_BITS):064x}"
        grants[_digest(value)] = _Grant(token, self._clock.monotonic() + ttl_s)
        while len(grants) > limit:
            del grants[next(iter(grants))]
        return value


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()

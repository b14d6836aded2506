"""Logins of browsers: codes that are good once, and what a browser shows afterwards. In memory only.

A browser cannot send ``Authorization`` when it opens a page. So a program that has a token asks for a code
(``POST /v1/login``), a browser gives it back once (``GET /login?code=…``), and has a cookie from then on.
Only digests are kept, which are looked up: how long that takes tells nothing of the values.
"""

import hashlib
from dataclasses import dataclass
from random import Random

from notifier.core.secret import Secret
from notifier.ports import Clock

CODE_LIFE_S = 60
SESSION_LIFE_S = 12 * 3_600
MOST_CODES = 16
MOST_SESSIONS = 64
BITS = 256


@dataclass(frozen=True, slots=True)
class _Grant:
    """For whom, and until which monotonic second."""

    token: Secret
    until_s: float


class BrowserSessions:
    """All codes and sessions of this run. ``chance`` must be one that nobody can foresee."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._codes: dict[bytes, _Grant] = {}
        self._sessions: dict[bytes, _Grant] = {}

    def offer(self, token: Secret) -> str:
        """Make a code for whoever showed ``token``; the oldest one goes when there are too many."""
        return self._grant(self._codes, token, CODE_LIFE_S, MOST_CODES)

    def redeem(self, code: str) -> tuple[Secret, str] | None:
        """Take a code, which is void from then on; returns its token and a session, or None."""
        grant = self._codes.pop(_digest(code), None)
        if grant is None or self._clock.monotonic() >= grant.until_s:
            return None
        return grant.token, self._grant(self._sessions, grant.token, SESSION_LIFE_S, MOST_SESSIONS)

    def token_of(self, session: str) -> Secret | None:
        """Return the token that a session stands for; whether that is still one of ours is for the caller."""
        grant = self._sessions.get(_digest(session))
        return None if grant is None or self._clock.monotonic() >= grant.until_s else grant.token

    def _grant(self, grants: dict[bytes, _Grant], token: Secret, life_s: float, most: int) -> str:
        value = f"{self._rng.getrandbits(BITS):064x}"
        grants[_digest(value)] = _Grant(token, self._clock.monotonic() + life_s)
        while len(grants) > most:
            del grants[next(iter(grants))]
        return value


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()

"""What to do about a trouble, by the words that the daemon has for it: for log, command line and page."""

import re
from collections.abc import Mapping
from types import MappingProxyType

MULEROUTER_KEY = "MULEROUTER_API_KEY"
KEY_FROM = ", key from "  # in a trouble: where a key came from that is not where its owner would look first
_PLACE = re.compile(rf"{KEY_FROM}(.+?)(?= since \S+Z$|$)", re.DOTALL)
_QUOTED = re.compile('".*"', re.DOTALL)  # the provider's own words, which must not choose the fix
_BY_ITSELF = "nothing is lost; polling goes on by itself when it answers again"
FIXES: Mapping[str, str] = MappingProxyType(
    {
        "none is set (401)": "set {key}, then restart the daemon",
        "(401)": "check {key}, then reload the daemon; for a variable restart it",
        "(402)": "top up the account; polling goes on by itself",
        "(403)": "see that {key} is active and may use this API; `notifier check --online` asks again",
        "(429)": "nothing; polling goes on by itself. A lower max_rate avoids it",
        "not configured": "put the provider back into the configuration and reload, or stop its watches",
        "name not resolved": f"see base_url and this machine's DNS; {_BY_ITSELF}",
        "TLS failed": f"see base_url, the CA certificates and the clock of this machine; {_BY_ITSELF}",
        "no proper HTTP": f"see base_url, and whether it is to be http or https; {_BY_ITSELF}",
        "address not allowed": "see base_url: it names an address that is never asked",
        "provider: no ": _BY_ITSELF,
        "provider: connection closed": _BY_ITSELF,
        "provider answers HTTP 5": _BY_ITSELF,
        "is full": "free some space; notifier then goes on by itself",
        "has not ticked": "look at the log; if that lasts, restart: nothing that was accepted is lost",
        "the disk failed": "look at the disk and the system's log",
        "is damaged": "stop notifier and restore a backup",
        "cannot be written": "check the file's owner, its mode and the mount",
        "locked": "end the program that keeps it locked (a sqlite3 shell, a copy under way?)",
    }
)
"""By a sign in the trouble's words; the first that is found counts. ``{key}`` is what the key is set by."""

CLOSED = "closed"  # how the words of a closed gate begin (core/endpoint.py)
IDLE = "closed, but nothing waits"  # how they begin where the gate holds nothing back
CLOSED_FIX = (
    "`notifier test-callback {url}` says what is wrong; when it is mended, all that waits goes out after the "
    "next probe, or at once by `notifier endpoints resume {id}`"
)
HELD_FIX = "`notifier endpoints resume {id}` when it may be called again"


def fix_of(trouble: str, provider: str = "") -> str:
    """Say what to do; empty where nothing is known. ``provider`` is whose trouble it is, if one's."""
    key = MULEROUTER_KEY if provider == "mulerouter" else f"api_key of {provider or 'the provider'}"
    if found := _PLACE.search(trouble):
        key = found[1]
    own_words = _QUOTED.sub("", trouble)
    return next((text.format(key=key) for sign, text in FIXES.items() if sign in own_words), "")


def fix_of_receiver(gate: str, url: str, endpoint_id: str) -> str:
    """Say what to do about an endpoint that is held back, by the words for its gate.

    Empty if it is open, or closed before nothing.
    """
    if gate.startswith(("open", IDLE)):
        return ""
    return (CLOSED_FIX if gate.startswith(CLOSED) else HELD_FIX).format(url=url, id=endpoint_id)

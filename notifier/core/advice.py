"""What to do about a receiver that did not take a callback, in words for command line and page."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from notifier.core.exchange import FailureKind

_BUSY = "the receiver is busy; a delivery would wait, by its Retry-After, and go out again"
_REFUSES = (
    "the signature was refused, or a login is wanted: have the receiver verify with the secret "
    "that `notifier secret show` prints, over the bytes of the body as they came"
)

STATUS_ADVICE: Sequence[tuple[int, int, str]] = (
    (401, 401, _REFUSES),
    (403, 403, _REFUSES),
    (407, 407, _REFUSES),
    (404, 405, "see that the path is right, and that it takes POST"),
    (408, 408, _BUSY),
    (425, 425, _BUSY),
    (429, 429, _BUSY),
    (410, 410, "the receiver says that it is gone; a delivery would park the endpoint until it is resumed"),
    (300, 399, "redirects are never followed; give the URL that it points to"),
    (400, 499, "the receiver refuses this message; have it answer 2xx to events that it does not know"),
    (0, 999, "the receiver failed; look at its log"),
)
"""First and last status, and what to do; the first entry that holds a status counts."""

_NO_HTTP = "see that an HTTP/1.1 server answers there, and whether the URL is to be http or https"

FAULT_ADVICE: Mapping[FailureKind, str] = MappingProxyType(
    {
        FailureKind.DNS: "see that the host is spelled right and can be resolved on this machine",
        FailureKind.CONNECT: (
            "see that the receiver runs, listens on that port, and can be reached from this machine"
        ),
        FailureKind.TLS: (
            "the certificate must be valid for this host and signed by a known CA; for a private CA set "
            "callbacks.ca_file"
        ),
        FailureKind.TIMEOUT: "have the receiver answer first and work afterwards, or raise callbacks.timeout",
        FailureKind.RESET: (
            "the receiver broke off; look at its log, and whether the URL is to be http or https"
        ),
        FailureKind.BLOCKED: (
            "add the host or its network to callbacks.allow; link-local and metadata addresses, and "
            "notifier itself, are never called"
        ),
        FailureKind.PROTOCOL: _NO_HTTP,
        FailureKind.TOO_LARGE: _NO_HTTP,
    }
)


def advise_on_status(status: int) -> str:
    """What to do about an answer other than 2xx."""
    return next(text for first, last, text in STATUS_ADVICE if first <= status <= last)


def advise_on_failure(fault: FailureKind) -> str:
    """What to do where no answer came."""
    return FAULT_ADVICE[fault]


def advise_on_attempt(status: int | None, fault: str | None) -> str:
    """What to do about an attempt as it is kept; empty for one that was taken, or where nothing is known."""
    if status is not None:
        return "" if 200 <= status <= 299 else advise_on_status(status)
    return advise_on_failure(FailureKind(fault)) if fault in set(FailureKind) else ""

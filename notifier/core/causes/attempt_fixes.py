"""Say what to do about an attempt of a delivery by the HTTP status of its receiver."""

from collections.abc import Sequence

_BUSY = "the receiver is busy; a delivery would wait, by its Retry-After, and go out again"
_REFUSED = (
    "the signature was refused, or a login is wanted: have the receiver verify with the secret "
    "that `notifier secret show` prints, over the bytes of the body as they came"
)
_REDIRECTED = "redirects are never followed; give the URL that it points to"

HTTP_REDIRECT = 300  # any of its class: RFC 9110, 15.4
STATUS_FIXES: Sequence[tuple[int, int, str]] = (
    (401, 401, _REFUSED),
    (403, 403, _REFUSED),
    (407, 407, _REFUSED),
    (404, 405, "see that the path is right, and that it takes POST"),
    (408, 408, _BUSY),
    (425, 425, _BUSY),
    (429, 429, _BUSY),
    (410, 410, "the receiver says that it is gone; a delivery would park the endpoint until it is resumed"),
    (300, 399, _REDIRECTED),
    (400, 499, "the receiver refuses this message; have it answer 2xx to events that it does not know"),
    (0, 999, "the receiver failed; look at its log"),
)
"""First and last status of an attempt, and what to do. The first entry that includes a status counts."""

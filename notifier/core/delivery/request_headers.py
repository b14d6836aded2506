"""Build the headers of one attempt: of the callback, of Standard Webhooks and of notifier."""

from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType

from notifier import __version__
from notifier.core.delivery.signature import sign
from notifier.core.formats.headers import is_reserved
from notifier.core.formats.traceparent import TRACEPARENT
from notifier.core.model import ClaimedDelivery
from notifier.core.secret import Secret


def build_headers(
    delivery: ClaimedDelivery,
    secrets: Iterable[Secret],
    *,
    now: int,
    traceparent: str | None = None,
    of_endpoint: Mapping[str, str | Secret] = MappingProxyType({}),
) -> Mapping[str, str]:
    """Build the headers of one attempt. Custom headers of the callback cannot override ours.

    ``traceparent`` is the one of this attempt, if its watch belongs to a trace. ``of_endpoint`` are headers
    of the configuration, with names in lower case; those of the callback win.
    """
    timestamp_s = now // 1_000
    custom = {name: value for name, value in delivery.headers if not is_reserved(name)}
    headers = _reveal(of_endpoint, without={name.lower() for name in custom}) | custom
    if traceparent is not None:
        headers = {name: value for name, value in headers.items() if name.lower() != TRACEPARENT}
        headers[TRACEPARENT] = traceparent
    headers |= {
        "Content-Type": "application/json",
        "User-Agent": f"notifier/{__version__}",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": sign(secrets, delivery.event_id, timestamp_s, delivery.body),
        "notifier-attempt": str(delivery.number),
    }
    if delivery.is_maybe_duplicate:
        headers["notifier-maybe-duplicate"] = "1"
    if delivery.result_expires_at is not None:
        headers["notifier-result-expires-in"] = str(max(0, delivery.result_expires_at - now) // 1_000)
    return headers


def _reveal(headers: Mapping[str, str | Secret], *, without: Container[str]) -> dict[str, str]:
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in headers.items()
        if name not in without
    }

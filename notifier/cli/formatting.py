"""Format the API's objects as rows of tables, and as pairs of a name and a text."""

from collections.abc import Sequence

from notifier.cli.client import ApiReply
from notifier.cli.output import format_age, format_time, format_time_and_age, localize_instants
from notifier.cli.tables import Column
from notifier.client.model import (
    Callback,
    Delivery,
    DeliveryAttempt,
    Endpoint,
    TaskError,
    TroubleCause,
    Watch,
)
from notifier.core.formats.text import describe_task_error

Pairs = list[tuple[str, str | Sequence[str]]]

_EMPTY = (b"null", b"[]", b"{}", b'""')


WATCH_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("AGE"),
    Column("NOTE", 18, is_wrapped=True),
    Column("TASK", 8),
    Column("API PATH", 20),
)
DELIVERY_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("ATTEMPTS"),
    Column("AGE"),
    Column("EVENT"),
    Column("NOTE", 16, is_wrapped=True),
    Column("URL", 16, is_wrapped=True),
    Column("WATCH"),
)
ENDPOINT_COLUMNS = (
    Column("ID"),
    Column("GATE", 10, is_wrapped=True),
    Column("WAITING"),
    Column("OLDEST"),
    Column("URL", 16, is_wrapped=True),
    Column("DEAD"),
)
ATTEMPT_COLUMNS = (Column("ATTEMPT"), Column("AT"), Column("TOOK"), Column("STATUS"), Column("ERROR", 20))


def watch_to_row(watch: Watch) -> list[str]:
    """Return the cells of one row of ``ls``."""
    note = localize_instants(watch.trouble or "") or (watch.upstream_status if watch.is_live else None) or ""
    return [watch.id, watch.state, format_age(watch.registered_at), note, watch.task_id, watch.api_path]


def delivery_to_row(delivery: Delivery) -> list[str]:
    """Return the cells of one row of ``deliveries``."""
    return [
        delivery.id,
        delivery.state,
        str(delivery.attempts),
        format_age(delivery.created_at),
        delivery.type,
        localize_instants(delivery.held or delivery.last_error or ""),
        delivery.url,
        delivery.watch_id,
    ]


def endpoint_to_row(endpoint: Endpoint) -> list[str]:
    """Return the cells of one row of ``endpoints``."""
    return [
        endpoint.id,
        endpoint.gate,
        str(endpoint.pending),
        format_age(endpoint.oldest_pending_at),
        endpoint.url,
        str(endpoint.dead or ""),
    ]


def attempt_to_row(attempt: DeliveryAttempt) -> list[str]:
    """Return the cells of one row of the attempts of a delivery."""
    status = "" if attempt.status is None else str(attempt.status)
    return [
        str(attempt.number),
        format_time(attempt.at),
        f"{attempt.duration_ms} ms",
        status,
        attempt.error or "",
    ]


def format_object(response: ApiReply, *, excluded: str) -> Pairs:
    """Return the fields of an object in their order, without empty ones and the ``excluded`` one."""
    pairs: Pairs = []
    parts = response.parts()
    cause = parts["cause"].read(TroubleCause) if "cause" in parts and parts["cause"].raw != b"null" else None
    for name, part in parts.items():
        is_visible = (
            name not in {excluded, "cause"}
            and part.raw not in _EMPTY
            and not (name == "next_attempt_at" and "held" in parts)
        )
        value = _format_value(name, part) if is_visible else ""
        if name in {"trouble", "held"} and isinstance(value, str):
            value = format_trouble(value, cause)
        if value:
            pairs.append((name.replace("_", " "), value))
    return pairs


def format_trouble(text: str, cause: TroubleCause | None) -> list[str]:
    """Format the trouble of a watch or of a held delivery, with the fix on a second line if one is known."""
    return [line for line in (localize_instants(text), format_fix(cause)) if line]


def format_fix(cause: TroubleCause | None) -> str:
    """Format the fix that the API names for a cause; empty if it names none."""
    return f"fix: {cause.fix}" if cause is not None and cause.fix else ""


def _format_value(name: str, part: ApiReply) -> str | list[str]:
    match name:
        case "payload":
            return f"{len(part.raw)} bytes of JSON; --json shows it"
        case "callbacks":
            return [_format_callback(each) for each in part.read(list[Callback])]
        case "outputs":
            return part.read(list[str])
        case "error":
            return _format_error(part)
    if not part.raw.startswith(b'"'):
        return part.raw.decode()
    text = part.read(str)
    if name.startswith("next_") and format_age(text):
        return f"{format_time(text)} (due; if it stays due, `notifier status` shows why)"
    return format_time_and_age(text) if name.endswith("_at") else text


def _format_callback(callback: Callback) -> str:
    return f"{callback.url}  {', '.join(callback.events)}".rstrip()


def _format_error(part: ApiReply) -> str:
    error = part.read(TaskError)
    return describe_task_error(error.source, error.code, error.title, error.detail)

"""What the commands read of the API's objects. All else in them passes by, or is shown as it came."""

from collections.abc import Sequence

import msgspec

from notifier.cli.client import ApiReply
from notifier.cli.output import format_age, format_time_and_age, localize_instants, short_time
from notifier.cli.tables import Column
from notifier.core.fixes import fix_of, fix_of_receiver
from notifier.core.formats.text import describe_task_error
from notifier.core.formats.urls import endpoint_of

Pairs = list[tuple[str, str | Sequence[str]]]

ENDPOINT_PAGE = 500  # the most that the daemon gives at once

_EMPTY = (b"null", b"[]", b"{}", b'""')


class Callback(msgspec.Struct, frozen=True):
    """One receiver of a watch."""

    url: str
    events: list[str] = []


class Error(msgspec.Struct, frozen=True):
    """Why a task did not complete, and who says so."""

    source: str
    code: int | str | None = None
    title: str | None = None
    detail: str | None = None


class Try(msgspec.Struct, frozen=True):
    """One attempt of a delivery."""

    number: int
    at: str = ""
    duration_ms: int = 0
    status: int | None = None
    error: str | None = None
    answer: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """A delivery: ``attempts`` is their number in lists, and each of them where one is asked for."""

    id: str
    state: str
    url: str = ""
    type: str = ""
    watch_id: str = ""
    created_at: str | None = None
    last_error: str | None = None
    held: str | None = None
    attempts: int | list[Try] = 0

    @property
    def tries(self) -> int:
        """How often it was tried."""
        return self.attempts if isinstance(self.attempts, int) else len(self.attempts)


class Endpoint(msgspec.Struct, frozen=True):
    """A callback URL without its query, and how it stands."""

    id: str
    url: str
    gate: str = ""
    since: str | None = None
    next_probe_at: str | None = None
    pending: int = 0
    dead: int = 0
    oldest_pending_at: str | None = None


class Matched(msgspec.Struct, frozen=True):
    """How many deliveries a replay sends again."""

    matched: int


class Watch(msgspec.Struct, frozen=True):
    """A watch, as far as a line of it goes."""

    id: str
    state: str
    task_id: str = ""
    api_path: str = ""
    registered_at: str | None = None
    upstream_status: str | None = None
    trouble: str | None = None
    outputs: list[str] = []
    deliveries: list[Delivery] = []

    @property
    def is_live(self) -> bool:
        """It has not ended."""
        return self.state == "watching"


WATCH_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("AGE"),
    Column("NOTE", 18, whole=True),
    Column("TASK", 8),
    Column("API PATH", 20),
)
DELIVERY_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("TRIES"),
    Column("AGE"),
    Column("EVENT"),
    Column("NOTE", 16, whole=True),
    Column("URL", 16, whole=True),
    Column("WATCH"),
)
ENDPOINT_COLUMNS = (
    Column("ID"),
    Column("GATE", 10, whole=True),
    Column("WAITING"),
    Column("OLDEST"),
    Column("URL", 16, whole=True),
    Column("DEAD"),
)
TRY_COLUMNS = (Column("TRY"), Column("AT"), Column("TOOK"), Column("STATUS"), Column("ERROR", 20))


def watch_row(watch: Watch) -> list[str]:
    """One line of ``ls``."""
    note = localize_instants(watch.trouble or "") or (watch.upstream_status if watch.is_live else None) or ""
    return [watch.id, watch.state, format_age(watch.registered_at), note, watch.task_id, watch.api_path]


def delivery_row(delivery: Delivery) -> list[str]:
    """One line of ``deliveries``."""
    return [
        delivery.id,
        delivery.state,
        str(delivery.tries),
        format_age(delivery.created_at),
        delivery.type,
        localize_instants(delivery.held or delivery.last_error or ""),
        delivery.url,
        delivery.watch_id,
    ]


def endpoint_row(endpoint: Endpoint) -> list[str]:
    """One line of ``endpoints``."""
    return [
        endpoint.id,
        endpoint.gate,
        str(endpoint.pending),
        format_age(endpoint.oldest_pending_at),
        endpoint.url,
        str(endpoint.dead or ""),
    ]


def try_row(attempt: Try) -> list[str]:
    """One line of the attempts of a delivery."""
    status = "" if attempt.status is None else str(attempt.status)
    return [
        str(attempt.number),
        short_time(attempt.at),
        f"{attempt.duration_ms} ms",
        status,
        attempt.error or "",
    ]


def object_facts(answer: ApiReply, *, apart: str) -> Pairs:
    """An object's fields in their order, in words; without empty ones and the one to be shown ``apart``."""
    pairs: Pairs = []
    parts = answer.parts()
    provider = parts["provider"].read(str) if "provider" in parts else ""
    for name, part in parts.items():
        is_shown = (
            name != apart and part.raw not in _EMPTY and not (name == "next_attempt_at" and "held" in parts)
        )
        value = _fact(name, part) if is_shown else ""
        if name == "trouble" and isinstance(value, str):
            value = advised(value, provider)
        if name == "held" and isinstance(value, str):
            value = held_lines(value, parts["url"].read(str) if "url" in parts else "")
        if value:
            pairs.append((name.replace("_", " "), value))
    return pairs


def advised(trouble: str, provider: str) -> str | list[str]:
    """A provider's trouble with what to do about it, where that is known, on a line of its own."""
    fix = fix_of(trouble, provider)
    return [in_short(trouble), f"fix: {fix}"] if fix else in_short(trouble)


def held_lines(held: str, url: str) -> list[str]:
    """What holds a delivery to this URL back, and what to do about it."""
    receiver = endpoint_of(url)
    return [localize_instants(held), f"fix: {fix_of_receiver(held, receiver, receiver)}"]


def in_short(trouble: str) -> str:
    """The same with the instants in it as a person reads them: local, and how long ago."""
    return localize_instants(trouble)


def _fact(name: str, part: ApiReply) -> str | list[str]:
    match name:
        case "payload":
            return f"{len(part.raw)} bytes of JSON; --json shows it"
        case "callbacks":
            return [_callback(each) for each in part.read(list[Callback])]
        case "outputs":
            return part.read(list[str])
        case "error":
            return _error(part)
    if not part.raw.startswith(b'"'):
        return part.raw.decode()
    text = part.read(str)
    if name.startswith("next_") and format_age(text):
        return f"{short_time(text)} (due; if it stays so, `notifier status` says why)"
    return format_time_and_age(text) if name.endswith("_at") else text


def _callback(callback: Callback) -> str:
    return f"{callback.url}  {', '.join(callback.events)}".rstrip()


def _error(part: ApiReply) -> str:
    error = part.read(Error)
    return describe_task_error(error.source, error.code, error.title, error.detail)

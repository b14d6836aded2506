"""What the commands read of the API's objects. All else in them passes by, or is shown as it came."""

from collections.abc import Sequence

import msgspec

from notifier.cli.client import Answer
from notifier.cli.output import Column, age, short_time

Pairs = list[tuple[str, str | Sequence[str]]]

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
    created_at: str | None = None
    last_error: str | None = None
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
    Column("TASK", 12),
    Column("NOTE", 10),
    Column("API PATH", 20),
)
DELIVERY_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("TRIES"),
    Column("AGE"),
    Column("URL", 16),
    Column("LAST ERROR", 12),
)
ENDPOINT_COLUMNS = (
    Column("ID"),
    Column("GATE", 10),
    Column("WAITING"),
    Column("OLDEST"),
    Column("URL", 16),
    Column("DEAD"),
)
TRY_COLUMNS = (Column("TRY"), Column("AT"), Column("TOOK"), Column("STATUS"), Column("ERROR", 20))


def watch_row(watch: Watch) -> list[str]:
    """One line of ``ls``."""
    note = watch.trouble or (watch.upstream_status if watch.is_live else None) or ""
    return [watch.id, watch.state, age(watch.registered_at), watch.task_id, note, watch.api_path]


def delivery_row(delivery: Delivery) -> list[str]:
    """One line of ``deliveries``."""
    return [
        delivery.id,
        delivery.state,
        str(delivery.tries),
        age(delivery.created_at),
        delivery.url,
        delivery.last_error or "",
    ]


def endpoint_row(endpoint: Endpoint) -> list[str]:
    """One line of ``endpoints``."""
    return [
        endpoint.id,
        endpoint.gate,
        str(endpoint.pending),
        age(endpoint.oldest_pending_at),
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


def object_facts(answer: Answer, *, apart: str) -> Pairs:
    """An object's fields in their order, in words; without empty ones and the one to be shown ``apart``."""
    pairs: Pairs = []
    for name, part in answer.parts().items():
        value = "" if name == apart or part.raw in _EMPTY else _fact(name, part)
        if value:
            pairs.append((name.replace("_", " "), value))
    return pairs


def _fact(name: str, part: Answer) -> str | list[str]:
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
    return _instant(part.read(str)) if name.endswith("_at") else part.read(str)


def _instant(text: str) -> str:
    passed = age(text)
    return f"{short_time(text)} ({passed} ago)" if passed else short_time(text)


def _callback(callback: Callback) -> str:
    return f"{callback.url}  {', '.join(callback.events)}".rstrip()


def _error(part: Answer) -> str:
    error = part.read(Error)
    said = [str(each) for each in (error.code, error.title, error.detail) if each is not None]
    return f"{' '.join(said)} (says the {error.source})"

"""Parse query parameters and cursors. Unknown, repeated and invalid ones are errors of one 422."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl

from notifier.api.json_fields import FieldErrors, describe_unknown
from notifier.core.formats.task_urls import check_task_id
from notifier.core.formats.text import cut
from notifier.core.formats.times import InvalidDuration, parse_duration
from notifier.core.formats.urls import InvalidUrl, check_callback_url
from notifier.core.ids import DELIVERY, WATCH, is_id
from notifier.core.model import DeliveryState, WatchState
from notifier.store.values import DeliveryQuery, WatchQuery

MAX_LIMIT = 500  # CONTRACT, HTTP
DEFAULT_LIMIT = 50  # CONTRACT, HTTP
MAX_WAIT_MS = 60_000  # CONTRACT, HTTP

_MAX_FIELDS = 32  # CONTRACT P5: bounded. No operation has more than five parameters
_MAX_NAME_CHARS = 200  # CONTRACT P5: bounded. No record of why 200
_TAG_BYTES = 8  # 64 bits: enough to detect other filters; a cursor is no secret

State = TypeVar("State", bound=StrEnum)


class HasId(Protocol):
    """A row of a list. Lists are in the order of ids."""

    @property
    def id(self) -> str:
        """Return the id."""
        ...


Row = TypeVar("Row", bound=HasId)


def read_query(raw: bytes, names: Sequence[str]) -> Mapping[str, str]:
    """Split a query string. Raise ProblemError for parameters that are not in ``names`` or stand twice."""
    errors = FieldErrors()
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:  # includes UnicodeError
        errors.add("", f"the query must have at most {_MAX_FIELDS} parameters, in percent-encoded UTF-8")
        pairs = []
    params: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            errors.add(f"/{cut(name, 60)}", describe_unknown(name, "parameter", names))
        elif name in params:
            errors.add(f"/{name}", "this parameter is given twice")
        elif "\0" in value:
            errors.add(f"/{name}", "must not contain NUL")
        params[name] = value
    errors.check()
    return params


def parse_watch_query(params: Mapping[str, str]) -> WatchQuery:
    """Parse the parameters of a page of watches. Raise ProblemError."""
    errors = FieldErrors()
    query = WatchQuery(
        state=_parse_state(params, WatchState, errors),
        provider=_parse_name(params, "provider", errors),
        task_id=_parse_task_id(params, errors),
        before=_parse_cursor(params, WATCH, errors),
        limit=_parse_limit(params, errors),
    )
    errors.check()
    return query


def parse_delivery_query(params: Mapping[str, str]) -> DeliveryQuery:
    """Parse the parameters of a page of deliveries. Raise ProblemError."""
    errors = FieldErrors()
    query = DeliveryQuery(
        state=_parse_state(params, DeliveryState, errors),
        watch_id=_parse_watch_id(params, errors),
        url=_parse_url(params, errors),
        before=_parse_cursor(params, DELIVERY, errors),
        limit=_parse_limit(params, errors),
    )
    errors.check()
    return query


def parse_page_query(params: Mapping[str, str], prefix: str) -> tuple[str | None, int]:
    """Parse cursor and limit of a page without filters. Raise ProblemError."""
    errors = FieldErrors()
    page = _parse_cursor(params, prefix, errors), _parse_limit(params, errors)
    errors.check()
    return page


def read_wait(params: Mapping[str, str]) -> int:
    """Return how many milliseconds to hold the response. Raise ProblemError."""
    errors = FieldErrors()
    wait_ms = 0
    try:
        wait_ms = parse_duration(_convert_digits(params.get("wait", "0")), allow_zero=True)
    except InvalidDuration as error:
        errors.add("/wait", str(error))
    if wait_ms > MAX_WAIT_MS:
        errors.add("/wait", f"at most {MAX_WAIT_MS // 1_000}s")
    errors.check()
    return wait_ms


def split_page(
    rows: Sequence[Row], limit: int, params: Mapping[str, str], *, is_full: bool = False
) -> tuple[Sequence[Row], str | None]:
    """Split off the row beyond ``limit``. Return the page, and the cursor to the next page if any.

    ``is_full``: the store ended the page, so that there may be more. The next page may then be empty.
    """
    page = rows[:limit]
    has_more = len(rows) > limit or is_full
    return page, make_cursor(page[-1].id, params) if has_more else None


def make_cursor(last_id: str, params: Mapping[str, str]) -> str:
    """Return the cursor to what follows ``last_id`` with the same filters."""
    return base64.urlsafe_b64encode(_digest_filters(last_id, params) + last_id.encode()).decode().rstrip("=")


def _parse_cursor(params: Mapping[str, str], prefix: str, errors: FieldErrors) -> str | None:
    """Return the id in a cursor that ``make_cursor`` returned for these filters."""
    if "cursor" not in params:
        return None
    cursor = params["cursor"]
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        last_id = content[_TAG_BYTES:].decode("ascii")
    except (binascii.Error, ValueError):
        last_id = ""
    if is_id(last_id, prefix) and make_cursor(last_id, params) == cursor:
        return last_id
    errors.add("/cursor", "is not a next_cursor of a request with these parameters")
    return None


def _digest_filters(last_id: str, params: Mapping[str, str]) -> bytes:
    """Return a digest of the filters, so that a cursor cannot continue a list with other filters."""
    filters = sorted((name, value) for name, value in params.items() if name not in ("cursor", "limit"))
    return hashlib.blake2b(json.dumps([last_id, filters]).encode(), digest_size=_TAG_BYTES).digest()


def _parse_state(params: Mapping[str, str], states: type[State], errors: FieldErrors) -> State | None:
    word = params.get("state")
    if word is None:
        return None
    if word not in list(states):
        errors.add("/state", describe_unknown(word, "state", states))
        return None
    return states(word)


def _parse_name(params: Mapping[str, str], name: str, errors: FieldErrors) -> str | None:
    word = params.get(name)
    if word is not None and not 1 <= len(word) <= _MAX_NAME_CHARS:
        errors.add(f"/{name}", f"must have 1 to {_MAX_NAME_CHARS} characters")
    return word


def _parse_task_id(params: Mapping[str, str], errors: FieldErrors) -> str | None:
    try:
        return check_task_id(params["task_id"]) if "task_id" in params else None
    except InvalidUrl as error:
        errors.add("/task_id", str(error))
        return None


def _parse_watch_id(params: Mapping[str, str], errors: FieldErrors) -> str | None:
    watch_id = params.get("watch_id")
    if watch_id is not None and not is_id(watch_id, WATCH):
        errors.add("/watch_id", f"is not the id of a watch ({WATCH}_…)")
    return watch_id


def _parse_url(params: Mapping[str, str], errors: FieldErrors) -> str | None:
    try:
        return check_callback_url(params["url"]) if "url" in params else None
    except InvalidUrl as error:
        errors.add("/url", str(error))
        return None


def _parse_limit(params: Mapping[str, str], errors: FieldErrors) -> int:
    text = params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_LIMIT):
        errors.add("/limit", f"must be a number from 1 to {MAX_LIMIT}")
        return DEFAULT_LIMIT
    return int(text)


def _convert_digits(text: str) -> object:
    """Convert digits to a number of seconds, as JSON has it, because a query string has no types."""
    is_number = text.isascii() and len(text) < 20 and text.replace(".", "", 1).isdigit()
    return float(text) if is_number and "." in text else int(text) if is_number else text

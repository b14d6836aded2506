"""Read the filters of a bulk change: a replay of deliveries, a stop or a resume of watches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from notifier.api.json_fields import FieldErrors, describe_unknown, read_json, read_object
from notifier.core.formats.times import parse_instant
from notifier.server.problems import ProblemError
from notifier.store.values import BulkLimitReached

S = TypeVar("S", bound=StrEnum)

DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The instants from ``since`` on, before ``until``; None is no bound."""

    since: int | None
    until: int | None


def read_members(body: bytes, fields: Sequence[str], errors: FieldErrors) -> Mapping[str, Any]:
    """Read the object of a bulk change. Raise ProblemError if it is not JSON."""
    return read_object(read_json(body), "", fields, errors) or {}


def read_span(members: Mapping[str, Any], errors: FieldErrors) -> TimeSpan:
    """Read ``since`` and ``until``."""
    span = TimeSpan(_parse_instant(members, "since", errors), _parse_instant(members, "until", errors))
    if span.since is not None and span.until is not None and span.since >= span.until:
        errors.add("/until", "must be later than since")
    return span


def read_dry_run(members: Mapping[str, Any], errors: FieldErrors) -> bool:
    """Read whether the matches are only counted."""
    is_dry = members.get(DRY_RUN, False)
    if not isinstance(is_dry, bool):
        errors.add(f"/{DRY_RUN}", "must be true or false")
    return bool(is_dry)


def read_state(
    members: Mapping[str, Any],
    states: Collection[S],
    errors: FieldErrors,
    refused: Mapping[str, str],
) -> S | None:
    """Read ``state``, which must be one of ``states``. ``refused`` has texts for others that users try."""
    if "state" not in members:
        return None
    word = members["state"]
    if not isinstance(word, str):
        errors.add("/state", "must be a string")
    elif word in refused:
        errors.add("/state", refused[word])
    else:
        state = next((each for each in states if each == word), None)
        if state is None:
            errors.add("/state", describe_unknown(word, "state", states))
        return state
    return None


def require_filter(
    members: Mapping[str, Any], filters: Sequence[str], what: str, errors: FieldErrors
) -> None:
    """Refuse a request without a filter: an empty body never means everything."""
    if not errors.entries and not any(name in members for name in filters):
        everything = f'for all {what}, {{"since": "1970-01-01T00:00:00Z"}}'
        errors.add("", f"selects nothing; give {', '.join(filters)} or some of them; {everything}")


def make_limit_problem(code: str, what: str, refused: BulkLimitReached) -> ProblemError:
    """Return the problem of one bulk change too many."""
    detail = f"{refused.under_way} {what} are running or waiting; they run one after the other"
    return ProblemError(code, detail)


def _parse_instant(members: Mapping[str, Any], name: str, errors: FieldErrors) -> int | None:
    if name not in members:
        return None
    at = parse_instant(members[name])
    if at is None:
        errors.add(f"/{name}", 'must be an instant such as "2026-11-23T12:00:00Z"')
    return at

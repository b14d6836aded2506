"""Read fields of JSON bodies. Each reader notes its errors, so that one response lists all of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from notifier.core.formats.json_text import InvalidJson, RejectedJson, decode_strict
from notifier.core.formats.text import cut
from notifier.core.formats.times import InvalidDuration, parse_duration
from notifier.core.formats.urls import InvalidUrl
from notifier.core.nearest import find_nearest
from notifier.server.problems import FieldError, ProblemError, errors_to_problem

MAX_EXPIRE_AFTER_MS = 366 * 86_400_000  # a leap year. No record of why; changing it needs a reason
MAX_ERRORS = 20  # CONTRACT P5: bounded, because each error searches the nearest name

_MAX_NAME_CHARS = 60  # a name of the client's, quoted in a pointer, must not fill the response


@dataclass(slots=True)
class FieldErrors:
    """The first ``MAX_ERRORS`` errors of a request."""

    entries: list[FieldError] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether no more errors are noted, so that a reader may stop."""
        return len(self.entries) >= MAX_ERRORS

    def add(self, pointer: str, detail: str) -> None:
        """Note one error."""
        if not self.is_full:
            self.entries.append(FieldError(pointer, detail))

    def check(self) -> None:
        """Raise ProblemError if there are errors."""
        if self.entries:
            raise errors_to_problem(self.entries)


def read_json(body: bytes) -> Any:
    """Decode a body. Raise ProblemError."""
    try:
        return decode_strict(body)
    except InvalidJson as error:
        raise ProblemError("bad_json", str(error)) from None
    except RejectedJson as error:
        raise errors_to_problem([FieldError(error.pointer, error.detail)]) from None


def describe_unknown(name: str, what: str, names: Iterable[str]) -> str:
    """Describe an unknown name, with the nearest valid one or all valid ones."""
    choices = list(names)
    close = find_nearest(name, choices)
    if close is not None:
        return f"unknown {what}; did you mean {close}?"
    return f"unknown {what}; there is {', '.join(choices)}" if choices else f"unknown {what}; there is none"


def read_object(
    value: object,
    pointer: str,
    names: Sequence[str],
    errors: FieldErrors,
    hints: Mapping[str, str] = MappingProxyType({}),
) -> Mapping[str, Any] | None:
    """Return the members of an object, None for another value. Members not in ``names`` are errors.

    ``hints`` are texts for likely wrong names.
    """
    if not isinstance(value, dict):
        errors.add(pointer, "must be an object")
        return None
    for name in value:
        if errors.is_full:
            break
        if name not in names:
            detail = f"unknown field; {hints[name]}" if name in hints else None
            errors.add(join_pointer(pointer, name), detail or describe_unknown(name, "field", names))
    return value


def read_text(
    members: Mapping[str, Any],
    name: str,
    errors: FieldErrors,
    check: Callable[[str], str] = str,
    pointer: str = "",
) -> str | None:
    """Read a required string, and return it as ``check`` does."""
    place = join_pointer(pointer, name)
    value = members.get(name)
    if name not in members:
        errors.add(place, "is required")
    elif not isinstance(value, str):
        errors.add(place, "must be a string")
    else:
        try:
            return check(value)
        except InvalidUrl as error:
            errors.add(place, str(error))
    return None


def read_expire_after(members: Mapping[str, Any], errors: FieldErrors) -> int | None:
    """Return ``expire_after`` in milliseconds, None where it is left out."""
    if "expire_after" not in members:
        return None
    try:
        duration_ms = parse_duration(members["expire_after"])
    except InvalidDuration as error:
        errors.add("/expire_after", str(error))
        return None
    if duration_ms > MAX_EXPIRE_AFTER_MS:
        errors.add("/expire_after", "at most 366d")
    return duration_ms


def join_pointer(pointer: str, name: str) -> str:
    """Append a member's name to a JSON pointer (RFC 6901)."""
    return f"{pointer}/{cut(name, _MAX_NAME_CHARS).replace('~', '~0').replace('/', '~1')}"

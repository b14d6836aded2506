"""Fields of JSON bodies: each is read by itself, and what is wrong with it is noted, not raised."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from notifier.core.formats.json_text import InvalidJson, RejectedJson, decode_strict
from notifier.core.formats.text import cut
from notifier.core.formats.times import InvalidDuration, parse_duration
from notifier.core.formats.urls import InvalidUrl
from notifier.core.nearest import nearest
from notifier.server.problems import FieldError, ProblemError, errors_to_problem

MAX_EXPIRE_AFTER_MS = 366 * 86_400_000
MAX_ERRORS = 20  # to look for the nearest name takes time, and nobody reads more

_MAX_NAME_CHARS = 60


@dataclass(slots=True)
class FieldErrors:
    """What has been found wrong so far; the first ``MAX_ERRORS`` of it."""

    entries: list[FieldError] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether it is useless to look for more."""
        return len(self.entries) >= MAX_ERRORS

    def add(self, pointer: str, detail: str) -> None:
        """Note one more."""
        if not self.is_full:
            self.entries.append(FieldError(pointer, detail))

    def check(self) -> None:
        """Raise Problem if there are any."""
        if self.entries:
            raise errors_to_problem(self.entries)


def read_json(body: bytes) -> Any:
    """Decode a body; raises Problem."""
    try:
        return decode_strict(body)
    except InvalidJson as error:
        raise ProblemError("bad_json", str(error)) from None
    except RejectedJson as error:
        raise errors_to_problem([FieldError(error.pointer, error.detail)]) from None


def describe_unknown(name: str, what: str, names: Iterable[str]) -> str:
    """Say that ``name`` is none of ``names``, and which it may have meant."""
    choices = list(names)
    close = nearest(name, choices)
    if close is not None:
        return f"unknown {what}; did you mean {close}?"
    return f"unknown {what}; there is {', '.join(choices)}" if choices else f"unknown {what}; there is none"


def read_object(
    value: object,
    pointer: str,
    names: Sequence[str],
    errors: FieldErrors,
    meant: Mapping[str, str] = MappingProxyType({}),
) -> Mapping[str, Any] | None:
    """An object's members; those that are not in ``names`` are faults. None when it is no object.

    ``meant`` has words on names that are likely to be given and are none.
    """
    if not isinstance(value, dict):
        errors.add(pointer, "must be an object")
        return None
    for name in value:
        if errors.is_full:
            break
        if name not in names:
            words = (
                f"unknown field; {meant[name]}" if name in meant else describe_unknown(name, "field", names)
            )
            errors.add(join_pointer(pointer, name), words)
    return value


def read_text(
    members: Mapping[str, Any],
    name: str,
    errors: FieldErrors,
    check: Callable[[str], str] = str,
    pointer: str = "",
) -> str | None:
    """A required string, as ``check`` returns it."""
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
    """``expire_after`` in milliseconds; None where it is left out."""
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
    """The pointer to a member (RFC 6901)."""
    return f"{pointer}/{cut(name, _MAX_NAME_CHARS).replace('~', '~0').replace('/', '~1')}"

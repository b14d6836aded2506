"""Parse each kind of value: from a TOML value to the value of a setting, or raise ``InvalidValue``.

No message quotes a value, because a secret may stand in the wrong place.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from notifier.config.model import SECRET_SUFFIX
from notifier.core.formats.addresses import KINDS, AddressPolicy
from notifier.core.formats.allow_rules import InvalidAllowRule
from notifier.core.formats.times import InvalidDuration, parse_duration
from notifier.core.formats.urls import MAX_SOCKET_PATH_BYTES, SOCKET_PREFIX, InvalidUrl, check_base_url
from notifier.core.nearest import find_nearest

Reader = Callable[[object], object]
T = TypeVar("T")
R = TypeVar("R")

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)/(s|min|m|h)", re.ASCII)
_RATE_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600}
_SIZE = re.compile(r"(\d{1,12}) ?(B|KiB|MiB|GiB|kB|KB|MB|GB)", re.ASCII)
_SIZE_UNITS = {
    "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9,
}  # fmt: skip
_HOW_TO_REFER = '{ env = "NAME" }, { file = "PATH" } or { credential = "NAME" }'


class InvalidValue(ValueError):
    """A value that cannot be used; the message says which values can."""


class InvalidType(InvalidValue):
    """A value of the wrong TOML type."""


@dataclass(frozen=True, slots=True)
class SecretReference:
    """The source of a secret. ``kind`` is env, file or credential."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """The path of a file with certificates to trust."""

    path: str


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The path of a file with the key of a certificate."""

    path: str


def suggest(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean "…"?`` for a similar name, else nothing."""
    close = find_nearest(name, names)
    return f'; did you mean "{close}"?' if close else ""


def _invalid_type(value: object, what: str) -> InvalidType:
    kinds = {
        bool: "true or false",
        str: "text",
        list: "a list",
        dict: "a table",
        int: "a number",
        float: "a number",
    }
    return InvalidType(f"must be {what}, not {kinds.get(type(value), 'a date or time')}")


def parse_text(value: object) -> str:
    """Parse a text of one line that is not blank."""
    if not isinstance(value, str):
        raise _invalid_type(value, "text")
    if not value.strip():
        raise InvalidValue("must not be empty")
    if not value.isprintable():
        raise InvalidValue("must not contain line breaks or control characters")
    return value


def parse_flag(value: object) -> bool:
    """Parse ``true`` or ``false``."""
    if not isinstance(value, bool):
        raise _invalid_type(value, "true or false")
    return value


def integer_between(least: int, most: int) -> Reader:
    """Return a parser of whole numbers within bounds."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise (
                _invalid_type(value, "a whole number")
                if not isinstance(value, float)
                else InvalidValue("must be a whole number")
            )
        if not least <= value <= most:
            raise InvalidValue(f"must be from {least} to {most}")
        return value

    return read


def number_between(least: float, most: float) -> Reader:
    """Return a parser of numbers within bounds. A number that is not finite is outside."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _invalid_type(value, "a number")
        if not least <= value <= most:
            raise InvalidValue(f"must be from {least:g} to {most:g}")
        return float(value)

    return read


def duration_up_to(most: str, *, is_zero_allowed: bool = False) -> Reader:
    """Return a parser of durations of at least 50 ms, into milliseconds."""
    most_ms = parse_duration(most)

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _invalid_type(value, 'a duration such as "2.5s"')
        try:
            duration_ms = parse_duration(value, allow_zero=is_zero_allowed)
        except InvalidDuration as error:
            raise InvalidValue(str(error)) from None
        if duration_ms > most_ms:
            raise InvalidValue(f'must be at most "{most}"')
        return duration_ms

    return read


def parse_rate(value: object) -> float:
    """Parse a rate such as ``"50/s"`` into a number per second."""
    if not isinstance(value, str):
        raise _invalid_type(value, 'a rate such as "50/s"')
    match = _RATE.fullmatch(value)
    if match is None:
        raise InvalidValue('must be a rate such as "50/s", "300/min" or "1000/h"')
    per_s = float(match[1]) / _RATE_SECONDS[match[2]]
    if not 1 / 3_600 <= per_s <= 10_000:
        raise InvalidValue('must be from "1/h" to "10000/s"')
    return per_s


def parse_optional_rate(value: object) -> float:
    """Parse a rate, or ``"0"`` for none."""
    return 0.0 if value == "0" else parse_rate(value)


def size_between(least: str, most: str) -> Reader:
    """Return a parser of sizes within bounds, into bytes."""
    least_bytes, most_bytes = _size_to_bytes(least), _size_to_bytes(most)

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _invalid_type(value, 'a size such as "16MiB"')
        count = value if isinstance(value, int) else _size_to_bytes(value)
        if not least_bytes <= count <= most_bytes:
            raise InvalidValue(f'must be from "{least}" to "{most}"')
        return count

    return read


def _size_to_bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidValue('must be a size such as "512KiB", "16MiB" or a number of bytes')
    return int(match[1]) * _SIZE_UNITS[match[2]]


def one_of(*names: str) -> Reader:
    """Return a parser of a few words in any case."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise _invalid_type(value, f"one of {', '.join(names)}")
        if value.lower() not in names:
            raise InvalidValue(f"must be one of {', '.join(names)}{suggest(value, names)}")
        return value.lower()

    return read


def parse_each(read_one: Callable[[T], R], values: Iterable[T]) -> tuple[R, ...]:
    """Parse every entry of a list. Raise InvalidValue with all invalid entries by their numbers."""
    results: list[R] = []
    errors: list[str] = []
    for position, value in enumerate(values, start=1):
        try:
            results.append(read_one(value))
        except InvalidValue as error:
            errors.append(f"entry {position} {error}")
    if errors:
        raise InvalidValue("; ".join(errors))
    return tuple(results)


def list_of(read_one: Callable[[object], object], example: str) -> Reader:
    """Return a parser of lists of entries that ``read_one`` parses."""

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise _invalid_type(value, f"a list such as {example}")
        return parse_each(read_one, value)

    return read


def parse_listen(value: object) -> str:
    """Parse ``host:port``, with IPv6 in brackets, or ``unix:/path``."""
    address = parse_text(value)
    if address.startswith(SOCKET_PREFIX):
        path = address.removeprefix(SOCKET_PREFIX)
        if not path.startswith("/") or path.endswith("/"):
            raise InvalidValue("must be unix:/absolute/path")
        if len(path.encode()) > MAX_SOCKET_PATH_BYTES:
            raise InvalidValue(
                f"must be a path of at most {MAX_SOCKET_PATH_BYTES} bytes: the system allows no longer one"
            )
        return address
    host, _, port = address.rpartition(":")
    if not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
        raise InvalidValue('must be "host:port", "[IPv6]:port" or "unix:/path"')
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        raise InvalidValue("must end in a port from 0 to 65535")
    return address


def parse_host(value: object) -> str:
    """Parse a host name or address without port, because ports are not compared."""
    name = parse_text(value).lower()
    if not (_HOST.fullmatch(name) or _IPV6.fullmatch(name)):
        raise InvalidValue("must be a host name or address without port, IPv6 in brackets")
    return name


def parse_base_url(value: object) -> str:
    """Parse an http or https URL to which a path can be added. Remove its final slash."""
    try:
        return check_base_url(parse_text(value))
    except InvalidUrl as error:
        raise InvalidValue(f'must be a URL such as "https://api.example.com": {error}') from None


def parse_store_path(value: object) -> str:
    """Parse the path of a SQLite file."""
    path = parse_text(value)
    if "://" in path or path.startswith((":memory:", "file:")):
        raise InvalidValue("must be the path of a SQLite file; no other database is supported")
    if path.endswith("/") or PurePath(path).name in ("", ".."):
        raise InvalidValue("must name a file, not a folder")
    if path.endswith(SECRET_SUFFIX):
        raise InvalidValue(f"must not end in {SECRET_SUFFIX}: the file of the signing secrets has that name")
    return path


def parse_certificate_file(value: object) -> CertificateFile | str:
    """Parse the path of a file with certificates; empty text for none."""
    return "" if value == "" else CertificateFile(parse_text(value))


def parse_key_file(value: object) -> KeyFile | str:
    """Parse the path of a file with a private key; empty text for none."""
    return "" if value == "" else KeyFile(parse_text(value))


def parse_allowed_target(value: object) -> str:
    """Parse an entry of ``callbacks.allow``."""
    entry = parse_text(value)
    try:
        AddressPolicy.of([entry])
    except InvalidAllowRule:
        raise InvalidValue(
            f"must be {', '.join(KINDS)}, a host name or a CIDR, or unix:/path, never that of a container "
            f"engine or of systemd{suggest(entry, KINDS)}"
        ) from None
    return entry


def parse_secret_reference(value: object) -> SecretReference:
    """Parse the reference to a secret. The secret itself is refused."""
    if isinstance(value, str):
        raise InvalidType(f"must not contain the secret itself; write {_HOW_TO_REFER}")
    if not isinstance(value, dict):
        raise _invalid_type(value, _HOW_TO_REFER)
    for kind in value:
        if kind not in {"env", "file", "credential"}:
            raise InvalidValue(f"must be {_HOW_TO_REFER}{suggest(kind, ('env', 'file', 'credential'))}")
    if len(value) != 1:
        raise InvalidValue(f"must be one of {_HOW_TO_REFER}")
    [(kind, name)] = value.items()
    if not isinstance(name, str) or not name or not name.isprintable():
        raise InvalidValue(f"must be {_HOW_TO_REFER}, with a name in it")
    if kind == "credential" and ("/" in name or name in {".", ".."}):
        raise InvalidValue("must name a credential, not a path; for a path write { file = … }")
    return SecretReference(kind, name)


parse_secret_references = list_of(parse_secret_reference, '[{ env = "NAME" }]')

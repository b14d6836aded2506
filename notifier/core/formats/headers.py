"""Check the custom headers of a callback."""

import re
from collections.abc import Mapping

# CONTRACT P5: bounded. No record of why at these numbers; changing one needs a measurement.
MAX_HEADERS = 16  # of one callback
MAX_NAME_CHARS = 100  # of a header
MAX_VALUE_CHARS = 1_024  # of a header

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
# Headers that would forge the message, that concern the connection, or that notifier sets itself. With
# accept-encoding the reply could be compressed.
_RESERVED = re.compile(
    r"host|connection|(?:content|transfer|webhook|notifier)-.*|proxy-.*|keep-alive|te|trailer|upgrade|expect"
    r"|user-agent|accept-encoding",
    re.IGNORECASE,
)


class InvalidHeader(ValueError):
    """A custom header that is refused. ``name`` is None if it concerns all of them."""

    def __init__(self, name: str | None, why: str) -> None:
        super().__init__(why)
        self.name = name


def check_callback_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers unchanged, in their order. Raise InvalidHeader."""
    if len(headers) > MAX_HEADERS:
        raise InvalidHeader(None, f"at most {MAX_HEADERS} headers")
    seen: set[str] = set()
    for name, value in headers.items():
        why = _check_name(name, seen) or _check_value(value)
        if why:
            raise InvalidHeader(name, why)
        seen.add(name.lower())
    return tuple(headers.items())


def is_reserved(name: str) -> bool:
    """Return whether users may not set a header of this name."""
    return _RESERVED.fullmatch(name) is not None


def _check_name(name: str, seen: set[str]) -> str:
    if len(name) > MAX_NAME_CHARS or not _TOKEN.fullmatch(name):
        return f"a header's name is 1 to {MAX_NAME_CHARS} letters, digits or signs such as -"
    if is_reserved(name):
        return "this header is not for users to set"
    return "this header stands twice (case does not count)" if name.lower() in seen else ""


def _check_value(value: object) -> str:
    if not isinstance(value, str):
        return "a header's value is a string"
    if len(value) > MAX_VALUE_CHARS:
        return f"a header's value has at most {MAX_VALUE_CHARS} characters"
    return "" if _VALUE.fullmatch(value) else "a header's value is visible ASCII, with spaces only inside"

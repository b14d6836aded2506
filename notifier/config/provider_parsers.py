"""Parse the keys of a provider description: how to poll the provider and how to read its reply."""

import re

import jmespath

from notifier.config.parsers import InvalidType, InvalidValue, parse_text, suggest
from notifier.core.formats.headers import InvalidHeader, check_callback_headers
from notifier.core.formats.times import parse_utc_offset
from notifier.core.formats.urls import InvalidUrl, build_task_url, check_callback_url

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("api_path", "task_id")
_MAX_EXPRESSION_CHARS = 1_000  # no record of why; changing it needs a measurement
_KEYS_OWN_HEADERS = {"authorization", "x-api-key", "api-key", "cookie"}


def parse_task_path(value: object) -> str:
    """Parse the path after the base URL, with the placeholders ``{api_path}`` and ``{task_id}``."""
    path = parse_text(value)
    for name in _PLACEHOLDER.findall(path):
        if name not in _PLACEHOLDERS:
            near = suggest(name, _PLACEHOLDERS)
            raise InvalidValue(f"must contain no other placeholders than {{api_path}} and {{task_id}}{near}")
    if "{task_id}" not in path:
        raise InvalidValue("must contain {task_id}: without it every task would have the same URL")
    if any(sign in _PLACEHOLDER.sub("", path) for sign in "{}"):
        raise InvalidValue("must contain braces only around api_path and task_id")
    try:
        check_callback_url(build_task_url("https://host", path, "/a", "a"))
    except InvalidUrl as error:
        raise InvalidValue(f"must be a path that a URL can end in: {error}") from None
    return path


def parse_header_name(value: object) -> str:
    """Parse the name of the header that carries the key."""
    name = parse_text(value)
    _check_header(name, "")
    return name


def parse_auth_value(value: object) -> str:
    """Parse the value of that header, with the placeholder ``{key}``."""
    pattern = parse_text(value)
    if "{key}" not in pattern:
        raise InvalidValue("must contain {key}, which is replaced by the key")
    _check_header("x", pattern)
    return pattern


def parse_headers(value: object) -> dict[str, str]:
    """Parse further headers of each poll, such as an API version. Names become lower case."""
    if not isinstance(value, dict):
        raise InvalidType('must be a table such as { X-Version = "1" }')
    for name, content in value.items():
        if name.lower() in _KEYS_OWN_HEADERS:
            raise InvalidValue(
                "must not contain keys; write api_key, and auth_header for the name of its header"
            )
        if not isinstance(content, str):
            raise InvalidValue("must contain text only")
    try:
        return {name.lower(): content for name, content in check_callback_headers(value)}
    except InvalidHeader as error:
        raise InvalidValue(f"cannot be sent: {error}") from None


def parse_expression(value: object) -> str:
    """Parse a JMESPath expression; empty where the reply of the provider has no such value."""
    if value == "":
        return ""
    expression = parse_text(value)
    if len(expression) > _MAX_EXPRESSION_CHARS:
        raise InvalidValue(f"must be a JMESPath expression of at most {_MAX_EXPRESSION_CHARS} characters")
    try:
        jmespath.compile(expression)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        why = str(error).partition("\n")[0].removesuffix(", for expression:").rstrip(":")[:200]
        raise InvalidValue(f"must be a JMESPath expression (jmespath.org): {why}") from None
    return expression


def parse_offset(value: object) -> int:
    """Parse how far times without an offset are ahead of UTC, into milliseconds."""
    offset_ms = parse_utc_offset(parse_text(value))
    if offset_ms is None:
        raise InvalidValue('must be an offset from UTC such as "+08:00" or "Z"')
    return offset_ms


def parse_required_expression(value: object) -> str:
    """Parse an expression that must not be empty."""
    return parse_expression(parse_text(value))


def parse_words(value: object) -> tuple[str, ...]:
    """Parse the words of the provider for one state."""
    if not isinstance(value, list):
        raise InvalidType('must be a list such as ["done"]')
    return tuple(parse_text(word).strip() for word in value)


def _check_header(name: str, content: str) -> None:
    try:
        check_callback_headers({name: content})
    except InvalidHeader as error:
        raise InvalidValue(f"cannot be sent: {error}") from None

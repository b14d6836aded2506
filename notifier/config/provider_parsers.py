"""Readers for the fields of a dialect: how a provider is asked, and where things stand in its answer."""

import re

import jmespath

from notifier.config.parsers import InvalidType, InvalidValue, parse_text, suggest
from notifier.core.formats.headers import InvalidHeader, check_callback_headers
from notifier.core.formats.urls import InvalidUrl, check_callback_url, task_url

_PLACE_IN_PATH = re.compile(r"\{([^{}]*)\}")
_PLACES = ("api_path", "task_id")
_MAX_EXPRESSION_CHARS = 1_000
_KEYS_OWN_HEADERS = {"authorization", "x-api-key", "api-key", "cookie"}


def parse_task_path(value: object) -> str:
    """What follows the base URL; ``{api_path}`` and ``{task_id}`` are filled in."""
    path = parse_text(value)
    for name in _PLACE_IN_PATH.findall(path):
        if name not in _PLACES:
            raise InvalidValue(
                f"must hold no other places than {{api_path}} and {{task_id}}{suggest(name, _PLACES)}"
            )
    if "{task_id}" not in path:
        raise InvalidValue("must hold {task_id}: without it every task would be asked for at the same URL")
    if any(sign in _PLACE_IN_PATH.sub("", path) for sign in "{}"):
        raise InvalidValue("must hold braces only around api_path and task_id")
    try:
        check_callback_url(task_url("https://host", path, "/a", "a"))
    except InvalidUrl as error:
        raise InvalidValue(f"must be a path that a URL can end in: {error}") from None
    return path


def parse_header_name(value: object) -> str:
    """The header that the key is sent in."""
    name = parse_text(value)
    _check_header(name, "")
    return name


def parse_auth_value(value: object) -> str:
    """What is sent in that header; ``{key}`` is where the key goes."""
    pattern = parse_text(value)
    if "{key}" not in pattern:
        raise InvalidValue("must hold {key}, which is replaced by the key")
    _check_header("x", pattern)
    return pattern


def parse_headers(value: object) -> dict[str, str]:
    """Further headers of each poll, such as an API version. Names are kept in lower case."""
    if not isinstance(value, dict):
        raise InvalidType('must be a table such as { X-Version = "1" }')
    for name, content in value.items():
        if name.lower() in _KEYS_OWN_HEADERS:
            raise InvalidValue(
                "must not hold keys; write api_key, and auth_header for the name of its header"
            )
        if not isinstance(content, str):
            raise InvalidValue("must hold text only")
    try:
        return {name.lower(): content for name, content in check_callback_headers(value)}
    except InvalidHeader as error:
        raise InvalidValue(f"cannot be sent: {error}") from None


def parse_expression(value: object) -> str:
    """A JMESPath expression that can be compiled; empty where the provider's answer has no such thing."""
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


def parse_required_expression(value: object) -> str:
    """A place that no provider can do without."""
    return parse_expression(parse_text(value))


def parse_words(value: object) -> tuple[str, ...]:
    """The provider's words for one state."""
    if not isinstance(value, list):
        raise InvalidType('must be a list such as ["done"]')
    return tuple(parse_text(word).strip() for word in value)


def _check_header(name: str, content: str) -> None:
    try:
        check_callback_headers({name: content})
    except InvalidHeader as error:
        raise InvalidValue(f"cannot be sent: {error}") from None

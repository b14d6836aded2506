"""Parse the keys of a provider description: how to poll the provider and how to read its reply."""

import json
import re

from notifier.config.expressions import InvalidExpression, check_expression
from notifier.config.parsers import (
    InvalidType,
    InvalidValue,
    list_of,
    parse_secret_reference,
    parse_text,
    suggest,
)
from notifier.core.formats.headers import InvalidHeader, check_callback_headers
from notifier.core.formats.task_urls import build_task_url
from notifier.core.formats.times import parse_utc_offset
from notifier.core.formats.urls import InvalidUrl, check_http_url
from notifier.core.polling.poll_request import fill_body
from notifier.providers.catalogue import list_presets

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("api_path", "task_id")
_MAX_EXPRESSION_CHARS = 1_000  # no record of why; changing it needs a measurement
_MAX_BODY_CHARS = 4_096  # CONTRACT P5: bounded; the longest body of the catalogue has 30 characters
_KEYS_OWN_HEADERS = re.compile(r"cookie|auth|key|token|secret|credential|password|signature", re.IGNORECASE)
_HOST_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", re.ASCII)
ID_SIGNS = "/=~@!$'()*,;._:-"
"""Signs that an id may be allowed to hold: those that end no part of a URL."""
STATES = ("running", "completed", "failed", "cancelled", "lost", "refused", "throttled")
"""What a reply can mean: the values of ``http``, and the lists of ``words``."""
_VALUE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


def parse_preset(value: object) -> str:
    """Parse the name of a provider of the catalogue; empty for none."""
    if value == "":
        return ""
    name = parse_text(value)
    if name not in list_presets():
        near = suggest(name, list_presets())
        raise InvalidValue(f"must be a provider of the catalogue{near}; `notifier providers` lists them")
    return name


def parse_method(value: object) -> str:
    """Parse the HTTP method of a poll."""
    method = parse_text(value).upper()
    if method not in {"GET", "POST"}:
        raise InvalidValue('must be "GET" or "POST"')
    return method


def parse_task_path(value: object) -> str:
    """Parse the path after the base URL, with the placeholders ``{api_path}`` and ``{task_id}``."""
    path = parse_text(value)
    _check_placeholders(path)
    _check_path(path)
    return path


def parse_result_path(value: object) -> str:
    """Parse the path of the second GET. Its further placeholders are compared with ``values`` later."""
    if value == "":
        return ""
    path = parse_text(value)
    names = _PLACEHOLDER.findall(path)
    if not all(_VALUE_NAME.fullmatch(name) for name in names):
        raise InvalidValue("must contain braces only around api_path, task_id and the names in values")
    filled = path
    for name in names:
        if name not in _PLACEHOLDERS:
            filled = filled.replace(f"{{{name}}}", "a")
    _check_path(filled)
    return path


def parse_body(value: object) -> str:
    """Parse the body of a POST: JSON, with the placeholders inside of texts."""
    if value == "":
        return ""
    body = parse_text(value)
    if len(body) > _MAX_BODY_CHARS:
        raise InvalidValue(f"must have at most {_MAX_BODY_CHARS} characters")
    try:
        json.loads(fill_body(body, {"api_path": "/a", "task_id": "a"}))
    except ValueError:
        example = """'{"operationName": "{task_id}"}'"""
        raise InvalidValue(
            f"must be JSON such as {example}, with the quotes around the placeholder"
        ) from None
    return body


def parse_host_pattern(value: object) -> str:
    """Parse a host that poll URLs may be on, such as ``api.us1.bfl.ai`` or ``*.bfl.ai``."""
    host = parse_text(value).lower()
    if not _HOST_PATTERN.fullmatch(host):
        raise InvalidValue(
            'must be a host such as "api.example.com" or "*.example.com", without https:// and port'
        )
    return host


parse_hosts = list_of(parse_host_pattern, '["*.example.com"]')


def parse_id_signs(value: object) -> str:
    """Parse the further signs that ids may hold."""
    if value == "":
        return ""
    signs = parse_text(value)
    if any(sign not in ID_SIGNS for sign in signs):
        raise InvalidValue(f"must be some of {ID_SIGNS}")
    return signs


def parse_http(value: object) -> dict[int, str]:
    """Parse what the HTTP codes of a reply mean."""
    example = '{ 202 = "running" }'
    if not isinstance(value, dict):
        raise InvalidType(f"must be a table such as {example}")
    states: dict[int, str] = {}
    for code, state in value.items():
        if not re.fullmatch(r"[2-5][0-9][0-9]", code, re.ASCII):
            raise InvalidValue(f"must contain codes from 200 to 599 only, such as {example}")
        if state not in STATES:
            near = suggest(state, STATES) if isinstance(state, str) else ""
            raise InvalidValue(f"must map {code} to one of {', '.join(STATES)}{near}")
        states[int(code)] = state
    return states


def parse_values(value: object) -> dict[str, str]:
    """Parse the values that the path of the second GET contains, each with its place in the first reply."""
    if not isinstance(value, dict):
        raise InvalidType('must be a table such as { file_id = "file_id" }')
    for name in value:
        if not _VALUE_NAME.fullmatch(name) or name in _PLACEHOLDERS:
            raise InvalidValue("must have names of a-z 0-9 _ that are not api_path and task_id")
    return {name: parse_required_expression(place) for name, place in value.items()}


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


def parse_poll_headers(value: object) -> dict[str, object]:
    """Parse further headers of each poll."""
    return parse_headers(value, ", or api_key, and auth_header for the name of its header")


def parse_headers(value: object, alternative: str = "") -> dict[str, object]:
    """Parse headers: texts, or references to secrets. Names become lower case.

    ``alternative`` is what the message says beside the reference where a key stands as text.
    """
    if not isinstance(value, dict):
        raise InvalidType('must be a table such as { X-Version = "1" }')
    for name, content in value.items():
        if isinstance(content, str) and content and _KEYS_OWN_HEADERS.search(name):
            raise InvalidValue(
                f'must not contain keys as text; write {name} = {{ env = "NAME" }}{alternative}'
            )
        if not isinstance(content, str | dict):
            raise InvalidValue('must contain text or secrets such as { env = "NAME" } only')
    texts = {name: "" if isinstance(content, dict) else content for name, content in value.items()}
    try:
        check_callback_headers(texts)
    except InvalidHeader as error:
        raise InvalidValue(f"cannot be sent: {error}") from None
    return {
        name.lower(): parse_secret_reference(content) if isinstance(content, dict) else content
        for name, content in value.items()
    }


def parse_expression(value: object) -> str:
    """Parse a JMESPath expression; empty where the reply of the provider has no such value."""
    if value == "":
        return ""
    expression = parse_text(value)
    if len(expression) > _MAX_EXPRESSION_CHARS:
        raise InvalidValue(f"must be a JMESPath expression of at most {_MAX_EXPRESSION_CHARS} characters")
    try:
        check_expression(expression)
    except InvalidExpression as error:
        raise InvalidValue(f"must be a JMESPath expression (jmespath.org): {error}") from None
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


def _check_placeholders(text: str) -> None:
    for name in _PLACEHOLDER.findall(text):
        if name not in _PLACEHOLDERS:
            near = suggest(name, _PLACEHOLDERS)
            raise InvalidValue(f"must contain no other placeholders than {{api_path}} and {{task_id}}{near}")


def _check_path(path: str) -> None:
    if any(sign in _PLACEHOLDER.sub("", path) for sign in "{}"):
        raise InvalidValue("must contain braces only around api_path and task_id")
    try:
        check_http_url(build_task_url("https://host", path, "/a", "a"))
    except InvalidUrl as error:
        raise InvalidValue(f"must be a path that a URL can end in: {error}") from None

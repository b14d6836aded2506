"""Find a provider's own words in a reply: a message in JSON, a line of text, the title of a page."""

import functools
import html
import re
from dataclasses import dataclass
from typing import Any

from notifier.core.exchange import HttpReply
from notifier.core.formats.json_reading import read_json
from notifier.core.formats.text import one_line
from notifier.core.polling.provider_reply import (
    Secrets,
    UnreadableReply,
    hide_secrets,
    is_markup,
    read_body,
    redact_secrets,
    value_to_text,
)

MAX_MESSAGE_CHARS = 200  # one line of a terminal, and half of the next
_MAX_BODY = 64 * 1024  # messages are short; a longer body is not worth its parsing
_MAX_DEPTH = 4  # of objects around a message
# What holds a message comes before a message, details before titles. Names of RFC 9457, OAuth and the
# providers of the catalogue.
_NAMES = (
    "error", "errors", "message", "msg", "detail", "details", "error_message", "error_description",
    "error_msg", "status_msg", "description", "reason", "title", "task_info", "data", "base_resp",
)  # fmt: skip
# No < in a tag, so that the time stays linear where none is closed.
_TAG = re.compile(r"<[^<>]*>")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """A reply of an error status. ``message`` is one line in the provider's words, free of the key.

    ``is_json``: it is a JSON object or list, as an API writes. ``is_page``: it is HTML or XML.
    """

    message: str = ""
    is_json: bool = False
    is_page: bool = False


def find_message(value: Any, depth: int = _MAX_DEPTH) -> str:
    """Return the first text under a name that messages have; empty if there is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and value and depth:
        return find_message(value[0], depth - 1)
    if isinstance(value, dict) and depth:
        messages = (find_message(value[name], depth - 1) for name in _NAMES if name in value)
        return next(filter(None, messages), "")
    return ""


def read_error(reply: HttpReply, secrets: Secrets) -> ErrorReply:
    """Read a reply of an error status."""
    body = _body_of(reply, secrets)
    if is_markup(body):
        return ErrorReply(_page_title(_to_text(body, secrets)), is_page=True)
    if not body:
        return ErrorReply()
    try:
        document = read_json(body, functools.partial(redact_secrets, secrets=secrets)).document
    except ValueError:
        is_text = b"\0" not in body
        return ErrorReply(_one_line(_to_text(body, secrets)) if is_text else "")
    message = find_message(document) or value_to_text(document, MAX_MESSAGE_CHARS) or ""
    return ErrorReply(_one_line(message), is_json=isinstance(document, dict | list))


def _body_of(reply: HttpReply, secrets: Secrets) -> bytes:
    """Return the beginning of a body, unpacked; empty if it cannot be."""
    try:
        return read_body(reply, _MAX_BODY, secrets)[:_MAX_BODY]
    except UnreadableReply:
        return b"" if "content-encoding" in reply.headers else reply.body[:_MAX_BODY]


def _page_title(page: str) -> str:
    """Return the title of a page, else the text between its tags."""
    title = _TITLE.search(page)
    return _one_line(title[1] if title else _TAG.sub(" ", page))


def _to_text(body: bytes, secrets: Secrets) -> str:
    """Return what a person would read. Entities of HTML are resolved first: they could hide the key."""
    return hide_secrets(html.unescape(body.decode("utf-8", "replace")), secrets)


def _one_line(text: str) -> str:
    return one_line(text, MAX_MESSAGE_CHARS)

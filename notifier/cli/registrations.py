"""Make registrations of the command line, or of what the ``mulerouter`` command prints."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import click
import msgspec

from notifier.cli.client import ApiProblem, Fault
from notifier.cli.output import escape, print_note
from notifier.core.formats.json_text import decode_strict, scrub
from notifier.core.formats.text import one_line

MAX_STDIN_BYTES = 16 * 1024 * 1024  # no record of why; changing it needs a measurement
MAX_QUOTED_CHARACTERS = 200  # two and a half lines of 80 columns; no record of why
_EXPECTED_INPUT = (
    "give it the output of `mulerouter run … --no-wait --json`, an object with task_id and api_path; "
    "or a provider's reply to the submission, with API_PATH where the reply does not say it"
)
_ERROR_MEMBERS = ("error", "errors", "code", "title", "status", "detail", "message")
_OWN_MEMBERS = {*_ERROR_MEMBERS, "task_id", "api_path", "task_info", "type", "instance"}
"""Members of MuleRouter's replies and of errors; any further one is another provider's."""
_ID_NAME = re.compile(r"(?:^|_)(?:id|name|url)$|I[dD]$|^result$")
_OPTION_NAMES = {
    "/api_path": "API_PATH",
    "/task_id": "TASK_ID",
    "/callback_url": "--callback",
    "/provider": "--provider",
    "/metadata": "--metadata",
    "/expire_after": "--expire-after",
    "/task_url": "API_PATH",
    "/reply": "standard input",
    "/watch_id": "--watch",
    "/url": "--callback",
    "/state": "--state",
    "/since": "--since",
    "/until": "--until",
}


@dataclass(frozen=True, slots=True)
class TaskReference:
    """One task of a provider. Without an id, ``api_path`` is the URL at which the task is polled.

    ``reply`` is the provider's reply to the submission. The daemon knows where it has the ids.
    """

    api_path: str
    task_id: str
    reply: Mapping[str, Any] | None = None


def read_tasks(api_path: str, task_id: str | None, provider: str | None = None) -> list[TaskReference]:
    """Return the task of the arguments, or read tasks from standard input where an argument is ``-``."""
    if api_path.lower().startswith(("http://", "https://")):
        if task_id is None:
            return [TaskReference(api_path, "")]
        path = "/" + api_path.partition("://")[2].partition("/")[2]
        raise click.UsageError(f"API_PATH is a path; leave the scheme and host out: {escape(path)}")
    if api_path != "-":
        if task_id is None:
            raise click.UsageError("Missing argument 'TASK_ID'; a single - reads tasks from standard input.")
        if not task_id:
            raise click.UsageError("TASK_ID is empty: check whether the task was submitted.")
        if task_id != "-":
            return [TaskReference(api_path, task_id)]
    elif task_id is not None:
        raise click.UsageError("With - the task comes from standard input; leave TASK_ID out.")
    if sys.stdin.isatty():
        print_note("reading the output of the mulerouter command from the terminal; Ctrl-D ends it")
    raw = sys.stdin.buffer.read(MAX_STDIN_BYTES + 1)
    return parse_tasks(raw, None if api_path == "-" else api_path, provider)


def parse_tasks(raw: bytes, api_path: str | None = None, provider: str | None = None) -> list[TaskReference]:
    """Read one JSON object, several in a row, or an array of them. Raise UsageError that names the entry.

    ``api_path``, if given, replaces that of each entry. The daemon reads the replies of a named ``provider``.
    """
    if len(raw) > MAX_STDIN_BYTES:
        raise click.UsageError(
            f"standard input is longer than {MAX_STDIN_BYTES >> 20} MiB; {_EXPECTED_INPUT}"
        )
    try:
        entries = _decode_entries(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # UTF-8 takes at most 4 bytes a character.
        start = _quote(raw[: 4 * MAX_QUOTED_CHARACTERS].decode(errors="replace"))
        raise click.UsageError(f"standard input is not JSON; input: {start}; {_EXPECTED_INPUT}") from None
    if not entries:
        raise click.UsageError(f"standard input is empty; {_EXPECTED_INPUT}")
    is_reply = provider not in {None, "mulerouter"}
    return [
        _parse_task(entry, number, api_path, is_reply=is_reply) for number, entry in enumerate(entries, 1)
    ]


def _decode_entries(text: str) -> list[object]:
    decoder = json.JSONDecoder()
    entries: list[object] = []
    rest = text.lstrip()
    position = len(text) - len(rest)
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        entries += value if isinstance(value, list) else [value]
        while text[position : position + 1].isspace():
            position += 1
    return entries


def _parse_task(entry: object, number: int, api_path: str | None, *, is_reply: bool) -> TaskReference:
    if not isinstance(entry, dict):
        text = _quote(json.dumps(entry, ensure_ascii=False))
        raise click.UsageError(
            f"entry {number} of standard input is not an object but {text}; {_EXPECTED_INPUT}"
        )
    info = entry.get("task_info")
    submitted_id = info.get("id") if isinstance(info, dict) else None
    members = {"task_id": entry.get("task_id", submitted_id), "api_path": api_path or entry.get("api_path")}
    has_ids = all(isinstance(value, str) for value in members.values())
    if not has_ids and (is_reply or _is_reply(entry)):
        return TaskReference(api_path or "", "", entry)
    valid = {
        name: value for name, value in members.items() if isinstance(value, str) and _is_encodable(value)
    }
    for name in [name for name in members if name not in valid]:
        quoted = {word: entry[word] for word in _ERROR_MEMBERS if word in entry} or entry
        text = _quote(json.dumps(quoted, ensure_ascii=False))
        raise click.UsageError(
            f"entry {number} of standard input has no {name}; input: {text}; {_EXPECTED_INPUT}"
        )
    return TaskReference(valid["api_path"], valid["task_id"])


def _is_reply(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry is a reply to a submission, beside MuleRouter's, which is read here.

    The daemon knows the places of each provider. Here an entry only has to hold something like an id, so that
    an error of the provider is shown and not sent.
    """
    return bool(entry.keys() - _OWN_MEMBERS) and _has_id(entry)


def _has_id(value: object, depth: int = 2) -> bool:
    """Return whether an object names something: providers nest ids in one object at most."""
    if not isinstance(value, dict) or not depth:
        return False
    is_named = any(_ID_NAME.search(name) and isinstance(value[name], str | int) for name in value)
    return is_named or any(_has_id(member, depth - 1) for member in value.values())


def _quote(text: str) -> str:
    """Quote an input for a person: on one line, cut and escaped."""
    return escape(one_line(text, MAX_QUOTED_CHARACTERS))


def _is_encodable(value: str) -> bool:
    """Return whether a text is not empty and has no lone surrogate, which JSON can hold and UTF-8 cannot."""
    return bool(value) and scrub(value) == value


def describe_as_options(problem: ApiProblem, names: Mapping[str, str] = MappingProxyType({})) -> ApiProblem:
    """Replace the fields of the request by the names of the options that the user typed.

    ``names`` are those that only this command has, by their pointers.
    """
    problem_body = problem.problem
    errors = tuple(
        Fault(names.get(each.pointer) or _name_option(each.pointer), each.detail)
        for each in problem_body.errors
    )
    return type(problem)(problem.status, msgspec.structs.replace(problem_body, errors=errors), problem.fix)


def _name_option(pointer: str) -> str:
    if pointer.startswith("/callbacks"):
        return "--event" if "/events" in pointer else "--callback"
    first = f"/{pointer.removeprefix('/').partition('/')[0]}"  # a query parameter has no slash
    return _OPTION_NAMES.get(first, pointer)


def read_metadata(text: str | None) -> msgspec.Raw | None:
    """Check that a text is a JSON object, and return it as it is written."""
    if text is None:
        return None
    try:
        raw = text.encode()
        is_object = isinstance(decode_strict(raw), dict)
    except ValueError as error:
        raise click.UsageError(f"--metadata cannot be read: {error}") from None
    if not is_object:
        raise click.UsageError("--metadata must be a JSON object, such as '{\"order\": 42}'")
    return msgspec.Raw(raw)


def build_registration(
    task: TaskReference,
    *,
    urls: Sequence[str],
    events: Sequence[str],
    provider: str | None,
    metadata: msgspec.Raw | None,
    expire_after: str | float | None,
) -> dict[str, object]:
    """Return the body of ``POST /v1/watches``, without the options that were not given."""
    body: dict[str, object] = {"task_id": task.task_id, "api_path": task.api_path}
    if task.reply is not None:
        body = {"reply": task.reply} | ({"api_path": task.api_path} if task.api_path else {})
    elif not task.task_id:
        body = {"task_url": task.api_path}
    if len(urls) == 1 and not events:
        body["callback_url"] = urls[0]
    else:
        event_filter = {"events": list(events)} if events else {}
        body["callbacks"] = [{"url": url, **event_filter} for url in urls]
    optional = {"provider": provider, "metadata": metadata, "expire_after": expire_after}
    return body | {name: value for name, value in optional.items() if value is not None}

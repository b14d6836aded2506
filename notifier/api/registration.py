"""Parse registrations to ``NewWatch``, or list all errors.

The whole text is decoded strictly first (``core/formats/json_text.py``). Metadata is then cut out of the text
as it is written, because it must come back unchanged.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from notifier.api.callbacks import parse_callbacks
from notifier.api.json_fields import (
    FieldErrors,
    read_expire_after,
    read_json,
    read_object,
)
from notifier.api.services import ApiSettings
from notifier.api.upstream_task import parse_task
from notifier.core.formats.json_text import (
    InvalidJson,
    RejectedJson,
    decode_strict,
    split_items,
    split_members,
)
from notifier.core.model import NewWatch
from notifier.server.problems import FieldError, ProblemError, errors_to_problem

MAX_BATCH = 1_000  # CONTRACT, HTTP
MAX_METADATA_BYTES = 16 * 1024  # CONTRACT, HTTP

FIELDS = (
    "task_id", "api_path", "provider", "task_url", "reply", "callback_url", "callbacks", "metadata",
    "expire_after",
)  # fmt: skip
_HINTS = {
    "callback": "did you mean callback_url?",
    "url": "did you mean callback_url?",
    "events": 'it belongs in callbacks, such as [{"url": "…", "events": ["task.completed"]}]',
    "headers": 'it belongs in callbacks, such as [{"url": "…", "headers": {"X-Tenant": "7"}}]',
}
_BATCH_ENTRY = re.compile(r"/watches/[0-9]+")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_SCANNER = json.JSONDecoder(parse_int=str)


def read_registration(body: bytes, settings: ApiSettings, now: int) -> NewWatch:
    """Parse the body of ``POST /v1/watches``, or one entry of a batch. Raise ProblemError."""
    errors = FieldErrors()
    members = read_object(read_json(body), "", FIELDS, errors, _HINTS)
    if members is None:
        raise errors_to_problem(errors.entries)
    task = parse_task(members, settings, errors)
    callbacks = parse_callbacks(members, settings.policy, errors)
    metadata = _parse_metadata(members, body, errors)
    expire_after_ms = read_expire_after(members, errors)
    if errors.entries or task is None:
        raise errors_to_problem(errors.entries)
    provider = settings.providers[task.provider]
    expires_at = now + (provider.expire_after_ms if expire_after_ms is None else expire_after_ms)
    first_by_ms = provider.first_by_ms
    return NewWatch(
        provider=task.provider,
        api_path=task.api_path,
        task_id=task.task_id,
        poll_origin=task.origin,
        callbacks=callbacks,
        metadata=metadata,
        registered_at=now,
        first_poll_at=min(now + provider.first_after_ms, expires_at),
        expires_at=expires_at,
        first_poll_by=None if first_by_ms is None else min(now + first_by_ms, expires_at),
    )


def find_callbacks_pointer(body: bytes) -> str:
    """Return the pointer to the callbacks of a valid registration."""
    return "/callbacks" if "callbacks" in read_json(body) else "/callback_url"


def read_batch(body: bytes) -> list[bytes]:
    """Split the body of ``POST /v1/watches/batch`` into its entries, as they are written. Raise ProblemError.

    An entry with JSON that we reject is returned too: ``read_registration`` refuses it alone.
    """
    try:
        entries = _split_items(decode_strict(body), body)
    except InvalidJson as error:
        raise ProblemError("bad_json", str(error)) from None
    except RejectedJson as error:
        if not _BATCH_ENTRY.match(error.pointer) or not _is_batch(body):
            raise errors_to_problem([FieldError(error.pointer, error.detail)]) from None
        entries = _cut_items(body.decode())
    if len(entries) > MAX_BATCH:
        raise errors_to_problem([FieldError("/watches", f"at most {MAX_BATCH} registrations at once")])
    return [entry.encode() for entry in entries]


def read_resume(body: bytes) -> int | None:
    """Return ``expire_after`` of the optional body of a resume, in milliseconds. Raise ProblemError."""
    if not body:
        return None
    errors = FieldErrors()
    members = read_object(read_json(body), "", ("expire_after",), errors) or {}
    expire_after_ms = read_expire_after(members, errors)
    errors.check()
    return expire_after_ms


def check_no_members(body: bytes) -> None:
    """Raise ProblemError unless a body is empty or an object without members."""
    if body:
        errors = FieldErrors()
        read_object(read_json(body), "", (), errors)
        errors.check()


def _split_items(batch: object, body: bytes) -> list[str]:
    errors = FieldErrors()
    members = read_object(batch, "", ("watches",), errors)
    if members is not None and not isinstance(members.get("watches"), list):
        errors.add("/watches", "must be an array of registrations")
    errors.check()
    return split_items(split_members(body)["watches"])


def _is_batch(body: bytes) -> bool:
    """Return whether a JSON object is ``{"watches": […]}`` and no more, whatever the array holds."""
    # Objects become tuples, so that a list can only be an array.
    members = json.loads(body, object_pairs_hook=tuple, parse_int=str)
    return len(members) == 1 and members[0][0] == "watches" and isinstance(members[0][1], list)


def _cut_items(text: str) -> list[str]:
    """Return the items of the array in ``{"watches": […]}``, cut where each of them ends.

    The text has valid syntax. msgspec, which cuts other batches, stops at JSON that we reject.
    """
    items: list[str] = []
    at = _find_item(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = _SCANNER.raw_decode(text, at)
        items.append(text[at:end])
        at = _find_item(text, end)
    return items


def _find_item(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return at if match is None else match.end()


def _parse_metadata(members: Mapping[str, Any], body: bytes, errors: FieldErrors) -> str:
    if "metadata" not in members:
        return "{}"
    if not isinstance(members["metadata"], dict):
        errors.add("/metadata", "must be an object")
        return "{}"
    text = split_members(body)["metadata"]
    if len(text.encode()) > MAX_METADATA_BYTES:
        errors.add("/metadata", f"at most {MAX_METADATA_BYTES // 1024} KiB of JSON")
    return text

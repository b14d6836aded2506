"""From the bytes of a registration to a ``NewWatch``, or to all that is wrong with it.

The whole text is read strictly first (``core/jsontext.py``). Metadata is then cut out of it as it is written.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.api.callbacks import parse_callbacks
from notifier.api.json_fields import (
    FieldErrors,
    describe_unknown,
    read_expire_after,
    read_json,
    read_object,
    read_text,
)
from notifier.api.services import ApiSettings
from notifier.core.formats.json_text import InvalidJson, RejectedJson, decode_strict, raw_items, raw_members
from notifier.core.formats.urls import InvalidUrl, check_api_path, check_task_id, split_task_url
from notifier.core.model import NewWatch
from notifier.server.problems import FieldError, ProblemError, errors_to_problem

MAX_BATCH = 1_000
MAX_PROVIDERS_NAMED = 10
MAX_METADATA_BYTES = 16 * 1024

FIELDS = (
    "task_id", "api_path", "provider", "task_url", "callback_url", "callbacks", "metadata", "expire_after",
)  # fmt: skip
_MEANT = {
    "callback": "did you mean callback_url?",
    "url": "did you mean callback_url?",
    "events": 'it belongs into callbacks, such as [{"url": "…", "events": ["task.completed"]}]',
    "headers": 'it belongs into callbacks, such as [{"url": "…", "headers": {"X-Tenant": "7"}}]',
}
_IN_BATCH = re.compile(r"/watches/[0-9]+")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_SCANNER = json.JSONDecoder(parse_int=str)


@dataclass(frozen=True, slots=True)
class UpstreamTask:
    """One upstream task."""

    provider: str
    api_path: str
    task_id: str


def read_registration(body: bytes, settings: ApiSettings, now: int) -> NewWatch:
    """Read the body of ``POST /v1/watches``, or one entry of a batch; raises Problem."""
    errors = FieldErrors()
    members = read_object(read_json(body), "", FIELDS, errors, _MEANT)
    if members is None:
        raise errors_to_problem(errors.entries)
    task = _task_url(members, settings, errors) if "task_url" in members else _task(members, settings, errors)
    callbacks = parse_callbacks(members, settings.policy, errors)
    metadata = _metadata(members, body, errors)
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
        callbacks=callbacks,
        metadata=metadata,
        registered_at=now,
        first_poll_at=min(now + provider.first_after_ms, expires_at),
        expires_at=expires_at,
        first_poll_by=None if first_by_ms is None else min(now + first_by_ms, expires_at),
    )


def find_callbacks_pointer(body: bytes) -> str:
    """Where in a registration that has been read its callbacks stand, as a pointer."""
    return "/callbacks" if "callbacks" in read_json(body) else "/callback_url"


def read_batch(body: bytes) -> list[bytes]:
    """Read the body of ``POST /v1/watches/batch`` to its entries, as they are written; raises Problem.

    An entry that is refused as JSON is left for ``read_registration``: each stands alone.
    """
    try:
        entries = _items(decode_strict(body), body)
    except InvalidJson as error:
        raise ProblemError("bad_json", str(error)) from None
    except RejectedJson as error:
        if not _IN_BATCH.match(error.pointer) or not _is_batch(body):
            raise errors_to_problem([FieldError(error.pointer, error.detail)]) from None
        entries = _cut_items(body.decode())
    if len(entries) > MAX_BATCH:
        raise errors_to_problem([FieldError("/watches", f"at most {MAX_BATCH} registrations at once")])
    return [entry.encode() for entry in entries]


def read_resume(body: bytes) -> int | None:
    """Read the optional body of a resume: its ``expire_after`` in milliseconds; raises Problem."""
    if not body:
        return None
    errors = FieldErrors()
    members = read_object(read_json(body), "", ("expire_after",), errors) or {}
    expire_after_ms = read_expire_after(members, errors)
    errors.check()
    return expire_after_ms


def check_no_members(body: bytes) -> None:
    """Raise Problem for a body with anything in it, where none is wanted."""
    if body:
        errors = FieldErrors()
        read_object(read_json(body), "", (), errors)
        errors.check()


def _items(batch: object, body: bytes) -> list[str]:
    errors = FieldErrors()
    members = read_object(batch, "", ("watches",), errors)
    if members is not None and not isinstance(members.get("watches"), list):
        errors.add("/watches", "must be an array of registrations")
    errors.check()
    return raw_items(raw_members(body)["watches"])


def _is_batch(body: bytes) -> bool:
    """Whether an object of JSON is ``{"watches": […]}`` and no more, whatever stands in the array."""
    members = json.loads(body, object_pairs_hook=tuple, parse_int=str)  # a list is an array then
    return len(members) == 1 and members[0][0] == "watches" and isinstance(members[0][1], list)


def _cut_items(text: str) -> list[str]:
    """The items of the array in ``{"watches": […]}``, found by where each of them ends.

    For text whose syntax is right; msgspec, which cuts up the clean ones, stops at what is refused here.
    """
    items: list[str] = []
    at = _next_item(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = _SCANNER.raw_decode(text, at)
        items.append(text[at:end])
        at = _next_item(text, end)
    return items


def _next_item(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return at if match is None else match.end()


def _task(members: Mapping[str, Any], settings: ApiSettings, errors: FieldErrors) -> UpstreamTask | None:
    provider = _provider(members, settings, errors)
    api_path = read_text(members, "api_path", errors, check_api_path)
    task_id = read_text(members, "task_id", errors, check_task_id)
    if provider is None or api_path is None or task_id is None:
        return None
    return UpstreamTask(provider, api_path, task_id)


def _task_url(members: Mapping[str, Any], settings: ApiSettings, errors: FieldErrors) -> UpstreamTask | None:
    doubled = [name for name in ("provider", "api_path", "task_id") if name in members]
    if doubled:
        errors.add("/task_url", f"says provider, api_path and task_id by itself; leave out {doubled[0]}")
    url = read_text(members, "task_url", errors)
    if url is None:
        return None
    places = {name: provider.place for name, provider in settings.providers.items()}
    try:
        return UpstreamTask(*split_task_url(url, places))
    except InvalidUrl as error:
        errors.add("/task_url", str(error))
        return None


def _provider(members: Mapping[str, Any], settings: ApiSettings, errors: FieldErrors) -> str | None:
    if "provider" not in members and settings.default_provider is not None:
        return settings.default_provider
    if "provider" not in members:
        some = ", ".join(sorted(settings.providers)[:MAX_PROVIDERS_NAMED])
        errors.add("/provider", f"is required where there are several; there is {some}")
        return None
    name = read_text(members, "provider", errors)
    if name is not None and name not in settings.providers:
        errors.add("/provider", describe_unknown(name, "provider", settings.providers))
        return None
    return name


def _metadata(members: Mapping[str, Any], body: bytes, errors: FieldErrors) -> str:
    if "metadata" not in members:
        return "{}"
    if not isinstance(members["metadata"], dict):
        errors.add("/metadata", "must be an object")
        return "{}"
    text = raw_members(body)["metadata"]
    if len(text.encode()) > MAX_METADATA_BYTES:
        errors.add("/metadata", f"at most {MAX_METADATA_BYTES // 1024} KiB of JSON")
    return text

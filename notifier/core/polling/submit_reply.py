"""Find the task in the reply to its submission, at the places that the description names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from notifier.core.formats.json_reading import JsonReading
from notifier.core.formats.task_urls import (
    TaskPlace,
    TaskUrlTemplate,
    check_api_path,
    check_task_id,
    split_task_url,
)
from notifier.core.formats.urls import InvalidUrl
from notifier.core.polling.provider_reply import ProviderReply, name_place, scalar_to_text


def find_submitted_task(
    document: Any,
    name: str,
    template: TaskUrlTemplate,
    submit: Mapping[str, str],
    api_path: str | None = None,
) -> TaskPlace:
    """Return the task of the provider ``name`` that a reply is about. Raise InvalidUrl with the reason.

    ``api_path`` is what the registration gives beside the reply. A URL to poll says most, so it comes first.
    """
    ids = {key: _text_at(document, place) for key, place in submit.items()}
    task_id = ids.get("task_id", "")
    if ids.get("poll_url"):
        return _split_poll_url(ids["poll_url"], task_id, name, template)
    if not task_id:
        where = (
            f" at {name_place(submit['task_id'])}" if "task_id" in submit else ", and no place of it is known"
        )
        raise InvalidUrl(f"as a reply of {name} it has no task id{where}")
    path = api_path or ids.get("api_path", "")
    if template.needs_api_path and not path:
        raise InvalidUrl(f"a reply of {name} does not say its api_path; give api_path beside it")
    path = check_api_path(path) if template.needs_api_path else ""
    return TaskPlace(name, path, check_task_id(task_id, template.id_signs))


def has_poll_url(document: Any, submit: Mapping[str, str]) -> bool:
    """Return whether a reply has the URL to poll, which only its own provider accepts."""
    return bool("poll_url" in submit and _text_at(document, submit["poll_url"]))


def _split_poll_url(url: str, task_id: str, name: str, template: TaskUrlTemplate) -> TaskPlace:
    try:
        place = split_task_url(url, {name: template})
    except InvalidUrl as error:
        raise InvalidUrl(
            f"the URL to poll is not one of {name}, and its key is sent to no other: {error}"
        ) from None
    if task_id and task_id.casefold() != place.task_id.casefold():
        raise InvalidUrl(f"the URL to poll and the id of the reply name different tasks of {name}")
    return replace(place, provider=name)


def _text_at(document: Any, place: str) -> str:
    """Return a text or a number of a reply as text; empty for anything else."""
    value = ProviderReply(JsonReading(None, document)).at_or_none(place, [])
    is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
    return (scalar_to_text(value) or "").strip() if is_scalar else ""

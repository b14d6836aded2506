"""Build the requests of a poll: method, URL, headers and body, from a description and the ids of a task."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from notifier.core.formats.task_urls import TaskUrlTemplate, build_task_url, check_api_path, find_task_base
from notifier.core.formats.urls import InvalidUrl, has_dot_segment
from notifier.core.polling.provider import ProviderDescription, ResultDescription
from notifier.core.secret import Secret

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class PollRequest(NamedTuple):
    """One request to a provider. ``body`` is None for a GET. The key stands in ``headers`` alone."""

    url: str
    headers: dict[str, str]
    body: bytes | None = None

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "GET" if self.body is None else "POST"


class TaskAddress(NamedTuple):
    """Where a task is: its ids, and the origin of its poll URL if that is not base_url's."""

    api_path: str
    task_id: str
    origin: str = ""


def make_url_template(base_url: str, description: ProviderDescription) -> TaskUrlTemplate:
    """Return how the URLs of the tasks of a provider are built."""
    return TaskUrlTemplate(
        base_url,
        description.task_path,
        description.hosts,
        description.id_signs,
        needs_api_path=description.needs_api_path,
    )


def build_poll_request(
    base_url: str, description: ProviderDescription, task: TaskAddress, key: Secret | None
) -> PollRequest:
    """Build the request of a poll. Raise InvalidUrl for ids that the description does not allow."""
    base = base_url
    if task.origin:
        base = find_task_base(make_url_template(base_url, description), task.origin)
    url = build_task_url(base, description.task_path, task.api_path, task.task_id, description.id_signs)
    headers = build_poll_headers(description, key)
    if description.method == "GET":
        return PollRequest(url, headers)
    if description.body:
        headers.setdefault("content-type", "application/json")
    values = {"api_path": task.api_path, "task_id": task.task_id}
    return PollRequest(url, headers, fill_body(description.body, values).encode())


def build_result_request(
    base_url: str,
    description: ProviderDescription,
    task: TaskAddress,
    values: Mapping[str, str],
    key: Secret | None,
) -> PollRequest:
    """Build the second GET of a task. ``values`` are from the reply to the poll. Raise InvalidUrl."""
    result = description.result
    if result is None:
        raise AssertionError("only a provider with a result table has a second GET")
    base = base_url
    if task.origin:
        base = find_task_base(make_url_template(base_url, description), task.origin)
    path = build_result_path(result, task, values, description.id_signs)
    return PollRequest(f"{base.rstrip('/')}/{path.lstrip('/')}", build_poll_headers(description, key))


def build_result_path(
    result: ResultDescription, task: TaskAddress, values: Mapping[str, str], id_signs: str
) -> str:
    """Fill the path of the second GET. Each value is escaped, so that it stays one part of the URL."""
    ids = {"task_id": quote(task.task_id, safe=f":{id_signs}")}
    if "{api_path}" in result.path:
        ids["api_path"] = check_api_path(task.api_path)
    parts = ids | {name: quote(value, safe="") for name, value in values.items()}
    path = _PLACEHOLDER.sub(lambda place: parts[place[1]], result.path)
    if has_dot_segment(path.partition("?")[0]):
        raise InvalidUrl("the path of the result has no segment . or ..")
    return path


def fill_body(body: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a body. The values are escaped as JSON text."""
    texts = {name: json.dumps(value)[1:-1] for name, value in values.items()}
    return _PLACEHOLDER.sub(lambda place: texts.get(place[1], place[0]), body)


def build_poll_headers(description: ProviderDescription, key: Secret | None) -> dict[str, str]:
    """Build the headers of a poll, with the key in one of them."""
    headers = {"accept": "application/json"}
    for name, value in description.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    if key is not None:
        headers[description.auth_header] = description.auth_value.replace("{key}", key.reveal())
    return headers

"""The keys of a file of the catalogue, table by table, with their types.

``notifier/providers/README.md`` says what they mean.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from notifier.config.schema import POLLING

Shape = Mapping[str, tuple[type, ...]]

STATES = ("running", "completed", "failed", "cancelled", "lost", "refused", "throttled")
PLACES = (
    "status", "id", "failed_if", "outputs", "created_at", "finished_at", "expires_at",
    "error_code", "error_title", "error_detail",
)  # fmt: skip
"""Keys of a provider that hold a JMESPath expression."""


def _shape(keys: str | Iterable[str], *types: type) -> Shape:
    return dict.fromkeys(keys.split() if isinstance(keys, str) else keys, types)


SHAPES: Mapping[str, Shape] = {
    "": {
        **_shape("about", str),
        **_shape("checked", date),
        **_shape("unconfirmed missing sources golden", list),
        **_shape("provider limits webhooks example", dict),
    },
    "source": {**_shape("what at file revision", str), **_shape("date", date)},
    "provider": {
        **_shape(PLACES, str),
        **_shape("base_url method task_path body auth_header auth_value id_signs utc_offset", str),
        **_shape("result_ttl max_body body_kind max_rate", str),
        **_shape("hosts", list),
        **_shape("api_key headers http words submit hint result polling", dict),
    },
    "provider.result": {
        **_shape("path outputs error_code error_title error_detail max_body", str),
        **_shape("values http", dict),
    },
    "provider.submit": _shape("task_id api_path poll_url", str),
    "provider.hint": _shape("id", str),
    "provider.words": _shape(STATES, list),
    "provider.polling": _shape(POLLING.keys, str, float, bool),
    "limits": _shape("rate pace result_life task_life", str),
    "webhooks": {**_shape("scope url_in sends signature retries example", str), **_shape("lacks", list)},
    "example": {
        **_shape("task_id api_path poll poll_body result", str),
        **_shape("submit reply", dict),
    },
    "example.submit": {**_shape("method path body", str), **_shape("headers", dict)},
    "example.reply": {**_shape("http", int), **_shape("headers", dict), **_shape("body", str)},
    "golden": {
        **_shape("name about step body", str),
        **_shape("http", int),
        **_shape("headers verdict", dict),
    },
    "verdict": {
        **_shape("state word title detail result_expires_at created_at finished_at retry_after", str),
        **_shape("code", str, int),
        **_shape("outputs", list),
    },
}

OPTIONAL: Mapping[str, frozenset[str]] = {
    "source": frozenset({"file", "revision"}),
    "provider": frozenset(SHAPES["provider"])
    - {"base_url", "task_path", "status", "outputs", "words", "submit"},
    "provider.result": frozenset(SHAPES["provider.result"]) - {"path", "outputs"},
    "provider.submit": frozenset({"api_path", "poll_url"}),
    "provider.words": frozenset(STATES) - {"completed", "failed"},
    "provider.polling": frozenset(POLLING.keys),
    "webhooks": frozenset(SHAPES["webhooks"]) - {"scope"},
    "example": frozenset({"api_path", "poll_body", "result"}),
    "example.submit": frozenset({"headers"}),
    "example.reply": frozenset({"headers"}),
    "golden": frozenset({"about", "step", "headers"}),
    "verdict": frozenset(SHAPES["verdict"]) - {"state"},
}
"""Keys that a table may lack."""

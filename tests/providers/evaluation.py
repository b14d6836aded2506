"""A small evaluator of provider descriptions, independent of the core.

It judges golden replies by the rules of ``notifier/providers/README.md`` alone.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import jmespath

Table = Mapping[str, Any]

ERROR_PLACES = {"code": "error_code", "title": "error_title", "detail": "error_detail"}
_STATES = {401: "refused", 402: "refused", 403: "refused", 404: "lost", 410: "lost", 429: "throttled"}
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MILLISECONDS_FROM = 1e11  # PROVIDER-TABLES: a number below it is seconds


class Evaluation:
    """The verdict on one golden reply, place by place."""

    def __init__(self, provider: Table, golden: Table) -> None:
        self.provider = provider
        self.is_result = golden.get("step") == "result"
        self.table: Table = provider["result"] if self.is_result else provider
        self.http: int = golden["http"]
        self.headers: Mapping[str, str] = golden.get("headers", {})
        self.document = self._parse(golden["body"])

    def _parse(self, body: str) -> Any:
        try:
            return json.loads(body)
        except ValueError:
            is_free = self.table.get("body_kind") == "any" or not self._reads_body()
            assert is_free, f"the body of HTTP {self.http} must be JSON: {body!r}"
            return None

    def _reads_body(self) -> bool:
        return 200 <= self.http <= 299 and self._http_state() is None

    def _http_state(self) -> str | None:
        state: str | None = self.table.get("http", {}).get(str(self.http))
        return state

    def at(self, key: str) -> Any:
        """Return what stands at the place of a key."""
        expression = self.table.get(key, "")
        return jmespath.search(expression, self.document) if expression else None

    @property
    def word(self) -> str | None:
        """The status as text; none where the HTTP code decides."""
        if self.is_result or not self._reads_body():
            return None
        value = self.at("status")
        return value if isinstance(value, str) else json.dumps(value)

    @property
    def state(self) -> str:
        """What the reply means for the task."""
        if not self._reads_body():
            state = self._http_state() or _STATES.get(self.http, "retry")
            return "retry" if self.is_result and state == "lost" else state
        if self.is_result:
            return "completed"
        state = state_of(self.word or "", self.provider["words"])
        return "failed" if state == "completed" and _is_true(self.at("failed_if")) else state

    @property
    def outputs(self) -> list[str]:
        """The non-empty texts at the place of outputs."""
        if self.state not in {"completed", "failed", "cancelled"}:
            return []
        value = self.at("outputs")
        items = value if isinstance(value, list) else [value]
        return [item for item in items if isinstance(item, str) and item]

    @property
    def error(self) -> dict[str, Any]:
        """Code, title and detail, as far as the reply has them."""
        if self.state not in {"failed", "cancelled"}:
            return {}
        texts = {name: _error_text(self.at(key)) for name, key in ERROR_PLACES.items()}
        return {name: text for name, text in texts.items() if text is not None}

    def instant(self, key: str) -> datetime | None:
        """Return the instant at a place."""
        return parse_instant(self.at(key), self.provider.get("utc_offset", "+00:00"))

    @property
    def result_expires_at(self) -> datetime | str | None:
        """The end of the result's life; relative to the poll where the provider names no end of the task."""
        if self.state != "completed" or self.is_result:
            return None
        ttl = self.provider.get("result_ttl", "0")
        if end := self.instant("expires_at"):
            return end
        if not duration_ms(ttl):
            return None
        finished = self.instant("finished_at")
        return finished + timedelta(milliseconds=duration_ms(ttl)) if finished else f"poll + {ttl}"


def state_of(word: str, words: Mapping[str, list[str]]) -> str:
    """Return the state that a word stands for."""
    states = [state for state, names in words.items() if word.casefold() in map(str.casefold, names)]
    assert len(states) == 1, f"{word!r} stands for {states}"
    return states[0]


def _is_true(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})


def _error_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)


def duration_ms(text: str) -> int:
    """Read a duration such as ``2.5s`` or ``1h30m``; ``0`` is none."""
    if text == "0":
        return 0
    assert re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text), text
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def parse_instant(value: Any, utc_offset: str = "+00:00") -> datetime | None:
    """Read RFC 3339 text, with or without an offset, or a number of seconds or milliseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value if value < _MILLISECONDS_FROM else value / 1_000, UTC)
    if not isinstance(value, str) or not value:
        return None
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        sign, hours, minutes = utc_offset[0], int(utc_offset[1:3]), int(utc_offset[4:6])
        offset = timedelta(hours=hours, minutes=minutes)
        instant = instant.replace(tzinfo=timezone(offset if sign == "+" else -offset))
    return instant.astimezone(UTC)


def fill(template: str, values: Mapping[str, str], id_signs: str = "") -> str:
    """Fill the names of a path, escaped for a URL but for the signs that ids may hold."""
    for name, value in values.items():
        safe = "/:" if name == "api_path" else f":{id_signs}"
        template = template.replace(f"{{{name}}}", quote(value, safe=safe))
    return template


def pattern_of(template: str) -> re.Pattern[str]:
    """Return a pattern that finds api_path and task_id in a URL's path and query."""
    pattern = re.escape(template)
    for name, part in (("api_path", "/.+"), ("task_id", "[^/?&]+")):
        pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{part})")
    return re.compile(pattern)

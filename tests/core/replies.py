"""One poll by the bytes of its reply: what is told, or what trouble the watch has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from notifier.core.event_body import build_event
from notifier.core.exchange import HttpReply
from notifier.core.model import Callback, Watch, WatchState
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import decide_poll
from notifier.core.polling.decision import EndWatch, PollAgain
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.provider import ProviderDescription
from notifier.core.secret import Secret

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
NOW = 1_795_435_200_000  # 2026-11-23T12:00:00Z
KEY = Secret("sk-0123456789/abcdef")
MULEROUTER = ProviderDescription()
URL = "https://cdn.example/1.jpg"
WATCH = Watch(
    id="wch_1",
    provider="mulerouter",
    api_path="/vendors/x/generation",
    task_id="t1",
    state=WatchState.WATCHING,
    callbacks=(Callback("http://127.0.0.1:9001/hook"),),
    metadata="{}",
    registered_at=NOW - HOUR,
    expires_at=NOW + HOUR,
    due_at=NOW,
    interval_ms=2_500,
)


def poll(
    body: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    watch: Watch = WATCH,
    description: ProviderDescription = MULEROUTER,
) -> PollAgain | EndWatch:
    """Poll the watch once, and return what follows from this reply."""
    reply = HttpReply(status, headers or {}, body)
    verdict = judge_poll(reply, task_id=watch.task_id, description=description, key=KEY, now=NOW)
    schedule = AgeSchedule(2_500, 60_000, 0.1)
    return decide_poll(watch, verdict, schedule=schedule, result_ttl_ms=DAY, now=NOW, jitter=0.0)


MAX_PAYLOAD = 1 << 27
"""More than any payload here has."""


@dataclass(frozen=True)
class Told:
    """What the callback's data says."""

    body: bytes
    data: Any

    @property
    def note(self) -> str:
        """The payload note; empty if there is none."""
        return self.data["payload_note"] or ""


def tell(body: bytes, headers: Mapping[str, str] | None = None, **more: Any) -> Told:
    """Return the callback that follows from one reply; fail if none does."""
    end = poll(body, headers=headers, **more)
    assert isinstance(end, EndWatch), end
    event = build_event(more.get("watch", WATCH), end, event_id="evt_1", now=NOW, max_payload=MAX_PAYLOAD)
    event_body = json.loads(event.body, parse_constant=pytest.fail, parse_int=_int)
    return Told(event.body, event_body["data"])


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < 100 else digits


def trouble_of(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> str:
    """Return the trouble of a watch whose poll ended nothing; empty if it has none."""
    wait = poll(body, status, headers)
    assert isinstance(wait, PollAgain), wait
    return wait.trouble.cause.text() if wait.trouble else ""


def fix_of(body: bytes, status: int, headers: Mapping[str, str] | None = None) -> str:
    wait = poll(body, status, headers)
    assert isinstance(wait, PollAgain)
    assert wait.trouble is not None
    return wait.trouble.cause.fix()


def completed(more: str = '"x": 1', images: str = f'["{URL}"]') -> bytes:
    """A finished task with one output, and members of any kind beside it."""
    return f'{{"task_info": {{"id": "t1", "status": "completed"}}, {more}, "images": {images}}}'.encode()

"""Stop and resume of all watches that match: counted, changed, and refused if the request selects nothing."""

from dataclasses import replace
from typing import Any

import pytest

from notifier.store.sqlite import bulk
from tests.api.conftest import HOUR_MS, PATH, SETTINGS, Bench, pointers

NOON_TEXT = "2026-11-23T12:00:00Z"
LATER_TEXT = "2026-11-23T13:00:00+00:00"
EVERYTHING = {"since": "1970-01-01T00:00:00Z"}


async def change(bench: Bench, action: str, **body: Any) -> int:
    answer = await bench.http.post(f"/v1/watches/{action}", json=body)
    assert answer.status_code == 202, answer.text
    assert list(answer.json()) == ["matched"]
    matched: int = answer.json()["matched"]
    return matched


async def work(bench: Bench) -> None:
    """Do what was started, as the engine does."""
    expire_after_ms = {name: each.expire_after_ms for name, each in SETTINGS.providers.items()}
    while await bench.store.change_some_watches(
        now=bench.clock.now(), expire_after_ms=expire_after_ms, max_live=100, limit=9
    ):
        pass


async def states(bench: Bench) -> list[str]:
    """The states of all watches, oldest first."""
    listed = (await bench.http.get("/v1/watches")).json()["watches"]
    return [each["state"] for each in reversed(listed)]


async def live_and_stopped(bench: Bench) -> list[str]:
    """One of each; the live one first."""
    ids = [(await bench.register(name))["id"] for name in ("live", "stopped")]
    await bench.http.delete(f"/v1/watches/{ids[1]}")
    return ids


async def test_a_stop_says_how_many_match_and_starts_at_once(bench: Bench) -> None:
    await live_and_stopped(bench)
    assert await change(bench, "stop", provider="mulerouter") == 1
    assert bench.wake.watch_changes == 1
    await work(bench)
    assert await states(bench) == ["stopped", "stopped"]


async def test_a_resume_goes_on_with_its_own_deadline_or_that_of_the_provider(bench: Bench) -> None:
    _, stopped = await live_and_stopped(bench)
    assert await change(bench, "resume", state="stopped", expire_after="5h") == 1
    await work(bench)
    detail = await bench.store.watch(stopped)
    assert detail is not None
    assert detail.watch.expires_at == bench.clock.now() + 5 * HOUR_MS
    assert await states(bench) == ["watching", "watching"]


@pytest.mark.parametrize("action", ["stop", "resume"])
async def test_a_dry_run_changes_nothing_and_wakes_nobody(bench: Bench, action: str) -> None:
    await live_and_stopped(bench)
    assert await change(bench, action, **EVERYTHING, dry_run=True) == 1
    assert bench.wake.watch_changes == 0
    await work(bench)
    assert await states(bench) == ["watching", "stopped"]


@pytest.mark.parametrize(
    ("action", "body", "matched"),
    [
        ("stop", {"since": NOON_TEXT}, 1),
        ("stop", {"since": LATER_TEXT}, 0),
        ("stop", {"until": NOON_TEXT}, 0),
        ("stop", {"api_path": PATH}, 1),
        ("stop", {"api_path": "/vendors/other"}, 0),
        ("stop", {"provider": "removed"}, 0),
        ("resume", {"since": NOON_TEXT, "until": LATER_TEXT, "state": "stopped"}, 1),
        ("resume", {"since": LATER_TEXT}, 0),
        ("resume", {"state": "lost"}, 0),
        ("resume", {"provider": "mulerouter", "api_path": PATH}, 1),
    ],
)
async def test_every_filter_counts(bench: Bench, action: str, body: dict[str, Any], matched: int) -> None:
    await live_and_stopped(bench)
    assert await change(bench, action, **body, dry_run=True) == matched


@pytest.mark.parametrize("action", ["stop", "resume"])
@pytest.mark.parametrize("body", [{}, {"dry_run": True}, {"dry_run": False}])
async def test_a_change_of_nothing_in_particular_is_refused_with_the_fix(
    bench: Bench, action: str, body: dict[str, Any]
) -> None:
    """All watches are never what an empty body meant."""
    await live_and_stopped(bench)
    answer = await bench.http.post(f"/v1/watches/{action}", json=body)
    assert pointers(answer) == [""]
    assert "provider, api_path" in answer.json()["detail"]
    assert "1970-01-01T00:00:00Z" in answer.json()["detail"]
    assert await change(bench, action, **EVERYTHING, dry_run=True) == 1


async def test_a_deadline_is_no_filter(bench: Bench) -> None:
    answer = await bench.http.post("/v1/watches/resume", json={"expire_after": "2h"})
    assert pointers(answer) == [""]


@pytest.mark.parametrize(
    ("action", "body", "pointer", "hint"),
    [
        ("stop", {"since": "yesterday"}, "/since", "2026-11-23T12:00:00Z"),
        ("stop", {"since": NOON_TEXT, "until": NOON_TEXT}, "/until", "later"),
        ("stop", {"state": "watching"}, "/state", "unknown field"),
        ("stop", {"provider": 3}, "/provider", "string"),
        ("stop", {"api_path": "none"}, "/api_path", "/segments"),
        ("stop", {"provider": "x", "dry_run": 1}, "/dry_run", "true or false"),
        ("stop", [], "", "object"),
        ("resume", {"state": "lsot"}, "/state", "did you mean lost"),
        ("resume", {"state": "watching"}, "/state", "polled anyway"),
        ("resume", {"state": "completed"}, "/state", "nothing is left to poll"),
        ("resume", {"state": ["lost"]}, "/state", "string"),
        ("resume", {"provider": "mulerooter"}, "/provider", "did you mean mulerouter"),
        ("resume", {"state": "lost", "expire_after": "soon"}, "/expire_after", ""),
    ],
)
async def test_bad_requests_are_refused_where_they_are_bad(
    bench: Bench, action: str, body: Any, pointer: str, hint: str
) -> None:
    answer = await bench.http.post(f"/v1/watches/{action}", json=body)
    assert pointers(answer)[0] == pointer
    assert hint in answer.json()["errors"][0]["detail"]
    assert bench.wake.watch_changes == 0


async def test_one_change_too_many_is_refused_and_told_when_to_come_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_and_stopped(bench)
    monkeypatch.setattr(bulk, "MAX_BULK_CHANGES", 2)
    for _ in range(2):
        await change(bench, "stop", **EVERYTHING)
    answer = await bench.http.post("/v1/watches/stop", json=EVERYTHING)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_changes")
    assert answer.headers["retry-after"] == "60"
    assert bench.wake.watch_changes == 2


async def test_more_than_may_be_live_are_not_resumed(bench: Bench) -> None:
    await live_and_stopped(bench)
    bench.settings = replace(SETTINGS, max_watches=1)
    answer = await bench.http.post("/v1/watches/resume", json={"state": "stopped"})
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_watches")
    assert "server.max_watches" in answer.json()["detail"]
    await work(bench)
    assert await states(bench) == ["watching", "stopped"]

"""Replay: what matches is counted and sent again; what says nothing, or nothing sensible, is refused."""

from typing import Any

import pytest

from notifier.store.sqlite import bulk
from tests.api.conftest import HOOK, HOUR_MS, Bench, pointers
from tests.api.test_deliveries import delivered, die

NOON_TEXT = "2026-11-23T12:00:00Z"
LATER_TEXT = "2026-11-23T13:00:00+00:00"


async def replay(bench: Bench, **body: Any) -> int:
    answer = await bench.http.post("/v1/deliveries/replay", json=body)
    assert answer.status_code == 202, answer.text
    assert list(answer.json()) == ["matched"]
    matched: int = answer.json()["matched"]
    return matched


async def dead_and_pending(bench: Bench) -> None:
    """One of each."""
    ids = await delivered(bench, 2)
    await die(bench, ids[0])


async def test_a_replay_says_how_many_match_and_rings(bench: Bench) -> None:
    await dead_and_pending(bench)
    assert await replay(bench, state="dead") == 1
    assert bench.wake.replays == 1
    done = await bench.store.replay_some(
        now=bench.clock.now(), give_up_at=bench.clock.now() + HOUR_MS, limit=9
    )
    assert done == 1
    found = (await bench.http.get("/v1/deliveries", params={"state": "pending"})).json()["deliveries"]
    assert len(found) == 2


async def test_a_dry_run_changes_nothing_and_rings_nobody(bench: Bench) -> None:
    await dead_and_pending(bench)
    assert await replay(bench, state="dead", dry_run=True) == 1
    assert bench.wake.replays == 0
    assert await bench.store.replay_some(now=bench.clock.now(), give_up_at=0, limit=9) is None


@pytest.mark.parametrize(
    ("body", "matched"),
    [
        ({"since": NOON_TEXT}, 1),
        ({"since": LATER_TEXT}, 0),
        ({"until": NOON_TEXT}, 0),
        ({"since": NOON_TEXT, "until": LATER_TEXT, "state": "dead"}, 1),
        ({"state": "delivered"}, 0),
        ({"url": f"{HOOK}?n=0"}, 1),
        ({"url": "HTTP://127.0.0.1:9001/hook?n=0"}, 1),
        ({"url": HOOK}, 0),
    ],
)
async def test_every_filter_counts(bench: Bench, body: dict[str, Any], matched: int) -> None:
    """What is pending never matches: it is sent anyway. A URL is found in whatever way it is written."""
    await dead_and_pending(bench)
    assert await replay(bench, **body, dry_run=True) == matched


@pytest.mark.parametrize("body", [{}, {"dry_run": True}, {"dry_run": False}])
async def test_a_replay_of_nothing_in_particular_is_refused_with_the_fix(
    bench: Bench, body: dict[str, Any]
) -> None:
    """Everything is never what was meant by an empty body; who means it can say so."""
    await dead_and_pending(bench)
    answer = await bench.http.post("/v1/deliveries/replay", json=body)
    assert pointers(answer) == [""]
    assert "since, until, state, url" in answer.json()["detail"]
    assert "1970-01-01T00:00:00Z" in answer.json()["detail"]
    assert await replay(bench, since="1970-01-01T00:00:00Z", dry_run=True) == 1


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"since": "yesterday"}, "/since", "2026-11-23T12:00:00Z"),
        ({"since": 1}, "/since", "instant"),
        ({"since": None}, "/since", "instant"),
        ({"until": "2026-02-30T00:00:00Z"}, "/until", "instant"),
        ({"since": NOON_TEXT, "until": NOON_TEXT}, "/until", "later"),
        ({"state": "ded"}, "/state", "did you mean dead"),
        ({"state": "pending"}, "/state", "resume their endpoint"),
        ({"state": ["dead"]}, "/state", "string"),
        ({"url": "hook"}, "/url", ""),
        ({"url": 3}, "/url", "string"),
        ({"state": "dead", "dry_run": 1}, "/dry_run", "true or false"),
        ({"state": "dead", "dryrun": True}, "/dryrun", "did you mean dry_run"),
        ([], "", "object"),
    ],
)
async def test_bad_orders_are_refused_where_they_are_bad(
    bench: Bench, body: Any, pointer: str, hint: str
) -> None:
    answer = await bench.http.post("/v1/deliveries/replay", json=body)
    assert pointers(answer)[0] == pointer
    assert hint in answer.json()["errors"][0]["detail"]
    assert bench.wake.replays == 0


async def test_one_replay_too_many_is_refused_and_told_when_to_come_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is kept."""
    await dead_and_pending(bench)
    monkeypatch.setattr(bulk, "MAX_BULK_CHANGES", 2)
    for _ in range(2):
        await replay(bench, state="dead")
    answer = await bench.http.post("/v1/deliveries/replay", json={"state": "dead"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_replays")
    assert answer.headers["retry-after"] == "60"
    assert bench.wake.replays == 2


async def test_a_replay_without_a_body_is_not_json(bench: Bench) -> None:
    answer = await bench.http.post("/v1/deliveries/replay")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")

"""The calls on endpoints: how each stands in words, pause and resume."""

from typing import Any

import pytest

from notifier.core.causes.cause import EndpointSubject
from notifier.core.delivery.decision import AttemptDecision, GiveUp, Retry
from notifier.core.delivery.endpoint import AttemptFailed, AttemptResult, FailureScope
from notifier.core.model import Attempt
from notifier.store.values import Lease
from tests.api.conftest import HOOK, LEASE_MS, Bench, pointers
from tests.builders import DOWN, MINUTE, answered

NOON_TEXT = "2026-11-23T12:00:00.000Z"
GONE = AttemptFailed(FailureScope.GONE, answered(410), None, MINUTE)


async def fail(
    bench: Bench, report: AttemptResult, times: int = 1, sequel: AttemptDecision | None = None
) -> None:
    """Have what is due tried and refused so often."""
    now = bench.clock.now()
    sequel = sequel or Retry(now)
    lease = Lease("test", now + LEASE_MS)
    for _ in range(times):
        claimed = await bench.store.claim_deliveries(now=now, limit=1, lease=lease, busy={}, per_origin=9)
        (dispatch,) = claimed.deliveries
        attempt = Attempt(dispatch.number, now, 12, 503, "HTTP 503", None)
        assert await bench.store.record_attempt(dispatch, lease, attempt, sequel, report, now=now)


async def waiting(bench: Bench, *urls: str) -> None:
    """Have a delivery pending for each URL."""
    for n, url in enumerate(urls or [HOOK]):
        await bench.end((await bench.register(f"task-{n}", callback_url=url))["id"])


async def listed(bench: Bench, **query: Any) -> list[dict[str, Any]]:
    answer = await bench.http.get("/v1/endpoints", params=query)
    assert answer.status_code == 200, answer.text
    endpoints: list[dict[str, Any]] = answer.json()["endpoints"]
    return endpoints


async def test_an_endpoint_is_a_url_without_its_query_with_its_figures(bench: Bench) -> None:
    await waiting(bench, f"{HOOK}?n=1", f"{HOOK}?n=2")
    (endpoint,) = await listed(bench)
    endpoint_id = endpoint.pop("id")
    assert endpoint_id.startswith("ep_")
    assert endpoint == {
        "url": HOOK,
        "state": "open",
        "gate": "open, starting slowly",
        "cause": None,
        "since": None,
        "next_probe_at": None,
        "pending": 2,
        "delivered": 0,
        "dead": 0,
        "oldest_pending_at": NOON_TEXT,
    }


async def test_a_closed_gate_says_why_since_when_and_when_it_is_tried_next(bench: Bench) -> None:
    await waiting(bench)
    await fail(bench, DOWN, times=3)
    (endpoint,) = await listed(bench)
    assert (endpoint["state"], endpoint["gate"]) == ("closed", "closed: HTTP 503")
    fix = answered(503).fix(EndpointSubject(endpoint["id"], HOOK))
    assert endpoint["cause"] == {"code": "receiver_http_status", "fix": fix}
    assert f"`notifier endpoints resume {endpoint['id']}`" in fix
    assert (endpoint["since"], endpoint["next_probe_at"]) == (NOON_TEXT, "2026-11-23T12:00:05.000Z")


async def test_a_closed_gate_with_nothing_waiting_promises_no_probe(bench: Bench) -> None:
    """The time of a probe that nobody makes would be a date in the past."""
    await waiting(bench)
    await fail(bench, DOWN, times=3)
    bench.clock.advance(5_000)
    await fail(bench, DOWN, sequel=GiveUp("given up"))
    (endpoint,) = await listed(bench)
    assert (endpoint["state"], endpoint["pending"], endpoint["next_probe_at"]) == ("closed", 0, None)
    assert endpoint["gate"] == "closed, but nothing waits (the next callback is its probe): HTTP 503"
    assert endpoint["cause"] is None


@pytest.mark.fault(68)
async def test_410_parks_until_a_user_resumes(bench: Bench) -> None:
    """The account says that it is gone and what to do; no probe is announced."""
    await waiting(bench)
    await fail(bench, GONE)
    (endpoint,) = await listed(bench)
    assert endpoint["state"] == "gone"
    assert "410" in endpoint["gate"]
    assert endpoint["cause"]["code"] == "receiver_gone"
    assert endpoint["cause"]["fix"].startswith(f"`notifier endpoints resume {endpoint['id']}`")
    assert endpoint["next_probe_at"] is None
    resumed = await bench.http.post(f"/v1/endpoints/{endpoint['id']}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (200, "open")


async def test_pause_and_resume_answer_with_what_then_holds(bench: Bench) -> None:
    """Pausing rings nobody; resuming rings the deliverer. Each may be said twice."""
    await waiting(bench)
    (endpoint,) = await listed(bench)
    for _ in range(2):
        paused = await bench.http.post(f"/v1/endpoints/{endpoint['id']}/pause")
        assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    paused_one = (await listed(bench))[0]
    assert (paused_one["gate"], paused_one["cause"]["code"]) == ("paused by a user", "endpoint_paused")
    assert bench.wake.deliveries == 0
    for _ in range(2):
        resumed = await bench.http.post(f"/v1/endpoints/{endpoint['id']}/resume", json={})
        assert (resumed.status_code, resumed.json()["gate"]) == (200, "open, starting slowly")
    assert bench.wake.deliveries == 2


async def test_endpoints_come_in_pages(bench: Bench) -> None:
    await waiting(bench, *(f"{HOOK}/{n}" for n in range(3)))
    first = (await bench.http.get("/v1/endpoints", params={"limit": 2})).json()
    rest = (await bench.http.get("/v1/endpoints", params={"cursor": first["next_cursor"]})).json()
    assert [each["url"][-1] for each in first["endpoints"] + rest["endpoints"]] == ["2", "1", "0"]
    assert rest["next_cursor"] is None


async def test_bad_parameters_and_bodies_are_refused(bench: Bench) -> None:
    await waiting(bench)
    (endpoint,) = await listed(bench)
    for query, pointer in (({"limit": 0}, "/limit"), ({"cursor": "x"}, "/cursor"), ({"stat": "x"}, "/stat")):
        assert pointers(await bench.http.get("/v1/endpoints", params=query)) == [pointer]
    answer = await bench.http.post(f"/v1/endpoints/{endpoint['id']}/pause", json={"for": "1h"})
    assert pointers(answer) == ["/for"]


async def test_an_unknown_endpoint_is_404(bench: Bench) -> None:
    for endpoint_id in ("ep_" + "0" * 26, "x", "dlv_" + "0" * 26):
        for verb in ("pause", "resume"):
            answer = await bench.http.post(f"/v1/endpoints/{endpoint_id}/{verb}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert "GET /v1/endpoints" in answer.json()["detail"]


async def test_a_delivery_says_what_holds_it_back(bench: Bench) -> None:
    """In words, where one is asked for; what nothing holds back has no such field."""
    await waiting(bench)
    (endpoint,) = await listed(bench)
    (listed_one,) = (await bench.http.get("/v1/deliveries")).json()["deliveries"]
    path = f"/v1/deliveries/{listed_one['id']}"
    assert "held" not in (await bench.http.get(path)).json()
    await bench.http.post(f"/v1/endpoints/{endpoint['id']}/pause")
    assert (await bench.http.get(path)).json()["held"] == "paused by a user"

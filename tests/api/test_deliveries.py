"""The calls on deliveries, and on the daemon itself."""

import re
from dataclasses import replace

import pytest

from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.delivery.decision import AttemptDecision, GiveUp, Retry
from notifier.core.model import Attempt, Trouble
from notifier.store.values import Lease
from tests.api.conftest import HOOK, HOUR_MS, LEASE_MS, MULEROUTER, Bench, pointers
from tests.builders import MINUTE, ODD_STATUS, REFUSED, lease, wait
from tests.fakes import NOON
from tests.store.steps import claim


async def delivered(bench: Bench, count: int = 1) -> list[str]:
    """Deliveries of one watch that has ended, one for each callback."""
    callbacks = [{"url": f"{HOOK}?n={n}"} for n in range(count)]
    watch_id = (await bench.register(callback_url=..., callbacks=callbacks))["id"]
    await bench.end(watch_id)
    return [each["id"] for each in (await bench.see(watch_id))["deliveries"]]


async def die(bench: Bench, delivery_id: str, sequel: AttemptDecision | None = None) -> None:
    """Have the deliverer's only attempt refused, and given up, or what else is to follow."""
    lease = Lease("test", bench.clock.now() + LEASE_MS)
    claimed = await bench.store.claim_deliveries(
        now=bench.clock.now(), limit=500, lease=lease, busy={}, per_origin=500
    )
    dispatch = next(each for each in claimed.deliveries if each.delivery_id == delivery_id)
    attempt = Attempt(
        1, bench.clock.now(), 12, 500, "HTTP 500", "<h1>no</h1>", "http_5xx", "127.0.0.1:9001", 3, 11
    )
    assert await bench.store.record_attempt(
        dispatch, lease, attempt, sequel or GiveUp("no 2xx in 72h"), REFUSED, now=bench.clock.now()
    )


async def test_what_is_sent_can_be_read_as_it_is(bench: Bench) -> None:
    """The frozen bytes that a receiver gets, to the byte."""
    (delivery_id,) = await delivered(bench)
    lease = Lease("test", bench.clock.now() + LEASE_MS)
    claimed = await bench.store.claim_deliveries(
        now=bench.clock.now(), limit=1, lease=lease, busy={}, per_origin=1
    )
    answer = await bench.http.get(f"/v1/deliveries/{delivery_id}/body")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == claimed.deliveries[0].body


async def test_what_is_sent_says_when_its_result_was_dead_before(bench: Bench) -> None:
    """As its attempts say it: the first one comes after the expiry."""
    (delivery_id,) = await delivered(bench)
    now = bench.clock.advance(2 * HOUR_MS)
    lease = Lease("test", now + LEASE_MS)
    claimed = await bench.store.claim_deliveries(now=now, limit=1, lease=lease, busy={}, per_origin=1)
    answer = await bench.http.get(f"/v1/deliveries/{delivery_id}/body")
    assert answer.content == claimed.deliveries[0].body
    assert answer.json()["data"]["expired"] is True


async def test_there_is_no_body_of_an_unknown_delivery(bench: Bench) -> None:
    for delivery_id in ("dlv_01KAQ7W3G0ABCDEFGHJKMNPQRS", "nonsense"):
        assert (await bench.http.get(f"/v1/deliveries/{delivery_id}/body")).status_code == 404


async def test_one_delivery_shows_its_attempts(bench: Bench) -> None:
    (delivery_id,) = await delivered(bench)
    await die(bench, delivery_id)
    answer = await bench.http.get(f"/v1/deliveries/{delivery_id}")
    body = answer.json()
    assert (answer.status_code, body["state"], body["url"]) == (200, "dead", f"{HOOK}?n=0")
    assert re.fullmatch(r"evt_\w{26}", body["event_id"])
    assert body["attempts"] == [
        {
            "number": 1,
            "at": "2026-11-23T12:00:00.000Z",
            "duration_ms": 12,
            "status": 500,
            "error": "HTTP 500",
            "answer": "<h1>no</h1>",
            "fault": "http_5xx",
            "peer": "127.0.0.1:9001",
            "connect_ms": 3,
            "first_byte_ms": 11,
        }
    ]
    assert body["next_attempt_at"] is None
    assert body["ended_at"] == "2026-11-23T12:00:00.000Z"


async def test_redeliver_makes_it_pending_and_rings(bench: Bench) -> None:
    (delivery_id,) = await delivered(bench)
    await die(bench, delivery_id)
    bench.clock.advance(HOUR_MS)
    answer = await bench.http.post(f"/v1/deliveries/{delivery_id}/redeliver")
    body = answer.json()
    assert (answer.status_code, body["state"], body["attempts"]) == (202, "pending", 1)
    assert body["give_up_at"] == "2026-11-26T13:00:00.000Z"
    assert bench.wake.deliveries == 1


async def test_a_delivery_is_given_up_by_hand(bench: Bench) -> None:
    """It is dead with that reason; a second time changes nothing. It can be sent again all the same."""
    (delivery_id,) = await delivered(bench)
    for _ in range(2):
        answer = await bench.http.post(f"/v1/deliveries/{delivery_id}/give-up")
        body = answer.json()
        assert (answer.status_code, body["state"]) == (200, "dead")
        assert body["last_error"] == "given up by a user"
    again = await bench.http.post(f"/v1/deliveries/{delivery_id}/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    unknown = await bench.http.post(f"/v1/deliveries/dlv_{'0' * 26}/give-up")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_all_deliveries_of_an_endpoint_are_given_up_by_hand(bench: Bench) -> None:
    """Those that wait now; the answer says how many."""
    ids = await delivered(bench, 3)
    (endpoint,) = (await bench.http.get("/v1/endpoints")).json()["endpoints"]
    answer = await bench.http.post(f"/v1/endpoints/{endpoint['id']}/give-up")
    assert (answer.status_code, answer.json()) == (202, {"matched": 3})
    dead = (await bench.http.get("/v1/deliveries", params={"state": "dead"})).json()["deliveries"]
    assert {each["id"]: each["last_error"] for each in dead} == dict.fromkeys(ids, "given up by a user")
    unknown = await bench.http.post(f"/v1/endpoints/ep_{'0' * 26}/give-up")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_deliveries_come_in_pages_with_filters(bench: Bench) -> None:
    ids = await delivered(bench, 5)
    await die(bench, ids[0])
    page = (await bench.http.get("/v1/deliveries", params={"limit": 3, "state": "pending"})).json()
    rest = (
        await bench.http.get(
            "/v1/deliveries", params={"limit": 3, "state": "pending", "cursor": page["next_cursor"]}
        )
    ).json()
    found = [each["id"] for each in page["deliveries"] + rest["deliveries"]]
    assert sorted(found) == sorted(ids[1:])
    assert rest["next_cursor"] is None
    assert all(isinstance(each["attempts"], int) for each in page["deliveries"])
    dead = (await bench.http.get("/v1/deliveries", params={"state": "dead"})).json()["deliveries"]
    assert [(each["id"], each["last_error"] is not None) for each in dead] == [(ids[0], True)]
    # A URL is found in whatever way it is written.
    by_url = (await bench.http.get("/v1/deliveries", params={"url": "HTTP://127.0.0.1:9001/hook?n=2"})).json()
    assert [each["url"] for each in by_url["deliveries"]] == [f"{HOOK}?n=2"]
    of_watch = await bench.http.get("/v1/deliveries", params={"watch_id": dead[0]["watch_id"]})
    assert len(of_watch.json()["deliveries"]) == 5


async def test_bad_filters_of_deliveries_are_refused(bench: Bench) -> None:
    for query, pointer in (
        ({"state": "ded"}, "/state"),
        ({"watch_id": "x"}, "/watch_id"),
        ({"url": "hook"}, "/url"),
        ({"watch": "x"}, "/watch"),
    ):
        assert pointers(await bench.http.get("/v1/deliveries", params=query)) == [pointer]


async def test_an_unknown_delivery_is_404(bench: Bench) -> None:
    for delivery_id in ("dlv_" + "0" * 26, "x", "wch_" + "0" * 26):
        for method, rest in (("GET", ""), ("POST", "/redeliver")):
            answer = await bench.http.request(method, f"/v1/deliveries/{delivery_id}{rest}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_status_counts_everything(bench: Bench) -> None:
    ids = await delivered(bench, 2)
    await die(bench, ids[0])
    await bench.register("live")
    body = (await bench.http.get("/v1/status")).json()
    assert body == {
        "version": "0.1.0",
        "summary": "Needs a look: 1 delivery is dead. Else 1 task is being watched, 1 delivery waits.",
        "ok": False,
        "trouble": None,
        "cause": None,
        "watches": {
            "watching": 1,
            "completed": 1,
            "failed": 0,
            "cancelled": 0,
            "expired": 0,
            "lost": 0,
            "stopped": 0,
        },
        "deliveries": {"pending": 1, "delivered": 0, "dead": 1},
        "oldest_pending_at": "2026-11-23T12:00:00.000Z",
        "expiring_results": 0,
        "troubled_watches": 0,
        "refused_deliveries": 0,
        "providers": {"mulerouter": "ok"},
        "provider_causes": {},
        "paths": [],
        "more_paths": 0,
        "learned": [],
    }
    assert bench.clock.now() == NOON


async def test_status_counts_what_is_in_trouble_and_what_is_refused(bench: Bench) -> None:
    """At once in figures; in the summary when it lasts. Its provider may be well all the while."""
    (delivery_id,) = await delivered(bench)
    await die(bench, delivery_id, Retry(NOON + HOUR_MS, is_refusal=True))
    await bench.register("odd")
    odd = Trouble(ODD_STATUS, NOON)
    (watch,) = await claim(bench.store, NOON + MINUTE)
    assert await bench.store.record_wait(watch, lease(), wait(NOON + HOUR_MS, trouble=odd), now=NOON)
    for minutes, is_told in ((0, False), (1, True)):
        bench.clock.advance(minutes * MINUTE)
        body = (await bench.http.get("/v1/status")).json()
        assert (body["troubled_watches"], body["refused_deliveries"]) == (1, 1)
        assert ("1 watched task has been in trouble" in body["summary"]) is is_told
        assert "1 callback was refused and is tried again" in body["summary"]


async def test_status_warns_of_results_that_die_undelivered(bench: Bench) -> None:
    """From the last quarter of their life on; the bench's results live for an hour."""
    await delivered(bench, 2)
    for minutes, expected in ((44, 0), (1, 2), (30, 2)):
        bench.clock.advance(minutes * 60_000)
        assert (await bench.http.get("/v1/status")).json()["expiring_results"] == expected


async def test_alive_and_ready_are_two_things(bench: Bench) -> None:
    assert (await bench.http.get("/readyz")).json() == {"status": "ready"}
    bench.unready = Cause(Code.LOOP_STALLED, {"part": "poller", "seconds": 12})
    said = "the poller has not ticked for 12 s"
    answer = await bench.http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["detail"] == said
    assert (await bench.http.get("/healthz")).json() == {"status": "ok"}
    status = (await bench.http.get("/v1/status")).json()
    assert (status["trouble"], status["ok"]) == (said, False)
    assert status["cause"] == {"code": "loop_stalled", "fix": bench.unready.fix()}


async def test_a_provider_that_is_gone_is_told_of_as_long_as_watches_wait_for_it(bench: Bench) -> None:
    """Taken out of the configuration or renamed, it is why they do not go on."""
    watch = await bench.register()
    bench.configure(providers={"acme": MULEROUTER})
    bench.conditions["mulerouter"] = Condition(Cause(Code.PROVIDER_NOT_CONFIGURED))
    body = (await bench.http.get("/v1/status")).json()
    assert body["providers"] == {"acme": "ok", "mulerouter": "provider is not configured"}
    fix = "put the provider back into the configuration and reload, or stop its watches"
    assert body["provider_causes"] == {"mulerouter": {"code": "provider_not_configured", "fix": fix}}
    assert body["summary"].startswith("Needs a look: mulerouter: provider is not configured.")
    await bench.http.delete(f"/v1/watches/{watch['id']}")
    assert (await bench.http.get("/v1/status")).json()["providers"] == {"acme": "ok"}


async def test_a_reload_names_its_file_and_what_waits_for_a_restart(bench: Bench) -> None:
    """A change that does not hold yet looked as one that does; the log alone said so."""
    bench.settings = replace(bench.settings, source="/x/config.toml", needs_restart=("server.listen",))
    told = {"status": "reloaded", "file": "/x/config.toml", "needs_restart": ["server.listen"]}
    assert (await bench.http.post("/v1/reload")).json() == told


async def test_a_bad_reload_lists_all_faults(bench: Bench) -> None:
    assert (await bench.http.post("/v1/reload")).json() == {"status": "reloaded"}
    bench.faults = ("config.toml:3: server.listn: unknown key", "config.toml:9: log.level: not a level")
    answer = await bench.http.post("/v1/reload")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_configuration")
    assert [each["detail"] for each in answer.json()["errors"]] == list(bench.faults)
    assert bench.reloads == 2


@pytest.mark.threat(3)
async def test_nothing_with_an_effect_is_a_get(bench: Bench) -> None:
    """Row 3 of the threats: a link or an image in a page cannot change anything."""
    await bench.http.get("/v1/reload")
    await bench.http.head("/v1/reload")
    assert bench.reloads == 0

"""The calls on watches."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import msgspec
import pytest
from starlette.types import Message

from notifier.api import watches
from notifier.api.registration import read_batch
from notifier.api.schemas import WatchBody
from notifier.api.watches import YIELD_EVERY
from notifier.core.causes.cause import Condition
from notifier.core.formats.task_urls import TaskUrlTemplate
from notifier.core.model import WatchState
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.engine.waiters import WatchWaiters
from notifier.store.protocol import Store
from notifier.store.values import MAX_ROUNDS, WatchDetail
from tests.api.conftest import BASE, HOOK, HOUR_MS, MULEROUTER, PATH, Bench, make_app, pointers, registration
from tests.builders import KEY_REFUSED
from tests.fakes import NOON


async def test_a_new_watch_is_answered_with_201_and_its_place(bench: Bench) -> None:
    answer = await bench.http.post("/v1/watches", json=registration(metadata={"order": 42}))
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/v1/watches/{body['id']}"
    assert list(body) == [field.name for field in msgspec.structs.fields(WatchBody)]
    assert body == {
        "id": body["id"],
        "provider": "mulerouter",
        "api_path": PATH,
        "task_id": "task-1",
        "state": "watching",
        "upstream_status": None,
        "metadata": {"order": 42},
        "callbacks": [
            {
                "url": HOOK,
                "events": ["task.completed", "task.failed", "task.cancelled", "task.expired", "task.lost"],
            }
        ],
        "registered_at": "2026-11-23T12:00:00.000Z",
        "last_polled_at": None,
        "next_poll_at": "2026-11-23T12:00:02.500Z",
        "polls": 0,
        "expires_at": "2026-11-23T13:00:00.000Z",
        "trouble": None,
        "cause": None,
        "ended_at": None,
        "outputs": [],
        "result_expires_at": None,
        "payload": None,
        "payload_note": None,
        "error": None,
        "deliveries": [],
    }


async def test_the_poller_is_woken_for_a_new_watch(bench: Bench) -> None:
    await bench.register()
    assert bench.wake.polls == [NOON + 2_500]
    assert bench.wake.deliveries == 0


@pytest.mark.fault(4, 90)
async def test_a_known_task_is_the_same_watch_and_gains_the_callback(bench: Bench) -> None:
    """Asked again, with the same body or another, it is the first one's watch: nothing else of it changes."""
    first = await bench.register(metadata={"a": 1})
    answer = await bench.http.post(
        "/v1/watches", json=registration(callback_url=f"{HOOK}2", metadata={"b": 2}, expire_after="9h")
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body["id"] == first["id"]
    assert answer.headers["location"] == f"/v1/watches/{first['id']}"
    assert [each["url"] for each in body["callbacks"]] == [HOOK, f"{HOOK}2"]
    assert (body["metadata"], body["expires_at"]) == ({"a": 1}, first["expires_at"])


@pytest.mark.fault(89)
async def test_identical_registrations_at_once_make_one_watch(bench: Bench) -> None:
    """Row 89 of the fault matrix."""
    answers = await asyncio.gather(*(bench.http.post("/v1/watches", json=registration()) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_url_added_after_the_end_wakes_the_deliverer(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id)
    await bench.register(callback_url=f"{HOOK}2")
    assert bench.wake.deliveries == 1
    deliveries = (await bench.see(watch_id))["deliveries"]
    assert {each["url"] for each in deliveries} == {HOOK, f"{HOOK}2"}
    assert len({each["event_id"] for each in deliveries}) == 1


@pytest.mark.fault(94)
async def test_metadata_comes_back_to_the_byte(bench: Bench) -> None:
    """Numbers keep their writing, texts theirs: row 94."""
    text = '{"n": 1.0, "e": 1e2, "big": 18446744073709551615, "t": "\\u00e9 שלום 👩‍🚀 \\ud83d\\ude00"}'
    body = json.dumps(registration())[:-1] + f', "metadata": {text}}}'
    answer = await bench.http.post(
        "/v1/watches", content=body.encode(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 201
    assert f'"metadata":{text},'.encode() in answer.content
    page = await bench.http.get("/v1/watches")
    assert f'"metadata":{text},'.encode() in page.content


async def test_values_of_callback_headers_are_not_shown(bench: Bench) -> None:
    secret = "Bearer canary-0123456789"
    body = await bench.register(
        callback_url=..., callbacks=[{"url": HOOK, "events": ["task.failed"], "headers": {"X-Auth": secret}}]
    )
    assert body["callbacks"] == [{"url": HOOK, "events": ["task.failed"], "headers": {"X-Auth": "***"}}]
    detail = await bench.store.watch(body["id"])
    assert detail is not None
    assert detail.watch.callbacks[0].headers == (("X-Auth", secret),)


async def test_a_task_url_says_provider_path_and_id(bench: Bench) -> None:
    """As the provider's dialect has it: the id need not be the last word."""
    other = replace(
        MULEROUTER,
        place=TaskUrlTemplate("http://127.0.0.1:5/base", "{api_path}/requests/{task_id}/status"),
        expire_after_ms=60_000,
    )
    bench.configure(providers={"mulerouter": MULEROUTER, "other": other})
    answer = await bench.http.post(
        "/v1/watches",
        json={"task_url": "http://127.0.0.1:5/base/v1/images/requests/t-7/status", "callback_url": HOOK},
    )
    body = answer.json()
    assert (body["provider"], body["api_path"], body["task_id"]) == ("other", "/v1/images", "t-7")
    assert body["expires_at"] == "2026-11-23T12:01:00.000Z"


async def test_the_provider_may_be_left_out_when_there_is_one(bench: Bench) -> None:
    assert (await bench.register(provider=...))["provider"] == "mulerouter"
    bench.configure(providers={"mulerouter": MULEROUTER, "other": MULEROUTER})
    refused = await bench.http.post("/v1/watches", json=registration("t", provider=...))
    assert "there are several: mulerouter, other" in refused.json()["detail"]
    assert pointers(refused) == ["/provider"]


@pytest.mark.parametrize(
    ("expire_after", "until"),
    [("30m", "12:30:00.000"), (90, "12:01:30.000"), (0.05, "12:00:00.050"), ("1h30m", "13:30:00.000")],
)
async def test_expire_after_is_text_or_seconds(bench: Bench, expire_after: object, until: str) -> None:
    assert (await bench.register(expire_after=expire_after))["expires_at"] == f"2026-11-23T{until}Z"


@pytest.mark.fault(98)
@pytest.mark.threat(16)
async def test_too_many_live_watches_are_refused_for_a_while(bench: Bench) -> None:
    """503 with Retry-After: the client is told to come back."""
    bench.configure(max_watches=1)
    await bench.register("one")
    answer = await bench.http.post("/v1/watches", json=registration("two"))
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_watches")
    assert int(answer.headers["retry-after"]) > 0
    assert (await bench.http.post("/v1/watches", json=registration("one"))).status_code == 200


async def test_a_known_task_gains_no_callbacks_without_limit(bench: Bench) -> None:
    """The refusal points at what was given, and nothing of it is kept."""
    full = [{"url": f"{HOOK}/{n}"} for n in range(16)]
    watch_id = (await bench.register(callback_url=..., callbacks=full))["id"]
    answer = await bench.http.post("/v1/watches", json=registration())
    assert (answer.json()["code"], pointers(answer)) == ("too_many_callbacks", ["/callback_url"])
    assert "17" in answer.json()["detail"]
    one = registration(callback_url=..., callbacks=[{"url": HOOK}])
    assert pointers(await bench.http.post("/v1/watches", json=one)) == ["/callbacks"]
    batch = {"watches": [{"bad": 1}, one, registration("other"), registration()]}
    results = (await bench.http.post("/v1/watches/batch", json=batch)).json()["results"]
    assert [each["status"] for each in results] == [422, 422, 201, 422]
    assert [results[n]["problem"]["errors"][0]["pointer"] for n in (1, 3)] == ["/callbacks", "/callback_url"]
    assert results[1]["problem"]["code"] == "too_many_callbacks"
    assert len((await bench.see(watch_id))["callbacks"]) == 16
    assert (
        await bench.http.post("/v1/watches", json=registration(callback_url=f"{HOOK}/3"))
    ).status_code == 200


async def test_a_batch_answers_each_entry_in_order(bench: Bench) -> None:
    await bench.register("known")
    bench.configure(max_watches=2)
    entries = [registration("new"), registration("known"), {"taskid": 1}, registration("beyond"), 7]
    answer = await bench.http.post("/v1/watches/batch", json={"watches": entries})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [201, 200, 422, 503, 422]
    assert [each["watch"]["task_id"] for each in results[:2]] == ["new", "known"]
    assert results[2]["problem"]["errors"][0] == {
        "pointer": "/taskid",
        "detail": "unknown field; did you mean task_id?",
    }
    assert results[3]["problem"]["code"] == "too_many_watches"
    assert all(("watch" in each) != ("problem" in each) for each in results)


async def test_an_entry_that_is_refused_as_json_hurts_no_other(bench: Bench) -> None:
    good = json.dumps(registration("good"))
    bad = [
        '{"task_id": "a", "task_id": "b"}',
        '{"metadata": {"t": "\\ud800"}}',
        '{"metadata": {"t": "\\u0000"}}',
        '{"metadata": {"n": 1e999}}',
        '{"metadata": {"n": 1180591620717411303424}}',
    ]
    body = '{"watches": [' + ",".join([*bad, good]) + "]}"
    answer = await bench.http.post(
        "/v1/watches/batch", content=body.encode(), headers={"content-type": "application/json"}
    )
    assert [each["status"] for each in answer.json()["results"]] == [422] * len(bad) + [201]


@pytest.mark.parametrize(
    "body",
    [
        '{"watches": [{"metadata": {"t": "\\ud800"}}], "watches": []}',
        '{"watches": [{"metadata": {"t": "\\ud800"}}], "more": 1}',
        '{"watches": {}}',
        '{"watches": {"0": {"t": "\\u0000"}}}',
        '{"watches": {"0": [' + json.dumps(registration()) + ', "\\u0000"]}}',
        '{"watch": []}',
        "[]",
        "{}",
        '{"watches": [' + ",".join(["1"] * 1001) + "]}",
    ],
)
async def test_a_batch_that_is_none_is_refused_whole(bench: Bench, body: str) -> None:
    answer = await bench.http.post(
        "/v1/watches/batch", content=body.encode(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert (await bench.http.get("/v1/watches")).json()["watches"] == []


async def test_a_thousand_at_once_are_taken(bench: Bench) -> None:
    answer = await bench.http.post(
        "/v1/watches/batch", json={"watches": [registration(f"t{n}") for n in range(1000)]}
    )
    assert {each["status"] for each in answer.json()["results"]} == {201}
    assert bench.wake.polls == [NOON + 2_500]


async def test_an_entry_too_large_alone_is_too_large_in_a_batch(bench: Bench) -> None:
    """Each entry stands alone, with the limit of one: the others are taken."""
    large = registration("large", metadata={"a": "x" * 256 * 1024})
    answer = await bench.http.post("/v1/watches/batch", json={"watches": [registration(), large]})
    first, second = answer.json()["results"]
    assert (first["status"], second["status"]) == (201, 413)
    assert second["problem"]["code"] == "payload_too_large"


async def test_others_have_their_turn_while_the_brackets_of_a_batch_are_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking 4 MiB of JSON apart takes a second; it is done beside the loop."""
    has_turned = threading.Event()

    def read_when_turned(body: bytes) -> list[bytes]:
        assert has_turned.wait(10), "the loop stood still"
        return read_batch(body)

    monkeypatch.setattr(watches, "read_batch", read_when_turned)
    asking = asyncio.create_task(bench.http.post("/v1/watches/batch", json={"watches": [registration()]}))
    for _ in range(100):
        await asyncio.sleep(0)
    has_turned.set()
    assert (await asking).json()["results"][0]["status"] == 201


async def test_others_have_their_turn_while_a_batch_is_read(bench: Bench) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    await bench.http.post("/v1/watches/batch", json={"watches": [1] * 1_000})
    running.cancel()
    assert turns > 1_000 / YIELD_EVERY


async def test_pages_go_on_where_the_last_one_ended(bench: Bench) -> None:
    for n in range(5):
        bench.clock.advance(1)
        await bench.register(f"t{n}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (
            await bench.http.get("/v1/watches", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        seen += [each["task_id"] for each in page["watches"]]
        cursor = page["next_cursor"]
    assert seen == ["t4", "t3", "t2", "t1", "t0"]


async def test_pages_are_filtered(bench: Bench) -> None:
    kept, ended = await bench.register("kept"), await bench.register("ended")
    await bench.end(ended["id"])
    for query, ids in (
        ({"state": "completed"}, [ended["id"]]),
        ({"state": "watching"}, [kept["id"]]),
        ({"task_id": "kept"}, [kept["id"]]),
        ({"provider": "nobody"}, []),
        ({"provider": "mulerouter", "state": "lost"}, []),
    ):
        page = (await bench.http.get("/v1/watches", params=query)).json()
        assert [each["id"] for each in page["watches"]] == ids
        assert page["next_cursor"] is None
        assert all(each["payload"] is None and each["deliveries"] == [] for each in page["watches"])


@pytest.mark.fault(96)
async def test_a_foreign_or_changed_cursor_is_refused(bench: Bench) -> None:
    """Row 96: a cursor is for the filters it was given out for."""
    for n in range(3):
        await bench.register(f"t{n}")
    cursor = (await bench.http.get("/v1/watches", params={"limit": 1})).json()["next_cursor"]
    for query in (
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": "é"},
        {"cursor": cursor + "="},
        {"cursor": "A" + cursor[1:]},
        {"cursor": cursor, "state": "watching"},
    ):
        assert pointers(await bench.http.get("/v1/watches", params=query)) == ["/cursor"]
    assert pointers(await bench.http.get("/v1/deliveries", params={"cursor": cursor})) == ["/cursor"]
    assert (await bench.http.get("/v1/watches", params={"cursor": cursor, "limit": 2})).status_code == 200


@pytest.mark.threat(16)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=501", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=1e2", "/limit"),
        ("limit=٣", "/limit"),
        ("limit=" + "9" * 5000, "/limit"),
        ("state=done", "/state"),
        ("task_id=..%2Fx", "/task_id"),
        ("task_id=%00", "/task_id"),
        ("provider=", "/provider"),
        ("provider=a%00b", "/provider"),
        ("stat=watching", "/stat"),
        ("limit=1&limit=1", "/limit"),
        ("limit=%ff", ""),
        ("&".join("a" for _ in range(100)), ""),
    ],
)
async def test_parameters_out_of_range_are_refused(bench: Bench, query: str, pointer: str) -> None:
    """A page has at most 500."""
    assert pointer in pointers(await bench.http.get(f"/v1/watches?{query}"))


async def test_an_unknown_parameter_names_the_nearest(bench: Bench) -> None:
    answer = await bench.http.get("/v1/watches?stat=watching")
    assert answer.json()["errors"] == [
        {"pointer": "/stat", "detail": "unknown parameter; did you mean state?"}
    ]
    answer = await bench.http.get("/v1/watches?state=complete")
    assert "did you mean completed?" in answer.text


async def test_an_ended_watch_shows_the_note_on_its_payload(bench: Bench) -> None:
    """One watch has it beside the payload; lists have neither."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, payload=None, notes=(PayloadNote(NoteCode.PAYLOAD_TOO_DEEP, {"limit": 500}),))
    body = await bench.see(watch_id)
    text = "payload left out: nested deeper than 500 levels"
    assert (body["payload"], body["payload_note"]) == (None, text)
    page = (await bench.http.get("/v1/watches")).json()
    assert page["watches"][0]["payload_note"] is None


async def test_an_ended_watch_shows_payload_outputs_and_deliveries(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, payload='{"task_info": {"n": 1.0}}')
    answer = await bench.http.get(f"/v1/watches/{watch_id}")
    assert b'"payload":{"task_info": {"n": 1.0}},' in answer.content
    body = answer.json()
    assert (body["state"], body["next_poll_at"], body["polls"]) == ("completed", None, 1)
    assert body["outputs"] == ["https://x/1.jpg"]
    (delivery,) = body["deliveries"]
    assert (delivery["state"], delivery["url"], delivery["attempts"]) == ("pending", HOOK, 0)
    assert delivery["type"] == "task.completed"


async def test_a_failed_watch_shows_the_providers_error(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, WatchState.FAILED)
    body = await bench.see(watch_id)
    assert body["error"] == {"source": "provider", "code": 3001, "title": "Bad", "detail": "no"}


async def test_a_paused_provider_is_the_trouble_of_its_live_watches(bench: Bench) -> None:
    live, ended = (await bench.register("live"))["id"], (await bench.register("ended"))["id"]
    await bench.end(ended)
    said = "provider refuses the key (401) since 2026-11-23T11:00:00.000Z"
    fix = "check MULEROUTER_API_KEY, then reload the daemon; for a variable restart it"
    cause = {"code": "provider_key_refused", "fix": fix}
    bench.conditions["mulerouter"] = Condition(KEY_REFUSED, NOON - HOUR_MS)
    troubled, done = await bench.see(live), await bench.see(ended)
    assert (troubled["trouble"], troubled["cause"]) == (said, cause)
    assert (done["trouble"], done["cause"]) == (None, None)
    status = (await bench.http.get("/v1/status")).json()
    assert status["providers"] == {"mulerouter": said}
    assert status["provider_causes"] == {"mulerouter": cause}


async def test_a_held_answer_goes_out_when_the_watch_ends(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    held = asyncio.create_task(bench.see(watch_id, wait="60s"))
    await _until_held(bench)
    assert not held.done()
    await bench.end(watch_id)
    assert (await held)["state"] == "completed"


async def test_a_held_answer_goes_out_when_the_watch_is_stopped(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    held = asyncio.create_task(bench.see(watch_id, wait="60s"))
    await _until_held(bench)
    await bench.http.delete(f"/v1/watches/{watch_id}")
    assert (await held)["state"] == "stopped"


async def test_a_held_answer_goes_out_when_the_time_is_over(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    assert (await bench.see(watch_id, wait="50ms"))["state"] == "watching"
    assert bench.waiters._waiting == {}


class EndsMeanwhile:
    """A store in which the watch ends just after it was read for the first time, and nobody waited yet."""

    def __init__(self, waiters: WatchWaiters, detail: WatchDetail) -> None:
        self._waiters = waiters
        self._detail = detail
        self._is_read = False

    async def watch(self, watch_id: str) -> WatchDetail | None:
        if not self._is_read:
            self._is_read = True
            asyncio.get_running_loop().call_soon(self._end, watch_id)
        return self._detail

    def _end(self, watch_id: str) -> None:
        self._detail = replace(self._detail, watch=replace(self._detail.watch, state=WatchState.STOPPED))
        self._waiters.wake(watch_id)


async def test_an_end_between_reading_and_waiting_is_heard(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    detail = await bench.store.watch(watch_id)
    assert detail is not None
    store = cast("Store", EndsMeanwhile(bench.waiters, detail))
    http = bench.client(make_app(replace(bench.services, store=store)))
    async with asyncio.timeout(20):  # not the 60 s of the wait
        answer = await http.get(f"/v1/watches/{watch_id}", params={"wait": "60s"})
    assert answer.json()["state"] == "stopped"


async def test_an_ended_watch_is_not_held(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id)
    assert (await bench.see(watch_id, wait="60s"))["state"] == "completed"


async def test_nothing_is_held_for_a_client_that_went_away(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/v1/watches/{watch_id}",
        "query_string": b"wait=60s",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
    }
    messages: Iterator[Message] = iter([{"type": "http.request"}, {"type": "http.disconnect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    await bench.app(scope, receive, send)
    assert bench.waiters._waiting == {}


@pytest.mark.parametrize("wait", ["61s", "60.001", "soon", "-1", "1e3", "nan", "", "1h", "49ms"])
async def test_a_wait_out_of_range_is_refused(bench: Bench, wait: str) -> None:
    watch_id = (await bench.register())["id"]
    assert pointers(await bench.http.get(f"/v1/watches/{watch_id}", params={"wait": wait})) == ["/wait"]


@pytest.mark.parametrize("wait", ["0", "0.05", "50ms", "0s"])
async def test_a_wait_is_text_or_seconds(bench: Bench, wait: str) -> None:
    watch_id = (await bench.register())["id"]
    assert (await bench.see(watch_id, wait=wait))["state"] == "watching"


async def test_poll_makes_it_due_and_rings(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    answer = await bench.http.post(f"/v1/watches/{watch_id}/poll")
    assert (answer.status_code, answer.json()["next_poll_at"]) == (202, "2026-11-23T12:00:00.000Z")
    assert bench.wake.polls[-1] == NOON


async def test_a_stopped_watch_stays_stopped_and_can_be_resumed(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    for _ in range(2):
        answer = await bench.http.delete(f"/v1/watches/{watch_id}")
        assert (answer.status_code, answer.json()["state"]) == (200, "stopped")
    bench.clock.advance(1_000)
    answer = await bench.http.post(f"/v1/watches/{watch_id}/resume", json={"expire_after": "2h"})
    assert (answer.status_code, answer.json()["state"]) == (200, "watching")
    assert answer.json()["expires_at"] == "2026-11-23T14:00:01.000Z"
    assert bench.wake.polls[-1] == NOON + 1_000


async def test_resume_without_a_body_goes_on_for_the_providers_time(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.http.delete(f"/v1/watches/{watch_id}")
    answer = await bench.http.post(f"/v1/watches/{watch_id}/resume")
    assert answer.json()["expires_at"] == "2026-11-23T13:00:00.000Z"


@pytest.mark.fault(142)
async def test_a_watch_with_all_its_rounds_is_409(bench: Bench) -> None:
    """The problem says how many, and where the outcome is to be had."""
    watch_id = (await bench.register())["id"]
    for status in [200] * (MAX_ROUNDS - 1) + [409]:
        await bench.http.delete(f"/v1/watches/{watch_id}")
        answer = await bench.http.post(f"/v1/watches/{watch_id}/resume")
        assert answer.status_code == status
    assert "20 rounds, which is the limit" in answer.json()["detail"]


async def test_what_the_state_does_not_allow_is_409(bench: Bench) -> None:
    live, ended = (await bench.register("live"))["id"], (await bench.register("ended"))["id"]
    await bench.end(ended)
    answers = [
        await bench.http.post(f"/v1/watches/{live}/resume"),
        await bench.http.post(f"/v1/watches/{ended}/resume"),
        await bench.http.post(f"/v1/watches/{ended}/poll"),
        await bench.http.delete(f"/v1/watches/{ended}"),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "conflict")] * 4
    stands = ["is being watched", *["has completed"] * 3]
    told = [each.json()["detail"].partition(";")[0] for each in answers]
    ids = [live, *[ended] * 3]
    assert told == [f"{watch_id} {state}" for watch_id, state in zip(ids, stands, strict=True)]
    bench.configure(providers={})
    await bench.http.delete(f"/v1/watches/{live}")
    assert (await bench.http.post(f"/v1/watches/{live}/resume")).status_code == 409


@pytest.mark.parametrize("watch_id", ["wch_0", "x", "wch_" + "0" * 26, "wch_%00", "%2e%2e", "wch_%0a", "%ff"])
async def test_an_unknown_id_is_404(bench: Bench, watch_id: str) -> None:
    calls = [("GET", ""), ("DELETE", ""), ("POST", "/poll"), ("POST", "/resume")]
    for method, rest in calls:
        answer = await bench.http.request(method, f"http://127.0.0.1:8484/v1/watches/{watch_id}{rest}")
        assert (answer.status_code, answer.json()["code"]) in ((404, "not_found"), (404, "no_such_route"))


async def test_the_deadline_of_a_delivery_is_counted_from_the_settings(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id)
    bench.configure(give_up_after_ms=2 * HOUR_MS)
    await bench.register(callback_url=f"{HOOK}2")
    ends = {each["url"]: each["give_up_at"] for each in (await bench.see(watch_id))["deliveries"]}
    assert ends[f"{HOOK}2"] == "2026-11-23T14:00:00.000Z"


@pytest.mark.threat(8, 9)
async def test_no_field_changes_the_host_that_a_key_goes_to(bench: Bench) -> None:
    """Rows 8 and 9 of the threats: only configured base URLs, and paths that stay below them."""
    for url in (
        "https://api.mulerouter.ai.evil/v1/t",
        "https://api.mulerouter.ai@evil/v1/t",
        "https://evil/https://api.mulerouter.ai/v1/t",
        "http://api.mulerouter.ai/v1/t",
        "https://api.mulerouter.ai:444/v1/t",
        f"{BASE}/../x/t",
        f"{BASE}/v1/%2e%2e/t",
        f"{BASE}/v1/t?x=1",
        f"{BASE}/v1/t#x",
        f"{BASE}//evil/t",
        BASE,
        f"{BASE}/t",
    ):
        answer = await bench.http.post("/v1/watches", json={"task_url": url, "callback_url": HOOK})
        assert pointers(answer) == ["/task_url"], url


async def _until_held(bench: Bench) -> None:
    async with asyncio.timeout(10):
        while not bench.waiters._waiting:
            await asyncio.sleep(0)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(("given", "kept"), [(TRACE, TRACE), ("nonsense", None), (None, None)])
async def test_a_registration_is_kept_with_the_trace_of_its_request(
    bench: Bench, given: str | None, kept: str | None
) -> None:
    """For one as for many; what is no valid traceparent is ignored, as the W3C asks."""
    headers = {} if given is None else {"traceparent": given}
    one = await bench.http.post("/v1/watches", json=registration("a"), headers=headers)
    many = await bench.http.post("/v1/watches/batch", json={"watches": [registration("b")]}, headers=headers)
    for watch_id in (one.json()["id"], many.json()["results"][0]["watch"]["id"]):
        detail = await bench.store.watch(watch_id)
        assert detail is not None
        assert detail.watch.traceparent == kept


async def test_the_timeline_tells_what_happened_in_order(bench: Bench) -> None:
    """Registered, polled, decided, sent: each with its time, kind and reason."""
    watch_id = (await bench.register())["id"]
    bench.clock.advance(1_000)
    await bench.end(watch_id)
    body = (await bench.http.get(f"/v1/watches/{watch_id}/timeline")).json()
    assert [each["kind"] for each in body["timeline"]] == ["registered", "poll", "decision", "delivery"]
    assert all(list(each)[:3] == ["at", "kind", "text"] for each in body["timeline"])
    assert body["timeline"][2]["text"].startswith("task.completed: 1 output")


async def test_the_timeline_of_no_watch_is_not_found(bench: Bench) -> None:
    for watch_id in ("wch_01KAQ7W3G0ABCDEFGHJKMNPQRS", "x"):
        assert (await bench.http.get(f"/v1/watches/{watch_id}/timeline")).status_code == 404

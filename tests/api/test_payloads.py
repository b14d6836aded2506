"""The payload of a watch on its own, and lists that stay small whatever stands in them."""

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from notifier.api.downloads import MAX_DOWNLOADS, PayloadDownloads, PayloadResponse
from notifier.core.model import WatchState
from notifier.server.problems import ProblemError
from notifier.store.values import MAX_PAGE_BYTES
from tests.api.conftest import Bench, registration

PAYLOAD = '{"task_info": {"n": 1.0, "s": "\\u00e9 ☃"}, "images": []}'
MiB = 1 << 20


@pytest.mark.fault(112)
@pytest.mark.parametrize("max_payload", [1, 1_000])
async def test_the_payload_is_returned_to_the_byte_whether_the_callback_has_it_or_not(
    bench: Bench, max_payload: int
) -> None:
    """It is the provider's last reply, as JSON."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, payload=PAYLOAD, max_payload=max_payload)
    answer = await bench.http.get(f"/v1/watches/{watch_id}/payload")
    assert (answer.status_code, answer.content) == (200, PAYLOAD.encode())
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.fault(112)
async def test_a_watch_whose_payload_was_left_out_says_where_it_is(bench: Bench) -> None:
    """Its own body is as small as the callback; so is the body of its delivery."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, payload=PAYLOAD, max_payload=1)
    body = await bench.see(watch_id)
    assert body["payload"] is None
    assert f"GET /v1/watches/{watch_id}/payload returns it" in body["payload_note"]
    sent = (await bench.http.get(f"/v1/deliveries/{body['deliveries'][0]['id']}/body")).json()["data"]
    assert (sent["payload"], sent["payload_note"]) == (None, body["payload_note"])


@pytest.mark.parametrize("watch_id", ["wch_1", "wch_01M7DW9Q0054E6X5JBS8E0JH1C", "x"])
async def test_an_unknown_watch_has_no_payload(bench: Bench, watch_id: str) -> None:
    answer = await bench.http.get(f"/v1/watches/{watch_id}/payload")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_live_and_an_expired_watch_have_no_payload(bench: Bench) -> None:
    live, expired = (await bench.register("live"))["id"], (await bench.register("expired"))["id"]
    await bench.end(expired, WatchState.EXPIRED, payload=PAYLOAD)
    for watch_id in (live, expired):
        assert (await bench.http.get(f"/v1/watches/{watch_id}/payload")).status_code == 404


@pytest.mark.fault(111)
async def test_few_payloads_are_in_memory_at_once(bench: Bench) -> None:
    """The next is refused until one is sent, or its client is gone."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, payload=PAYLOAD)
    downloads = bench.services.downloads
    with downloads.start():
        for _ in range(MAX_DOWNLOADS + 1):  # one after the other they are all sent
            assert (await bench.http.get(f"/v1/watches/{watch_id}/payload")).status_code == 200
            assert (await bench.http.get("/v1/watches/wch_1/payload")).status_code == 404
        with downloads.start():
            answer = await bench.http.get(f"/v1/watches/{watch_id}/payload")
            assert (answer.status_code, answer.json()["code"]) == (503, "busy")
            assert answer.headers["retry-after"] == "1"


async def test_a_client_that_disconnects_frees_its_place() -> None:
    downloads, stack = PayloadDownloads(), ExitStack()
    for _ in range(MAX_DOWNLOADS):
        stack.enter_context(downloads.start())

    async def send(_message: Any) -> None:
        raise ConnectionResetError

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(ProblemError), downloads.start():
        pass
    with pytest.raises(ConnectionResetError):
        await PayloadResponse(b"{}", stack)({"type": "http"}, receive, send)
    with downloads.start():
        pass


@pytest.mark.fault(113)
async def test_a_list_of_large_watches_goes_on_in_the_next_page(bench: Bench) -> None:
    """No page is much larger than the limit, and all watches are listed."""
    for number in range(7):
        watch_id = (await bench.register(f"t{number}"))["id"]
        await bench.end(watch_id, outputs=("u" * MiB,))
        bench.clock.advance(1)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await bench.http.get(
            "/v1/watches", params={"limit": 500} | ({"cursor": cursor} if cursor else {})
        )
        assert len(answer.content) < MAX_PAGE_BYTES + 2 * MiB
        seen += [each["task_id"] for each in answer.json()["watches"]]
        cursor = answer.json()["next_cursor"]
    assert seen == [f"t{number}" for number in reversed(range(7))]


@pytest.mark.fault(113)
async def test_a_batch_of_large_known_watches_says_whose_outputs_it_left_out(bench: Bench) -> None:
    """The watches are all there; `GET /v1/watches/{id}` has the outputs."""
    for number in range(5):
        await bench.end((await bench.register(f"t{number}"))["id"], outputs=("u" * MiB,))
    entries = [registration(f"t{number}") for number in range(5)]
    answer = await bench.http.post("/v1/watches/batch", json={"watches": entries})
    watches = [result["watch"] for result in answer.json()["results"]]
    assert [len(watch["outputs"]) for watch in watches] == [1, 1, 1, 0, 0]
    assert [watch["payload_note"] is not None for watch in watches] == [False] * 3 + [True] * 2
    assert "GET /v1/watches/{id} returns them" in watches[4]["payload_note"]

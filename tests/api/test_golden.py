"""The API's description and the texts of the pages are what they were."""

import json

from notifier.core.causes.cause import Condition
from notifier.core.delivery.decision import GiveUp
from notifier.core.model import Attempt, WatchState
from notifier.store.values import Lease
from tests.api.conftest import LEASE_MS, Bench
from tests.api.test_pages import BROWSER, Seen
from tests.builders import KEY_REFUSED, REFUSED
from tests.fakes import NOON
from tests.golden import check


async def test_the_description_of_the_api(bench: Bench) -> None:
    """``openapi.json`` is what programs are generated from."""
    document = (await bench.http.get("/openapi.json")).json()
    check("openapi.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")


async def test_the_texts_of_the_pages(bench: Bench) -> None:
    """The overview, a watch and a delivery, as a browser without scripts shows them."""
    live, done, failed = [(await bench.register(f"task-{n}"))["id"] for n in range(3)]
    bench.clock.advance(60_000)
    await bench.end(done)
    bench.clock.advance(LEASE_MS + 1)
    await bench.end(failed, WatchState.FAILED, outputs=())
    now = bench.clock.now()
    lease = Lease("test", now + LEASE_MS)
    claimed = await bench.store.claim_deliveries(now=now, limit=9, per_origin=9, lease=lease, busy={})
    [first, *_] = claimed.deliveries
    attempt = Attempt(1, now, 12, 422, "HTTP 422", "no such order", failure="http_4xx")
    assert await bench.store.record_attempt(first, lease, attempt, GiveUp("HTTP 422"), REFUSED, now=now)
    bench.conditions["mulerouter"] = Condition(KEY_REFUSED, NOON + 30_000)
    paths = ["/", *(f"/watches/{each}" for each in (live, done, failed)), f"/deliveries/{first.delivery_id}"]
    texts = []
    for path in paths:
        answer = await bench.http.get(path, headers=BROWSER)
        lines = "\n".join(filter(None, map(str.strip, Seen(answer.text).texts)))
        texts.append(f"{path}\n{lines}\n")
    check("pages.txt", "\n".join(texts))

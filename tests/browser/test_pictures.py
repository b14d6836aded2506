"""Results as pictures: only when somebody wants to see one, and through the daemon alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from notifier.simulator.script import FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.web.labels import MAX_RESULTS, MORE_RESULTS
from tests.browser.png import written
from tests.browser.stage import Stage
from tests.e2e.daemon import API_PATH

pytestmark = pytest.mark.e2e

PNG = written(4, [b"\0\1\0\1", b"\1\0\1\0"], [(0, 0, 0), (200, 80, 20)])
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/x")</script></svg>'


@dataclass
class Store:
    """Where the provider keeps results: what is asked for there, and how."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["path"], headers))
        kind, body = (b"image/png", PNG) if scope["path"].endswith(".png") else (b"image/svg+xml", SVG)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def ended_with(stage: Stage, *names: str) -> AsyncIterator[tuple[Store, str]]:
    """A watch that has completed with results of these names; gives the store of them and its id."""
    store = Store()
    async with serve(store) as url:
        store.url = url
        info = {"id": "t-1", "status": "completed"}
        answer = msgspec.json.encode({"task_info": info, "images": [f"{url}/{name}" for name in names]})
        canned = FixedReply(200, {"content-type": "application/json"}, answer.decode())
        stage.upstream.add(API_PATH, TaskScript(first=(canned,)), "t-1")
        watch = await stage.daemon.register("t-1", stage.hook)
        yield store, watch["id"]


async def test_a_picture_is_fetched_by_the_daemon_and_only_on_a_click(stage: Stage) -> None:
    """The browser speaks with the daemon and with nobody else; what has been seen stays seen."""
    async with ended_with(stage, "a.png", "film.mp4") as (store, watch_id):
        page = await stage.page()
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        await page.goto(f"{stage.daemon.url}/watches/{watch_id}")
        await page.wait_for_selector("section[aria-label=Results] li:nth-child(2)")
        assert store.asked == []
        showing = page.get_by_role("button", name="show picture of result 1")
        assert await page.get_by_role("button", name="show picture of result 2").count() == 0
        await showing.click()
        await page.wait_for_selector("img[alt='Result 1 of task t-1']")
        assert await page.evaluate("document.querySelector('main img').naturalWidth") == 4
        ((path, headers),) = store.asked
        assert path == "/a.png"
        assert not {"cookie", "authorization", "referer", "origin", "sec-fetch-site"} & headers.keys()
        assert headers["user-agent"].startswith("notifier/")
        await page.wait_for_selector("section[aria-label=Deliveries] .delivered")
        await page.get_by_role("button", name="redeliver").click()
        await page.wait_for_selector("section[aria-label=Deliveries] td[data-head=Tries]:text-is('3')")
        assert await page.locator("main img").count() == 1
        assert len(store.asked) == 1
    assert hosts == {stage.daemon.url.split("/")[2]}


async def test_what_is_no_picture_is_said_in_its_place(stage: Stage) -> None:
    """An SVG runs scripts: it is not shown, whatever it is called."""
    async with ended_with(stage, "a.jpg") as (_, watch_id):
        page = await stage.page(f"/watches/{watch_id}")
        await page.get_by_role("button", name="show picture of result 1").click()
        await page.wait_for_selector(
            ".shown [role=status]:has-text('No picture: it is image/svg+xml, and only')"
        )
        assert await page.locator("main img").count() == 0


async def test_a_picture_can_be_seen_without_scripts(stage: Stage) -> None:
    """By a link, in a sandbox of its own."""
    async with ended_with(stage, "a.png") as (_, watch_id):
        live = await stage.page(f"/watches/{watch_id}")
        await live.wait_for_selector("section[aria-label=Results]")
        page = await stage.page(f"/watches/{watch_id}", java_script_enabled=False)
        path = await page.locator("text=show picture").get_attribute("href")
        answer = await page.context.request.get(f"{stage.daemon.url}{path}")
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        assert "sandbox" in answer.headers["content-security-policy"]


async def test_of_very_many_results_a_bounded_number_is_shown(stage: Stage) -> None:
    """The same as without scripts: so many links, and how many more there are."""
    async with ended_with(stage, *(f"{n}.mp4" for n in range(MAX_RESULTS + 7))) as (_, watch_id):
        page = await stage.page(f"/watches/{watch_id}")
        await page.wait_for_selector("h1[tabindex]")  # the scripts have made it
        await page.wait_for_selector(f".results li:has-text('{MORE_RESULTS.format(count=7)}')")
        assert await page.locator(".results li").count() == MAX_RESULTS + 1

"""What the page shows where answers are late, overtake each other, or are none."""

import asyncio

import httpx
import pytest
from playwright.async_api import Page, Route

from tests.browser.stage import Stage
from tests.e2e.daemon import _NO_TLS

pytestmark = pytest.mark.e2e

TWO_FRAMES = "new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(end)))"


class Held:
    """The first answer to a call comes when ``let_go`` is set; those after it as ever."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.is_asked = asyncio.Event()

    async def __call__(self, route: Route) -> None:
        if self.is_asked.is_set():
            await route.continue_()
            return
        self.is_asked.set()
        answer = await route.fetch()
        await self.let_go.wait()
        await route.fulfill(response=answer)


async def empty(stage: Stage) -> Page:
    """A page of the daemon's origin on which nothing has been read yet."""
    return await stage.page("/page/icon.svg")


async def test_a_filter_chosen_while_the_page_is_being_read_shows_its_list(stage: Stage) -> None:
    """The plots of the first reading are waited for, and neither missed nor lost."""
    page, plots = await empty(stage), Held()
    await page.route("**/v1/plots", plots)
    await page.goto(f"{stage.daemon.url}/")
    await plots.is_asked.wait()
    async with page.expect_response("**/v1/watches?*state=completed*"):
        await page.click("nav a.completed")
    await page.wait_for_load_state()
    await page.evaluate(TWO_FRAMES)
    await asyncio.sleep(0.5)  # nothing is drawn from half of what is read, however long it takes
    plots.let_go.set()
    await page.wait_for_selector("[data-key=tile-watches-completed][aria-current=true]")
    await page.wait_for_selector("[data-plot=notice] .picture svg")


async def test_a_reading_that_failed_is_made_again(stage: Stage) -> None:
    """The stream is whole, so nothing else would ever cause one; then it says again that it is live."""
    page = await empty(stage)
    failures = iter([503])

    async def fail_once(route: Route) -> None:
        status = next(failures, None)
        await (route.continue_() if status is None else route.fulfill(status=status, body="{}"))

    await page.route("**/v1/status", fail_once)
    await page.goto(f"{stage.daemon.url}/")
    await page.wait_for_selector("#connection.cut:has-text('HTTP 503')")
    await page.wait_for_selector("[data-key=tile-watches-all]")
    await page.wait_for_selector("#connection.live")


async def test_what_was_counted_is_not_sent_when_the_form_has_changed_since(stage: Stage) -> None:
    """Also where the count is still on its way."""
    await stage.task(0.1)
    page, count = await stage.page(), Held()
    await page.wait_for_selector("[data-key=tile-deliveries-delivered]:has-text('1 delivered')")
    await page.route("**/v1/deliveries/replay", count)
    await page.click("summary:has-text('Replay many')")
    await page.select_option("#replay-state", "delivered")
    await page.click("[data-key=replay-count]")
    await count.is_asked.wait()
    await page.select_option("#replay-state", "dead")
    async with page.expect_response("**/v1/deliveries/replay"):
        count.let_go.set()
    await page.evaluate(TWO_FRAMES)
    assert await page.locator("[data-key=replay-send]").is_disabled()
    await page.click("[data-key=replay-count]")
    await page.wait_for_selector(".replay p:has-text('0 deliveries match')")


async def test_an_answer_that_was_overtaken_changes_nothing(stage: Stage) -> None:
    """What is shown of a watch is what was asked for last."""
    watch = await stage.task(600)
    page, late = await stage.page(f"/watches/{watch['id']}"), Held()
    await page.wait_for_selector("#connection.live")
    await page.wait_for_selector(".actions button")
    await page.route(f"**/v1/watches/{watch['id']}", late)
    await page.get_by_role("button", name="poll now").click()
    await late.is_asked.wait()
    async with httpx.AsyncClient(trust_env=False, verify=_NO_TLS, base_url=stage.daemon.url) as client:
        assert (await client.delete(f"/v1/watches/{watch['id']}")).status_code == 200
    await page.wait_for_selector("dd .state.stopped")
    late.let_go.set()
    await page.evaluate(TWO_FRAMES)
    await asyncio.sleep(0.5)
    assert await page.locator("dd .state").first.text_content() == "stopped"

"""The plots and the words of the page: the live page and the daemon's own say and draw the same."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page

from notifier.core.causes.failures import find_attempt_fix
from notifier.core.delivery.judge_attempt import classify_failure
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.text import describe_task_error
from tests.browser.stage import Stage

pytestmark = pytest.mark.e2e

PARTS = """(all) => all.map((each) => [each.tagName, each.textContent,
    [...each.attributes].map((given) => [given.name, given.value]).sort()])"""
FIGURES = ".plots figure"
SHIFTS = """() => new Promise((end) => {
    let sum = 0;
    new PerformanceObserver((seen) => { for (const each of seen.getEntries()) sum += each.value; })
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => end(sum), 300);
})"""


TOPS = """() => Object.fromEntries([...document.querySelectorAll("h2[id]")]
    .map((each) => [each.id, each.getBoundingClientRect().top]))"""


async def drawn(page: Page) -> dict[str, Any]:
    """Every shape and every cell of the plots, and what is said of them."""
    return {
        name: await page.locator(f"{FIGURES} {name}").evaluate_all(PARTS)
        for name in ("svg", "svg *", "h3", "figcaption p", "details p", "caption", "th", "td")
    }


async def past(stage: Stage) -> Page:
    """Some tasks that have ended, on a page that knows it."""
    for number in range(5):
        await stage.task(0.1 + number / 4)
    page = await stage.page()
    await page.wait_for_selector("[data-key=tile-deliveries-delivered]:has-text('5 delivered')")
    await page.reload()
    await page.wait_for_selector("#connection.live")
    await page.wait_for_selector("[data-plot=callbacks] svg .count")
    return page


async def test_the_live_plots_are_those_of_the_daemon(stage: Stage) -> None:
    """To the last attribute: whoever reads it without scripts sees the same."""
    page = await past(stage)
    plain = await stage.page(java_script_enabled=False)
    live, still = await drawn(page), await drawn(plain)
    assert live == still
    assert len(live["svg"]) == 4
    bars = [shape for shape in live["svg *"] if ["class", "bar"] in shape[2]]
    assert len(bars) > 8


async def test_a_plot_can_be_read_as_a_table_that_stays_open(stage: Stage) -> None:
    """While what it shows goes on changing."""
    page = await past(stage)
    await page.click("[data-plot=polls] summary")
    counts = "[data-plot=polls] td:nth-child(2)"
    assert sum(map(int, await page.locator(counts).all_text_contents())) == 5
    await stage.task(0.1)
    sum_of = "(all) => [...document.querySelectorAll(all)].reduce((sum, each) => sum + +each.textContent, 0)"
    await page.wait_for_function(f"(all) => ({sum_of})(all) === 6", arg=counts)
    assert await page.locator(counts).first.is_visible()
    assert await page.locator("[data-plot=polls] svg desc").text_content() is not None


async def test_nothing_moves_while_the_page_becomes_live(stage: Stage) -> None:
    """The lists stand where the daemon had put them; below them there is room for one fold more."""
    await stage.task(600)
    page = await past(stage)
    assert await page.evaluate(SHIFTS) < 0.02
    context = await stage.browser.new_context()
    still = await context.new_page()
    await still.route("**/app.js", lambda route: asyncio.ensure_future(route.abort()))
    await still.goto(stage.daemon.url)
    before, after = await still.evaluate(TOPS), await page.evaluate(TOPS)
    for name, top in before.items():
        room = 0 if name in ("watches", "deliveries") else 40
        assert abs(after[name] - top) <= room + 1, (name, before, after)


async def in_page(page: Page, name: str, *values: object) -> Any:
    """What a function of say.js returns; of an element its text."""
    script = """async ([name, values]) => {
        const said = await import("/page/say.js");
        const found = said[name](...values);
        return found instanceof Element ? found.textContent : found;
    }"""
    return await page.evaluate(script, [name, list(values)])


async def test_the_scripts_advise_as_the_commands_do(stage: Stage) -> None:
    """What the daemon says of a cause as it stands, and for every status and fault the same remedy."""
    page = await stage.page()
    for fix in ("do <b>this</b> & {that}", "is full (401) locked"):
        assert await in_page(page, "fixOf", {"code": "legacy", "fix": fix}) == f"fix: {fix}"
    for cause in (None, {"code": "legacy", "fix": ""}):
        assert await in_page(page, "fixOf", cause) is None
    tried = [*map(HttpReply, (200, 204, 301, 400, 401, 404, 408, 410, 418, 429, 500, 503))]
    exchanges: list[Exchange] = [*tried, *(NoReply(fault, "x") for fault in FailureKind)]
    for exchange in exchanges:
        status, fault = getattr(exchange, "status", None), classify_failure(exchange)
        told = await in_page(page, "adviceOf", {"status": status, "fault": fault})
        assert told == find_attempt_fix(status, fault), exchange
    for error in (
        ("provider", 3001, "Bad", "no"),
        ("notifier", None, "Expired.", None),
        ("provider", "x", "", " y "),
    ):
        named = dict(zip(("source", "code", "title", "detail"), error, strict=True))
        assert await in_page(page, "errorOf", named) == describe_task_error(*error)

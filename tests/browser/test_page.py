"""The page in a real browser, on a real daemon: what it shows, does and forbids."""

import asyncio
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from notifier.simulator.script import TaskScript
from tests.browser.stage import Stage
from tests.e2e.daemon import _NO_TLS, API_PATH, DaemonProcess

pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=alert(1)>"
TOKEN = "t0ken-" + "a" * 40
ROWS = "#watches ~ .scroll tbody tr"
DELIVERIES = "#deliveries ~ .scroll tbody tr"
LOOKS = [("light", 1280), ("dark", 1280), ("light", 375), ("dark", 375)]
AXE = "axe.run(document).then((found) => found.violations.map((each) => [each.id, each.nodes[0].html]))"


def accepting(page: Page) -> None:
    """Say yes to whatever the page asks."""
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))


async def shown(page: Page, selector: str) -> str:
    """The text of the first element there, once there is one."""
    return (await page.locator(selector).first.text_content()) or ""


async def test_what_happens_is_seen_as_it_happens(stage: Stage) -> None:
    """From the first registration to the delivery, with no reload; its page shows what the provider said."""
    page = await stage.page()
    await page.wait_for_selector("text=No task has been registered yet")
    assert f"curl -X POST {stage.daemon.url}/v1/watches" in await shown(page, "#watches ~ div pre")
    watch = await stage.task(1.0, metadata={"x": HOSTILE})
    await page.wait_for_selector(f"{ROWS} .watching")
    await page.wait_for_selector(f"{ROWS} .completed")  # the filter lets it go a moment later
    await page.wait_for_selector(f"{DELIVERIES} .delivered")
    await page.wait_for_selector("text=Nothing is being watched now.")
    await page.fill("#task", watch["task_id"])
    await page.press("#task", "Enter")
    await page.click(f"{ROWS} a")
    await page.wait_for_selector("text=The provider's last answer")
    assert await page.evaluate("document.activeElement.textContent") == f"Task {watch['task_id']}"
    assert await page.title() == f"Task {watch['task_id']} · notifier"
    assert HOSTILE in await shown(page, "section[aria-label=Metadata] pre")
    assert await page.locator("main img").count() == 0
    links = await page.locator("section[aria-label=Results] a").evaluate_all("all => all.map((a) => a.rel)")
    assert links == ["noopener noreferrer"]
    await page.click("section[aria-label=Deliveries] tbody a")
    await page.wait_for_selector("section[aria-label=Attempts] tbody tr:nth-child(2)")
    assert "500" in await shown(page, "section[aria-label=Attempts] tbody tr")


async def test_every_end_is_told_in_its_word(stage: Stage) -> None:
    """And counted in its tile, which leads to those that ended so."""
    for script in (
        TaskScript(duration_s=0.2, outcome="failed"),
        TaskScript(duration_s=0.2, outcome="cancelled"),
    ):
        made = stage.upstream.add(API_PATH, script)
        await stage.daemon.register(made.task_id, stage.hook)
    await stage.task(600, expire_after="1s")
    await stage.task(0.2)
    page = await stage.page("/?watches=all")
    for word in ("completed", "failed", "cancelled", "expired"):
        await page.click(f"[data-key=tile-watches-{word}]")
        await page.wait_for_selector(f"{ROWS}:only-child .state.{word}")
        await page.wait_for_selector(f"[data-key=tile-watches-{word}]:has-text('1 {word}')")
    assert "prohibited content" not in await shown(page, ROWS)
    await page.click("[data-key=tile-watches-failed]")
    await page.click(f"{ROWS}:has(.failed) a")
    error = "3001: Invalid Request. The prompt contains prohibited content (says the provider)"
    await page.wait_for_selector(f"dd:has-text('{error}')")


async def test_the_buttons_do_what_they_say_by_keyboard(stage: Stage) -> None:
    """Stop asks first; its outcome is told where a screen reader hears it; the focus is never lost."""
    watch = await stage.task(600)
    page = await stage.page("/?watches=all")
    accepting(page)
    for name, said, state in (
        ("poll now", "is polled now", "watching"),
        ("stop", "stopped", "stopped"),
        ("resume", "is being watched again", "watching"),
    ):
        await page.get_by_role("button", name=f"{name} {watch['task_id']}").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector(f"#said[role=status]:has-text('{said}')")
        await page.wait_for_selector(f"{ROWS} .{state}")
    await page.wait_for_function("() => document.activeElement.closest('tr') !== null")


async def test_tiles_filter_and_stand_in_the_address(stage: Stage) -> None:
    """What is filtered can be kept as a bookmark, and the browser's own buttons go back and forth."""
    await stage.task(600)
    page = await stage.page()
    await page.wait_for_selector(f"{ROWS} .watching")
    await page.click("[data-key='tile-watches-completed']")
    await page.wait_for_selector("text=No watch is completed.")
    await page.click("[data-key='tile-deliveries-dead']")
    assert page.url == f"{stage.daemon.url}/?watches=completed&deliveries=dead"
    again = await stage.page(page.url.removeprefix(stage.daemon.url))
    await again.wait_for_selector("[data-key='tile-watches-completed'][aria-current=true]")
    await again.wait_for_selector("text=No watch is completed.")
    await page.go_back()
    await page.wait_for_url(f"{stage.daemon.url}/?watches=completed")
    await page.go_back()
    await page.wait_for_selector(f"{ROWS} .watching")


async def test_what_is_sought_is_found(stage: Stage) -> None:
    """By the provider's id or by ours, by typing or by the address."""
    watch = await stage.task(600)
    page = await stage.page()
    await page.wait_for_selector(f"{ROWS} .watching")
    for sought, found in (
        ("nothing-such", "text=No watch has the task id nothing-such."),
        (watch["task_id"], ROWS),
    ):
        await page.fill("#task", sought)
        await page.get_by_role("button", name="find").click()
        await page.wait_for_selector(found)
    await page.fill("#task", watch["id"])
    await page.press("#task", "Enter")
    await page.wait_for_selector(f".title:has-text('{watch['task_id']}')")
    assert page.url == f"{stage.daemon.url}/watches/{watch['id']}"
    assert (await stage.page(f"/?task={watch['id']}")).url == page.url
    gone = await stage.page("/watches/wch_01KAQ7W3G0ABCDEFGHJKMNPQRS")
    assert "no watch has this id" in await shown(gone, "main")


async def test_it_says_that_it_is_cut_off_and_comes_back(stage: Stage) -> None:
    """A daemon that starts again is live again, with what it kept."""
    port = stage.daemon.url.rpartition(":")[2]
    await stage.task(600)
    page = await stage.page()
    await page.wait_for_selector("#connection.live")
    await stage.daemon.end()
    await page.wait_for_selector("#connection.cut:has-text('does not answer')")
    stage.daemon._environ["NOTIFIER_SERVER__LISTEN"] = f"127.0.0.1:{port}"
    await stage.daemon.start()
    await page.wait_for_selector("#connection.live")
    later = await stage.task(600)
    await page.wait_for_selector(f"{ROWS}:has-text('{later['task_id']}')")
    assert await page.locator(ROWS).count() == 2


async def test_troubles_come_with_what_to_do(tmp_path: Path, stage: Stage) -> None:
    """A provider that refuses the key and a receiver that is down, as `notifier status` tells of them."""
    await stage.task(600)
    page = await stage.page()
    await page.wait_for_selector("#connection.live")
    stage.upstream._bearer = b"Bearer another"
    await page.wait_for_selector(f"{ROWS} .trouble:has-text('provider refuses the key (401)')")
    await page.wait_for_selector(".summary.ill:has-text('mulerouter: provider refuses the key (401)')")
    await page.wait_for_selector(".fix:has-text('fix: check MULEROUTER_API_KEY, then reload the daemon')")
    made = stage.upstream.add(API_PATH, TaskScript(duration_s=0.1))
    stage.upstream._bearer = None
    for number in range(4):
        made = stage.upstream.add(API_PATH, TaskScript(duration_s=0.1))
        await stage.daemon.register(made.task_id, "http://127.0.0.1:9/hook", metadata={"n": number})
    await page.wait_for_selector("#endpoints ~ .scroll .closed:has-text('closed: no connection')")
    test = "fix: `notifier test-callback http://127.0.0.1:9/hook` says what is wrong"
    await page.wait_for_selector(f"#endpoints ~ .scroll .fix:has-text('{test}')")
    await page.get_by_role("button", name="pause http://127.0.0.1:9/hook").wait_for(state="detached")
    await page.get_by_role("button", name="resume http://127.0.0.1:9/hook").click()
    await page.wait_for_selector("#said:has-text('resumed')")


async def test_many_are_sent_again_once_it_was_said_how_many(stage: Stage) -> None:
    """By state, time and receiver: first counted, then done."""
    for _ in range(3):
        await stage.task(0.1)
    page = await stage.page()
    await page.wait_for_selector("[data-key=tile-deliveries-delivered]:has-text('3 delivered')")
    await page.click("summary:has-text('Replay many')")
    assert await page.locator("[data-key=replay-send]").is_disabled()
    await page.select_option("#replay-state", "delivered")
    await page.fill("#replay-url", stage.hook)
    await page.press("#replay-url", "Enter")
    await page.wait_for_selector(
        ".replay p:has-text('3 deliveries match; sent again are the same ids and bytes')"
    )
    await page.select_option("#replay-since", "3600")
    assert await page.locator("[data-key=replay-send]").is_disabled()  # what it said is not what is asked now
    await page.click("[data-key=replay-count]")
    await page.click("[data-key=replay-send]:enabled")
    await page.wait_for_selector("#said:has-text('3 deliveries: sent again, 10 a second')")
    tries = "(of) => [...document.querySelectorAll(of)].reduce((sum, each) => sum + +each.textContent, 0)"
    cells = f"{DELIVERIES} td[data-head=Tries]"
    await page.wait_for_function(f"(of) => ({tries})(of) === 7", arg=cells)  # one was refused at first
    await page.fill("#replay-url", "not a url")
    await page.evaluate("document.querySelector('.replay').noValidate = true")
    await page.click("[data-key=replay-count]")
    await page.wait_for_selector(".replay p:has-text('Not done: /url: ')")


async def test_an_attempt_can_be_made_again_by_hand(stage: Stage) -> None:
    """As a command for a shell: through the daemon, newly signed, or from here as it was sent."""
    await stage.task(0.1)
    page = await stage.page(permissions=["clipboard-read", "clipboard-write"])
    await page.wait_for_selector(f"{DELIVERIES} .delivered")
    await page.click(f"{DELIVERIES} a")
    await page.get_by_role("button", name="copy as curl", exact=True).click()
    await page.wait_for_selector("#said:has-text('Copied.')")
    line = await page.evaluate("navigator.clipboard.readText()")
    again = await asyncio.create_subprocess_shell(f"{line} -sS -o /dev/null -w '%{{http_code}}'", stdout=-1)
    assert (await again.communicate())[0] == b"202"
    await page.wait_for_selector("section[aria-label=Attempts] tbody tr:nth-child(3)")
    await page.get_by_role("button", name="copy attempt 2 as curl").click()
    line = await page.evaluate("navigator.clipboard.readText()")
    first, _, second = line.partition(" | ")
    sent = await asyncio.create_subprocess_shell(first, stdout=-1)
    assert b'"type":"task.completed"' in (await sent.communicate())[0]
    assert second.startswith(f"curl -i -X POST {stage.hook} -H 'Content-Type: application/json'")
    assert "-H 'notifier-attempt: 2' --data-binary @-" in second


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_everybody_can_use_it(stage: Stage, scheme: Any, width: int) -> None:
    """axe finds nothing, and nothing but tables scrolls sideways, light and dark, wide and narrow."""
    watch = await stage.task(0.1)
    live = await stage.task(600)
    page = await stage.page("/?watches=all", color_scheme=scheme, viewport={"width": width, "height": 800})
    await page.wait_for_selector(f"{DELIVERIES} .delivered")
    delivery = await page.locator(f"{DELIVERIES} a").first.get_attribute("href")
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
    for place, found in (
        ("/", "[data-plot=notice] svg .count"),
        (f"/watches/{watch['id']}", ".title"),
        (f"/watches/{live['id']}", ".title"),
        (str(delivery), "text=Attempts"),
        ("/watches/nothing", "text=All watches"),
    ):
        await page.goto(f"{stage.daemon.url}{place}")
        await page.wait_for_selector(found)
        for fold in await page.locator("summary").all():
            await fold.click()
        await page.evaluate(axe)
        assert await page.evaluate(AXE) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_the_policy_holds(stage: Stage) -> None:
    """Markup from text is refused by the browser itself, and so are scripts and pictures from elsewhere."""
    page = await stage.page()
    write = "try { document.body.innerHTML = '<b>x</b>'; 'done' } catch (error) { error.name }"
    assert await page.evaluate(write) == "TypeError"
    load = (
        "new Promise((end) => Object.assign(new Image(), {onerror: () => end(1), src: 'http://localhost:9'}))"
    )
    assert await page.evaluate(load) == 1
    assert len(stage.complaints) >= 2
    stage.complaints.clear()


async def test_it_can_be_read_without_scripts(stage: Stage) -> None:
    """What there is, as of the load, and by its links all about each."""
    watch = await stage.task(0.1)
    live = await stage.task(600)
    looking = await stage.page("/?watches=all")
    await looking.wait_for_selector(f"{DELIVERIES} .delivered")
    page = await stage.page(java_script_enabled=False)
    assert live["task_id"] in await shown(page, "main")
    assert "1 task is being watched" in await shown(page, ".summary")
    await page.click("text=1 completed")
    await page.click(f"text={watch['task_id']}")
    assert "decision" in await shown(page, "section[aria-label=Timeline]")
    assert "task_info" in await shown(page, "main pre")
    await page.click("section[aria-label=Deliveries] tbody a")
    assert await page.locator("section[aria-label=Attempts] tbody tr").count() == 2
    await page.fill("#task", live["id"])
    await page.press("#task", "Enter")
    assert page.url == f"{stage.daemon.url}/watches/{live['id']}"


async def test_a_link_logs_a_browser_in_for_reading_and_changing(tmp_path: Path, stage: Stage) -> None:
    """As `notifier open` makes it: files, stream and buttons work with the cookie alone."""
    tokens = tmp_path / "token"
    tokens.write_text(TOKEN)
    folder = tmp_path / "guarded"
    folder.mkdir()
    guarded = DaemonProcess(
        folder, upstream_url="http://127.0.0.1:9", server__tokens=f'[{{ file = "{tokens}" }}]'
    )
    await guarded.start()
    stage.daemon, kept = guarded, stage.daemon
    shut = await stage.page()
    assert "for a browser, `notifier open`" in await shown(shut, ".summary.ill")
    given = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        trust_env=False, verify=_NO_TLS, base_url=guarded.url, headers=given
    ) as client:
        path = (await client.post("/v1/login")).json()["path"]
        empty = (await client.get("/")).text
        body = {"task_id": "t-1", "api_path": API_PATH, "callback_url": stage.hook}
        assert (await client.post("/v1/watches", json=body)).status_code == 201
    assert "Authorization: Bearer $NOTIFIER_TOKEN" in empty  # the line that it teaches would be let in
    page = await stage.page(path)
    await page.wait_for_selector("#connection.live")
    assert page.url == f"{guarded.url}/"
    await page.get_by_role("button", name="poll now t-1").click()
    await page.wait_for_selector("#said:has-text('is polled now')")
    stage.daemon = kept
    await guarded.end()

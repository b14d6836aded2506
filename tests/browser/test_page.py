"""The page in a real browser, on a real daemon: what it shows, does and forbids.

Skipped where there is no Chromium, or no playwright and axe-playwright-python.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest

from notifier.simulator.script import Script
from notifier.simulator.serving import serve
from notifier.simulator.upstream import Upstream
from tests.e2e.daemon import _NO_TLS, API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

HOSTILE = "<img src=x onerror=alert(1)>"
TOKEN = "t0ken-" + "a" * 40
ROWS = "#watches ~ .scroll tbody tr"
LOOKS = [("light", 1280), ("dark", 1280), ("light", 375), ("dark", 375)]
AXE = "axe.run(document).then((found) => found.violations.map((each) => each.id))"


class Stage:
    """A daemon, its provider and receiver, a browser, and what the browser complained of."""

    def __init__(self, daemon: DaemonProcess, upstream: Upstream, hook: str, browser: Any) -> None:
        self.daemon = daemon
        self.upstream = upstream
        self.hook = hook
        self.browser = browser
        self.complaints: list[str] = []

    async def page(self, path: str = "/", **options: Any) -> Any:
        page = await (await self.browser.new_context(**options)).new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        await page.goto(self.daemon.url + path)
        return page

    def _heard(self, message: Any) -> None:
        is_of_http = "Failed to load resource" in message.text  # a 404 or a daemon that is gone
        if message.type in ("error", "warning") and not is_of_http:
            self.complaints.append(message.text)

    async def task(self, duration_s: float, **more: Any) -> dict[str, Any]:
        made = self.upstream.add(API_PATH, Script(duration_s=duration_s))
        return await self.daemon.register(made.task_id, self.hook, **more)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    ledger, upstream = Ledger(answers=[500]), Upstream(key=KEY)
    async with (
        serve(upstream) as upstream_url,
        serve(ledger.app) as url,
        playwright.async_playwright() as tool,
    ):
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        browser = await tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stage = Stage(daemon, upstream, f"{url}/hook", browser)
        yield stage
        await browser.close()
        await daemon.end()
    assert stage.complaints == []


async def test_what_happens_is_seen_as_it_happens(stage: Stage) -> None:
    """From the first registration to the delivery, with no reload; its watch shows what the provider said."""
    page = await stage.page()
    await page.wait_for_selector("text=No task has been registered yet")
    watch = await stage.task(1.0, metadata={"x": HOSTILE})
    await page.wait_for_selector(f"{ROWS} .watching")
    await page.wait_for_selector(f"{ROWS} .completed")
    await page.wait_for_selector("#deliveries ~ .scroll .delivered")
    await page.click(f"text={watch['task_id']}")
    await page.wait_for_selector("text=The provider's last answer")
    assert await page.evaluate("document.activeElement.textContent") == f"Task {watch['task_id']}"
    assert HOSTILE in await page.text_content("section[aria-label=Metadata] pre")
    assert await page.locator("main img").count() == 0
    links = await page.locator("section[aria-label=Results] a").evaluate_all("all => all.map((a) => a.rel)")
    assert links
    assert set(links) == {"noopener noreferrer"}
    await page.click("text=task.completed")
    await page.wait_for_selector("section[aria-label=Attempts] tbody tr:nth-child(2)")
    assert "500" in await page.text_content("section[aria-label=Attempts]")


async def test_the_buttons_do_what_they_say_by_keyboard(stage: Stage) -> None:
    """Stop asks first; its outcome is told where a screen reader hears it; resume brings it back."""
    watch = await stage.task(600)
    page = await stage.page()
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    for name, said, state in (
        ("poll now", "is polled now", "watching"),
        ("stop", "stopped", "stopped"),
        ("resume", "is being watched again", "watching"),
    ):
        await page.get_by_role("button", name=f"{name} {watch['task_id']}").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector(f"#said[role=status]:has-text('{said}')")
        await page.wait_for_selector(f"{ROWS} .{state}")


async def test_tiles_filter_and_stand_in_the_address(stage: Stage) -> None:
    """What is filtered can be kept as a bookmark."""
    await stage.task(600)
    page = await stage.page()
    await page.click("[data-key='tile-watches-completed']")
    await page.wait_for_selector("text=No watch is completed.")
    assert "watches=completed" in page.url
    again = await stage.page(page.url.removeprefix(stage.daemon.url))
    await again.wait_for_selector("[data-key='tile-watches-completed'][aria-pressed=true]")
    await again.wait_for_selector("text=No watch is completed.")


async def test_it_says_that_it_is_cut_off_and_comes_back(stage: Stage) -> None:
    """A daemon that starts again is live again, with what it kept."""
    port = stage.daemon.url.rpartition(":")[2]
    await stage.task(600)
    page = await stage.page()
    await page.wait_for_selector("#connection:has-text('live')")
    await stage.daemon.end()
    await page.wait_for_selector("#connection:has-text('does not answer')")
    stage.daemon._environ["NOTIFIER_SERVER__LISTEN"] = f"127.0.0.1:{port}"
    await stage.daemon.start()
    await page.wait_for_selector("#connection:text-is('live')")
    await page.wait_for_selector(f"{ROWS} .watching")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_everybody_can_use_it(stage: Stage, scheme: str, width: int) -> None:
    """axe finds nothing, and nothing but tables scrolls sideways, light and dark, wide and narrow."""
    watch = await stage.task(0.1)
    size = {"width": width, "height": 800}
    page = await stage.page(color_scheme=scheme, viewport=size)
    await page.wait_for_selector("#deliveries ~ .scroll .delivered")
    delivery = await page.locator("#deliveries ~ .scroll tbody a").first.get_attribute("href")
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
    for place, shown in (
        ("#/", "#watches"),
        (f"#/watches/{watch['id']}", ".title"),
        (delivery, "text=Attempts"),
    ):
        await page.goto(f"{stage.daemon.url}/{place}")
        await page.wait_for_selector(shown)
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
    """What there is, as of the load."""
    watch = await stage.task(600)
    page = await stage.page(java_script_enabled=False)
    assert watch["task_id"] in await page.text_content("main")
    assert "1 task is being watched" in await page.text_content(".summary")


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
    shown = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        trust_env=False, verify=_NO_TLS, base_url=guarded.url, headers=shown
    ) as client:
        path = (await client.post("/v1/login")).json()["path"]
        body = {"task_id": "t-1", "api_path": API_PATH, "callback_url": stage.hook}
        assert (await client.post("/v1/watches", json=body)).status_code == 201
    page = await stage.page(path)
    await page.wait_for_selector("#connection:text-is('live')")
    assert page.url == f"{guarded.url}/"
    await page.get_by_role("button", name="poll now t-1").click()
    await page.wait_for_selector("#said:has-text('is polled now')")
    stage.daemon = kept
    await guarded.end()

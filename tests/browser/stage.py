"""A real daemon with its provider and receivers, and a browser that looks at it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page

from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger
from tools.chromium import browsing

PATIENCE_MS = 15_000


@dataclass
class Stage:
    """What the browser sees, and what it complained of."""

    daemon: DaemonProcess
    upstream: SimulatedProvider
    hook: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def page(self, path: str = "/", **options: Any) -> Page:
        """Open a page in a browser of its own."""
        context = await self.browser.new_context(**options)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        await page.goto(self.daemon.url + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        is_of_http = "Failed to load resource" in message.text  # a 404 or a daemon that is gone
        if message.type in ("error", "warning") and not is_of_http:
            self.complaints.append(message.text)

    async def task(self, duration_s: float, **more: Any) -> dict[str, Any]:
        """Submit a task and register it."""
        made = self.upstream.add(API_PATH, TaskScript(duration_s=duration_s))
        return await self.daemon.register(made.task_id, self.hook, **more)


@asynccontextmanager
async def staged(folder: Path, *, answers: list[int] | None = None, **settings: Any) -> AsyncIterator[Stage]:
    """Set the stage. The receiver gives these ``answers`` first, and 204 from then on."""
    ledger, upstream = Ledger(answers=answers or []), SimulatedProvider(key=KEY)
    async with AsyncExitStack() as stack:
        upstream_url = await stack.enter_async_context(serve(upstream))
        hook = await stack.enter_async_context(serve(ledger.app))
        daemon = DaemonProcess(folder, upstream_url=upstream_url, **settings)
        await daemon.start()
        stack.push_async_callback(daemon.end)
        ledger.secret = daemon.secret
        opened = await stack.enter_async_context(browsing())
        yield Stage(daemon, upstream, f"{hook}/hook", opened)

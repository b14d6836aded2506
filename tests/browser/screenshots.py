"""`make screenshots`: the page as the README shows it, of a daemon that has had a busy minute or two.

The provider is the simulator, the receivers are real ones with the faults that receivers have; nothing in the
pictures is made up but what the tasks are called.
"""

import asyncio
import base64
import math
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from playwright.async_api import Browser

from notifier.clock import wall_ms
from notifier.core.formats.times import format_instant
from notifier.simulator.script import FixedReply, Outcome, Result, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.browser.png import with_palette, written
from tests.e2e.daemon import _NO_TLS, KEY, DaemonProcess
from tools.chromium import WHY_NOT, browsing

DOCS = Path(__file__).parents[2] / "docs" / "page"
MOST_BYTES = 120 * 1024
TASKS, OVER_S, SETTLE_S = 150, 100.0, 32.0


@dataclass(frozen=True)
class Kind:
    """Tasks of one api_path: half of them take no more than ``median_s``."""

    api_path: str
    median_s: float
    result: Result
    weight: int

    def script(self, rng: random.Random, outcome: Outcome = "completed") -> TaskScript:
        """One task."""
        duration_s = rng.lognormvariate(math.log(self.median_s), 0.32)
        return TaskScript(duration_s, outcome, result=self.result, outputs=rng.choice((1, 1, 2)))


KINDS = (
    Kind("/vendors/alibaba/v1/qwen-image-edit-max/generation", 11.0, "images", 6),
    Kind("/vendors/google/v1/nano-banana-pro/generation", 16.0, "images", 3),
    Kind("/vendors/alibaba/v1/wan2.6-t2v/generation", 34.0, "videos", 3),
    Kind("/vendors/openai/v1/sora-2/generation", 48.0, "videos", 2),
)
SETTINGS = {
    "polling__first_after": "2.5s",
    "polling__min_interval": "2.5s",
    "callbacks__give_up_after": "80s",
    "providers__runway__base_url": "",
    "providers__runway__api_key": '{ env = "RUNWAY_KEY" }',
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 1430}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 1430}},
    "watch": {"color_scheme": "light", "viewport": {"width": 1280, "height": 1180}},
    "narrow": {"color_scheme": "dark", "viewport": {"width": 375, "height": 812}, "device_scale_factor": 1.5},
}
PLACES = {"light": "/?deliveries=dead", "dark": "/?deliveries=dead", "watch": "/watches/{id}"}


@dataclass
class City:
    """The daemon, its providers, its receivers."""

    daemon: DaemonProcess
    upstream: SimulatedProvider
    other: SimulatedProvider
    hooks: dict[str, str]
    gallery: str
    rng: random.Random


async def main() -> int:
    """Live through it, then take the pictures."""
    if WHY_NOT is not None:
        print(f"no screenshots: {WHY_NOT}", file=sys.stderr)
        return 1
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with city(Path(folder)) as built, browsing() as opened:
            await lived(built)
            await taken(built, opened)
    return 0


@asynccontextmanager
async def city(folder: Path) -> AsyncIterator[City]:
    """Everything on ports of this machine."""
    upstream, other = SimulatedProvider(key=KEY), SimulatedProvider(key="another key")
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serve(each)) for each in (upstream, other)]
        apps = {"shop/callbacks": says(204), "crm/tasks": says(503), "billing/hook": says(422)}
        ports = {name: await stack.enter_async_context(serve(app)) for name, app in apps.items()}
        gallery = await stack.enter_async_context(serve(shows(picture())))
        settings = {**SETTINGS, "providers__runway__base_url": urls[1]}
        daemon = DaemonProcess(folder, upstream_url=urls[0], under={"RUNWAY_KEY": "wrong"}, **settings)
        await daemon.start()
        stack.push_async_callback(daemon.end)
        hooks = {name.partition("/")[0]: f"{url}/{name}" for name, url in ports.items()}
        yield City(daemon, upstream, other, hooks, gallery, random.Random(7))


async def lived(built: City) -> None:
    """Submit tasks evenly, most of which end well; some receivers and one provider do not."""
    for number in range(TASKS):
        (kind,) = built.rng.choices(KINDS, weights=[each.weight for each in KINDS])
        outcome: Outcome = "failed" if number % 23 == 7 else "cancelled" if number % 51 == 9 else "completed"
        await registered(built, kind.api_path, kind.script(built.rng, outcome), hook_of(number), number)
        await asyncio.sleep(OVER_S / TASKS)
    for number in range(2):
        made = built.other.add("/v1/image_to_video", TaskScript(duration_s=600))
        await told(built, "/v1/image_to_video", made.task_id, "shop", provider="runway", number=number)
    await asyncio.sleep(SETTLE_S)


def hook_of(number: int) -> str:
    """Most go to the shop. One receiver refuses some orders, another went down lately."""
    if number % 37 == 5:
        return "billing"
    return "crm" if number > TASKS * 0.85 and number % 4 == 0 else "shop"


async def registered(built: City, path: str, script: TaskScript, hook: str, number: int) -> dict[str, Any]:
    made = built.upstream.add(path, script)
    return await told(built, path, made.task_id, hook, provider="mulerouter", number=number)


async def told(
    built: City, path: str, task_id: str, hook: str, *, provider: str, number: int
) -> dict[str, Any]:
    """Register a task as a shop would."""
    body = {
        "api_path": path,
        "task_id": task_id,
        "provider": provider,
        "callback_url": built.hooks[hook],
        "metadata": {"order": 4_200 + number, "customer": f"c-{1_000 + number * 7 % 90}"},
    }
    async with httpx.AsyncClient(trust_env=False, timeout=20, verify=_NO_TLS) as client:
        answer = await client.post(f"{built.daemon.url}/v1/watches", json=body)
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made


async def taken(built: City, opened: Browser) -> None:
    """Take each picture, and write it small."""
    watch = await pictured(built)
    for name, look in LOOKS.items():
        page = await opened.new_page(**look)
        await page.goto(built.daemon.url + PLACES.get(name, "/").format(id=watch["id"]))
        await page.wait_for_selector("#connection.live")
        await page.wait_for_selector("main .title" if name == "watch" else "main tbody tr")
        if name == "watch":
            await page.click(".shown button")
            await page.wait_for_selector(".shown img")
        await page.wait_for_timeout(1_200)
        content = await smaller(opened, await page.screenshot())
        (DOCS / f"{name}.png").write_bytes(content)
        print(f"docs/page/{name}.png: {len(content) / 1024:.0f} KiB")
        if len(content) > MOST_BYTES:
            raise SystemExit(f"{name}.png is larger than {MOST_BYTES // 1024} KiB; make its viewport smaller")
        await page.context.close()


async def pictured(built: City) -> dict[str, Any]:
    """A task whose result can be looked at, and which met an outage on its way."""
    path, task_id = KINDS[0].api_path, "7c1e9a52-6f0b-4d7e-9a35-1f2b8c4d0e66"
    url = f"{built.gallery}/ephemeral/{task_id}/result_00.png"
    now = format_instant(wall_ms())
    info = {"id": task_id, "status": "completed", "created_at": now, "updated_at": now}
    answer = msgspec.json.encode(
        {"task_info": info, "images": [url], "seed": 1_234_567_890_123_456_789}
    ).decode()
    running = msgspec.json.encode({"task_info": {**info, "status": "processing"}}).decode()
    as_json = {"content-type": "application/json"}
    first = (
        FixedReply(200, as_json, running),
        FixedReply(503, {}, "upstream connect error"),
        FixedReply(200, as_json, running),
        FixedReply(200, as_json, running),
        FixedReply(200, as_json, answer),
    )
    built.upstream.add(path, TaskScript(duration_s=60, first=first), task_id)
    watch = await told(built, path, task_id, "shop", provider="mulerouter", number=300)
    await asyncio.sleep(14)
    return watch


async def smaller(opened: Browser, screenshot: bytes) -> bytes:
    """The same picture with a palette. The browser unpacks it: it knows how."""
    blank = await opened.new_page()
    source = f"data:image/png;base64,{base64.b64encode(screenshot).decode()}"
    script = """async (source) => {
        const image = new Image();
        image.src = source;
        await image.decode();
        const {width, height} = image;
        const canvas = Object.assign(document.createElement("canvas"), {width, height});
        const drawn = canvas.getContext("2d");
        drawn.drawImage(image, 0, 0);
        const {data} = drawn.getImageData(0, 0, width, height);
        let text = "";
        for (let at = 0; at < data.length; at += 32768) {
            text += String.fromCharCode(...data.subarray(at, at + 32768));
        }
        return [width, btoa(text)];
    }"""
    width, pixels = await blank.evaluate(script, source)
    await blank.close()
    return with_palette(base64.b64decode(pixels), width)


def picture(width: int = 480, height: int = 300) -> bytes:
    """Hills at dusk: something to look at."""
    sky = [(28 + n, 48 + n, 96 + n) for n in range(0, 120, 2)]
    hills = [(38, 70 + 18 * n, 58 + 6 * n) for n in range(3)]
    palette = [*sky, *hills, (244, 222, 164)]
    rows = []
    for y in range(height):
        row = bytearray([min(len(sky) - 1, y * len(sky) // 200)] * width)
        for x in range(width):
            if (x - 350) ** 2 + (y - 90) ** 2 < 900:
                row[x] = len(palette) - 1
            for n in range(3):
                edge = 170 + 40 * n + 22 * math.sin(x / (60 - 12 * n) + n * 2)
                row[x] = len(sky) + n if y > edge else row[x]
        rows.append(bytes(row))
    return written(width, rows, palette)


App = Callable[[Any, Any, Any], Awaitable[None]]


def says(status: int) -> App:
    """A receiver that always answers this."""
    return answering(status, "text/plain", b"" if status == 204 else b"orders: unknown customer\n")


def shows(content: bytes) -> App:
    """A provider's store of results, with one picture in it."""
    return answering(200, "image/png", content)


def answering(status: int, kind: str, content: bytes) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers if content else []})
        await send({"type": "http.response.body", "body": content})

    return app


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))

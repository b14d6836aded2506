"""The page beside a hundred thousand watches: how soon it opens, and what it costs those who poll."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.bench import Bench
from benchmarks.client import Pool, pool
from benchmarks.figures import Figure, at_most, exactly
from benchmarks.load import SETTINGS, Offer, Outcome, nobody, offered
from benchmarks.processes import daemon, job
from benchmarks.stats import median, quantile
from benchmarks.usage import rss_mb
from tools.chromium import WHY_NOT, browsing

WATCHES, QUICK_WATCHES = 100_000, 5_000
LOAD = Offer(count=600, over_s=20.0, grace_s=12.0)
QUICK_LOAD = Offer(count=60, over_s=3.0, grace_s=12.0)
ROUNDS = 3
ASKED = 30
OPENED = 5
COUNTS_EVERY_S, PLOTS_EVERY_S = 2.0, 5.0
"""As often as the page asks while something changes (page/store.js)."""
LEAST_HEARD = 10_000
LISTS = ("/v1/watches?limit=25&state=watching", "/v1/deliveries?limit=15")
COUNTS = ("/v1/status", "/v1/endpoints?limit=100")
FILES = ("app", "actions", "api", "detail", "dom", "overview", "plots", "replay", "say", "store", "words")
LIVE = """() => new Promise((end) => {
    const isThere = (what) => document.querySelector(what) !== null;
    const look = () => (isThere("#connection.live") && isThere("main tbody button"))
        ? end(performance.now()) : requestAnimationFrame(look);
    look();
})"""


async def page(bench: Bench) -> list[Figure]:
    """Open it, and then have it open while a load runs; half of the watches have ended."""
    count = bench.pick(WATCHES, QUICK_WATCHES)
    with bench.folder() as folder:
        file = folder / "filled.db"
        await job("benchmarks.filling", str(file), str(count))
        await job("benchmarks.past", str(file), str(count // 2))
        bench.say(f"{count} watches: filled, half of them ended")
        figures = await _opening(bench, file, f"page, {count} watches")
        return figures + await _beside(bench, file, f"page open, {count} watches")


# -- opening


async def _opening(bench: Bench, file: Path, label: str) -> list[Figure]:
    with bench.folder() as folder:
        shutil.copyfile(file, folder / "notifier.db")
        async with daemon(folder, SETTINGS) as running, pool(running.url, 1) as api:
            first = await _asked(api, "/")
            before = rss_mb(running.pid)
            html = [await _asked(api, "/") for _ in range(ASKED)]
            plots = [await _asked(api, "/v1/plots") for _ in range(ASKED)]
            grown = rss_mb(running.pid) - before
            bench.say(f"{label}: answered within {median(html) * 1_000:.1f} ms")
            return [
                Figure(f"{label}: the daemon's first answer", first, "s", at_most(1)),
                Figure(f"{label}: the daemon's answer, p50", median(html), "s", at_most(0.25)),
                Figure(f"{label}: plots, p50", median(plots), "s", at_most(0.1)),
                Figure(f"{label}: memory that {2 * ASKED} answers leave", grown, "MB", at_most(10)),
                *await _shown(bench, running.url, label),
            ]


async def _asked(api: Pool, path: str) -> float:
    """How long an answer took."""
    began = time.perf_counter()
    answer = await api.ask("GET", path)
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered {answer.status}")
    return time.perf_counter() - began


async def _shown(bench: Bench, url: str, label: str) -> list[Figure]:
    """From the click until the live page is there with its buttons, in a real browser with nothing cached."""
    if WHY_NOT is not None:
        bench.say(f"{label}: not opened in a browser: {WHY_NOT}")
        return []
    taken = []
    async with browsing() as browser:
        for _ in range(OPENED + 1):
            context = await browser.new_context()
            shown = await context.new_page()
            await shown.goto(url)
            taken.append(await shown.evaluate(LIVE) / 1_000)
            await context.close()
    each = ", ".join(f"{seconds:.2f}" for seconds in taken[1:])
    bench.say(f"{label}: live after {each} s in Chromium")
    name = f"{label}: until it is live in Chromium"
    return [Figure(name, median(taken[1:]), "s", at_most(1), note=f"median of {each}; the browser was warm")]


# -- beside a load


async def _beside(bench: Bench, file: Path, label: str) -> list[Figure]:
    """The same load with and without it, in turns, so that what else the machine does falls on both."""
    offer = bench.pick(LOAD, QUICK_LOAD)
    without: list[Outcome] = []
    with_page: list[Outcome] = []
    for _ in range(bench.pick(ROUNDS, 1)):
        for outcomes, beside in ((without, nobody), (with_page, looking)):
            with bench.folder() as folder:
                shutil.copyfile(file, folder / "notifier.db")
                outcomes.append(await offered(folder, offer, beside=beside))
                who = "with" if beside is looking else "without"
                bench.say(f"{who} the page: {_told(outcomes[-1])}")
    return _compared(label, without, with_page)


def _told(outcome: Outcome) -> str:
    cost = f"{outcome.cpu_ms_per_poll:.3f} ms CPU a poll at {outcome.polls_per_s:.0f}/s"
    return f"{cost}, noticed p99 {quantile(outcome.delays.noticed_s, 0.99):.3f} s"


def _compared(label: str, without: list[Outcome], with_page: list[Outcome]) -> list[Figure]:
    def cpu(outcomes: list[Outcome]) -> float:
        return median([each.cpu_ms_per_poll for each in outcomes])

    def noticed(outcomes: list[Outcome], share: float) -> float:
        return median([quantile(each.delays.noticed_s, share) for each in outcomes])

    rate = f"{median([each.polls_per_s for each in with_page]):.0f} polls/s; lists, stream and plots included"
    lost = sum(each.delays.lost for each in with_page)
    return [
        Figure(f"{label}: CPU a poll", cpu(with_page), "ms", at_most(1.25), cpu(without), rate),
        *(
            Figure(
                f"{label}: noticed after, p{round(share * 100)}",
                noticed(with_page, share),
                "s",
                at_most(1.2),
                noticed(without, share),
            )
            for share in (0.5, 0.99)
        ),
        Figure(f"{label}: lost", lost, "tasks", exactly(0)),
    ]


@contextlib.asynccontextmanager
async def looking(url: str) -> AsyncIterator[None]:
    """Ask what the page asks, as often, and read its stream: all but the drawing, which is the browser's."""
    async with pool(url, 2) as api:
        for path in ("/", *(f"/page/{name}.js" for name in FILES), *LISTS, *COUNTS, "/v1/plots"):
            await _asked(api, path)
        heard: list[int] = []
        tasks = [
            asyncio.ensure_future(_listen(url, heard)),
            asyncio.ensure_future(_ask_again(api, COUNTS, COUNTS_EVERY_S)),
            asyncio.ensure_future(_ask_again(api, ("/v1/plots",), PLOTS_EVERY_S)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if sum(heard) < LEAST_HEARD:
            raise RuntimeError(f"the stream brought {sum(heard)} bytes")


async def _listen(url: str, heard: list[int]) -> None:
    """Read the stream of changes and throw it away."""
    host, _, port = urlsplit(url).netloc.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET /v1/events HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
        while piece := await reader.read(1 << 16):
            heard.append(len(piece))
    finally:
        writer.close()


async def _ask_again(api: Pool, paths: tuple[str, ...], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        for path in paths:
            await _asked(api, path)

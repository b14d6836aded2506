"""`make soak MINUTES=n`: the real command under mixed load and faults, watched from outside.

Tasks end well, badly or never; the provider has outages, limits and pages of HTML; one receiver is well, one
slow, one refuses now and then, one is not there. The configuration is read again each minute, and what is
delivered is forgotten after one. Ends with a report; its status is 1 when something drifts or is lost.
"""

import asyncio
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notifier.core.formats.json_text import decode_strict
from notifier.simulator.script import FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.soak.gauges import Gauges

RATE = 15  # registrations a second
FAULTS = (
    FixedReply(503), FixedReply(500), FixedReply(429, {"retry-after": "1"}), FixedReply(502, body="<html>"),
    FixedReply(200, body="{"),
)  # fmt: skip
OUTCOMES = ("completed", "completed", "completed", "failed", "cancelled", "never")
RECEIVERS = (["well"], ["well", "slow"], ["well", "moody"])  # each an origin of its own
DEAD = ("delivery.dead", "deliveries.dead")  # what is given up is told as an error; here it is wanted
DRAIN_S = 90


class Soak:
    """The load on one daemon, and what came of it."""

    def __init__(self, daemon: DaemonProcess, upstream: SimulatedProvider, gauges: Gauges) -> None:
        self.receiver = Starlette(routes=[Route("/{kind}", self._take, methods=["POST"])])
        self.urls: dict[str, str] = {}
        self.asked = self.repeats = 0
        self.waiting: dict[str, float] = {}
        self._daemon = daemon
        self._upstream = upstream
        self._gauges = gauges
        self._rng = random.Random()

    async def run(self, until: float) -> None:
        """Ask, disturb and look on, once a second, until then; then let it drain."""
        async with httpx.AsyncClient(base_url=self._daemon.url, trust_env=False, timeout=30) as http:
            turn = 0
            while time.monotonic() < until:
                begun = time.monotonic()
                await asyncio.gather(self._ask(http), self._look(http))
                self._disturb(turn)
                turn += 1
                await asyncio.sleep(max(0.0, begun + 1 - time.monotonic()))
            await self._drain(time.monotonic() + DRAIN_S)

    async def _ask(self, http: httpx.AsyncClient) -> None:
        for _ in range(RATE):
            outcome, seconds = self._rng.choice(OUTCOMES), self._rng.uniform(0.2, 20)
            script = TaskScript(duration_s=seconds, outcome=outcome)  # type: ignore[arg-type]
            task = self._upstream.add(API_PATH, script)
            urls = [f"{self.urls[kind]}/{kind}" for kind in self._rng.choice(RECEIVERS)]
            if self._rng.random() < 0.02:
                urls.append("http://127.0.0.1:9/gone")
            body = {
                "api_path": API_PATH, "task_id": task.task_id, "expire_after": "25s",
                "callbacks": [{"url": url} for url in urls],
            }  # fmt: skip
            (await http.post("/v1/watches", json=body)).raise_for_status()
            self.asked += 1
            self.waiting[task.task_id] = time.monotonic() + (25 if outcome == "never" else seconds)

    async def _look(self, http: httpx.AsyncClient) -> None:
        begun = time.monotonic()
        (await http.get("/healthz")).raise_for_status()
        self._gauges.health_s.append(time.monotonic() - begun)
        self._gauges.sample(self._daemon.pid, self._daemon.database)

    def _disturb(self, turn: int) -> None:
        if turn % 7 == 3:
            self._upstream.fail_next(self._rng.choices(FAULTS, k=self._rng.choice((1, 2, 4))))
        if turn % 7 == 6:  # else faults pile up while it is probed, and the outage is for good
            self._upstream.recover()
        if turn % 60 == 30:
            self._daemon.signal(signal.SIGHUP)

    async def _drain(self, until: float) -> None:
        while self.waiting and time.monotonic() < until:
            await asyncio.sleep(0.2)

    async def _take(self, request: Request) -> Response:
        event = decode_strict(await request.body())
        assert isinstance(event, dict)
        match request.path_params["kind"]:
            case "slow":
                await asyncio.sleep(0.5)
            case "moody" if self._rng.random() < 0.3:
                return Response(status_code=503)
            case "well":
                self._count(event["data"]["task_id"])
        return Response(status_code=204)

    def _count(self, task_id: str) -> None:
        ended_at = self.waiting.pop(task_id, None)
        if ended_at is None:
            self.repeats += 1
        else:
            self._gauges.late_s.append(max(0.0, time.monotonic() - ended_at))


async def soak(minutes: float) -> int:
    """Run for so long; returns the exit status."""
    gauges, upstream = Gauges(), SimulatedProvider(key=KEY)
    with tempfile.TemporaryDirectory() as folder:
        async with serve(upstream) as upstream_url:
            daemon = DaemonProcess(
                Path(folder), upstream_url=upstream_url, retention__delivered="1m", retention__dead="2m",
                callbacks__give_up_after="1m", polling__max_interval="2s", log__level="info",
            )  # fmt: skip
            load = Soak(daemon, upstream, gauges)
            async with (
                serve(load.receiver) as well,
                serve(load.receiver) as slow,
                serve(load.receiver) as moody,
            ):
                load.urls = {"well": well, "slow": slow, "moody": moody}
                await daemon.start()
                try:
                    await load.run(time.monotonic() + 60 * minutes)
                finally:
                    status = await daemon.end()
    crashes = [
        line for line in daemon.lines if line["level"] in ("error", "critical") and line["event"] not in DEAD
    ]
    print(f"{minutes:g} minutes, {load.asked} watches, {load.repeats} repeats, exit {status}")
    print(*gauges.report(), sep="\n")
    found = gauges.drifts() + [f"never told: {len(load.waiting)}"] * bool(load.waiting)
    found += [f"logged: {crash}" for crash in crashes[:5]] + [f"exit {status}"] * bool(status)
    print(*(found or ["no drift, nothing lost"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(soak(float(sys.argv[1]))))

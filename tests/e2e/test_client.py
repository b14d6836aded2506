"""The Python client and the real daemon: registered, waited for, verified, stopped, across a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notifier.client import (
    AsyncNotifier,
    BadSignature,
    Conflict,
    Event,
    Invalid,
    NotFound,
    Notifier,
    Refused,
    StillWatching,
    calls,
    verify,
)
from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess

pytestmark = pytest.mark.e2e

WAITS = 60


class Seen(AsyncNotifier):
    """Says when so many waits are held by the daemon, or about to be."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.all_held = asyncio.Event()
        self._held = 0

    async def _perform(self, step: calls.RequestStep | calls.PauseStep) -> object:
        if isinstance(step, calls.RequestStep) and step.query and "wait" in step.query:
            self._held += 1
            if self._held == WAITS:
                self.all_held.set()
        return await super()._perform(step)


class Receiver:
    """A receiver as a user writes it: it verifies, keeps each event once and answers."""

    def __init__(self) -> None:
        self.secret = ""
        self.events: dict[str, Event] = {}
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        try:
            event = verify(await request.body(), request.headers, self.secret)
        except BadSignature:
            return Response(status_code=401)
        self.events[event.data.task_id] = event
        return Response(status_code=204)


@asynccontextmanager
async def stage(
    folder: Path, **settings: str
) -> AsyncIterator[tuple[DaemonProcess, SimulatedProvider, Receiver, str]]:
    upstream, receiver = SimulatedProvider(key=KEY), Receiver()
    async with serve(upstream) as upstream_url, serve(receiver.app) as receiver_url:
        daemon = DaemonProcess(folder, upstream_url=upstream_url, under=None, **settings)
        await daemon.start()
        receiver.secret = daemon.secret
        try:
            yield daemon, upstream, receiver, f"{receiver_url}/hook"
        finally:
            await daemon.end()


async def test_a_task_is_registered_waited_for_and_verified(tmp_path: Path) -> None:
    """By the blocking client, as a script would; the second registration is the first one's watch."""
    async with stage(tmp_path) as (daemon, upstream, receiver, hook):
        notifier = Notifier(daemon.url)
        task = upstream.add(API_PATH, TaskScript(duration_s=0.5))

        def script() -> None:
            given = {"callback": hook, "metadata": {"order": 42}}
            watch = notifier.watch(API_PATH, task.task_id, expire_after="10m", **given)  # type: ignore[arg-type]
            assert notifier.watch(API_PATH, task.task_id, **given).id == watch.id  # type: ignore[arg-type]
            ended = notifier.wait(watch.id, max_wait="30s")
            assert ended.is_completed
            assert ended.outputs
            assert ended.payload["task_info"]["id"] == task.task_id
            assert [each.id for each in notifier.list(task_id=task.task_id)] == [watch.id]
            with pytest.raises(Conflict):
                notifier.stop(watch.id)
            while notifier.get(watch.id).deliveries[0].state != "delivered":
                pass

        await asyncio.to_thread(script)
        event = receiver.events[task.task_id]
        assert (event.type, event.data.metadata) == ("task.completed", {"order": 42})
        assert event.data.payload["task_info"]["id"] == task.task_id


async def test_many_waits_go_on_across_a_kill(tmp_path: Path) -> None:
    """Each is a task of asyncio, not a thread; the daemon dies under them and comes back at its socket."""
    listen = f"unix:{tmp_path}/n.sock"
    async with stage(tmp_path, server__listen=listen) as (daemon, upstream, _, hook):
        notifier = Seen(listen)
        tasks = [upstream.add(API_PATH, TaskScript(duration_s=2.0)) for _ in range(WAITS)]
        watches = await asyncio.gather(
            *(notifier.watch(API_PATH, task.task_id, callback=hook) for task in tasks)
        )
        waits = [asyncio.create_task(notifier.wait(watch.id, "60s")) for watch in watches]
        await notifier.all_held.wait()
        await daemon.kill()
        await daemon.start()
        assert all(ended.is_completed for ended in await asyncio.gather(*waits))
        assert len([watch async for watch in notifier.list(limit=WAITS - 1)]) == WAITS - 1


async def test_faults_come_with_code_cause_and_fix(tmp_path: Path) -> None:
    """As the daemon tells them."""
    token = "token-0123456789-abcdef"
    settings = {"server__tokens": '[{ env = "NOTIFIER_E2E" }]', "e2e": token}
    async with stage(tmp_path, **settings) as (daemon, upstream, _, hook):
        with pytest.raises(Refused) as refused:
            await AsyncNotifier(daemon.url).get("wch_1")
        assert "NOTIFIER_TOKEN" in refused.value.fix
        notifier = AsyncNotifier(daemon.url, token)
        with pytest.raises(NotFound):
            await notifier.get("wch_1")
        with pytest.raises(Invalid) as invalid:
            await notifier.watch(API_PATH, "..", callback=hook)
        assert invalid.value.code == "validation_failed"
        assert invalid.value.problem.errors[0].pointer == "/task_id"
        task = upstream.add(API_PATH, TaskScript(outcome="never"))
        watch = await notifier.watch(API_PATH, task.task_id, callback=hook)
        with pytest.raises(StillWatching):
            await notifier.wait(watch.id, 0.3)
        assert (await notifier.stop(watch.id)).state == "stopped"
        assert (await notifier.wait(watch.id)).state == "stopped"

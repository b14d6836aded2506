"""A simulated provider of the catalogue is polled to the end by its own description."""

import io
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from notifier.core.exchange import HttpReply
from notifier.core.formats.task_urls import TaskPlace
from notifier.core.model import WatchState
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.judge_result import judge_result
from notifier.core.polling.poll_request import (
    PollRequest,
    TaskAddress,
    build_poll_request,
    build_result_request,
    make_url_template,
)
from notifier.core.polling.submit_reply import find_submitted_task
from notifier.core.polling.verdict import AccountRefused, Finished, ResultPending, Running, Verdict
from notifier.core.secret import Secret
from notifier.providers.catalogue import list_presets
from notifier.simulator.catalogue_provider import CatalogueProvider
from tests.providers.test_catalogue_data import CATALOGUE
from tests.providers.test_judged_by_the_core import SETTINGS

ORIGIN = "http://127.0.0.1:8001"
KEY = "key-0123456789"
NAMES = [name for name in list_presets() if name != "mulerouter"]


class Bench:
    """A simulated provider, and a client that goes by the description of the real one."""

    def __init__(self, name: str, key: str = KEY) -> None:
        self.name = name
        self.now = 0.0
        self.app = CatalogueProvider(name, key=KEY, monotonic=lambda: self.now)
        self.base_url = f"{ORIGIN}{self.app.base_path}"
        self.key = Secret(key)
        self.description = SETTINGS[name].description
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app))
        self.submit_reply: object = None

    async def submit(self, prompt: str = "") -> TaskPlace:
        example = CATALOGUE[self.name]["example"]
        body = json.dumps({**json.loads(example["submit"]["body"]), "note": prompt})
        task = TaskAddress(example.get("api_path", ""), example["task_id"])
        headers = build_poll_request(self.base_url, self.description, task, self.key).headers
        url = f"{self.base_url}{example['submit']['path']}"
        reply = await self.http.post(url, content=body, headers=headers)
        assert reply.status_code == example["reply"]["http"], reply.text
        self.submit_reply = reply.json()
        template = make_url_template(self.base_url, self.description)
        path = example.get("api_path")
        return find_submitted_task(self.submit_reply, self.name, template, self.description.submit, path)

    async def send(self, request: PollRequest) -> HttpReply:
        reply = await self.http.request(
            request.method, request.url, headers=request.headers, content=request.body
        )
        return HttpReply(reply.status_code, dict(reply.headers), reply.content)

    async def poll(self, place: TaskPlace) -> Verdict:
        address = TaskAddress(place.api_path, place.task_id, place.origin)
        request = build_poll_request(self.base_url, self.description, address, self.key)
        reply = await self.send(request)
        verdict: Verdict = judge_poll(
            reply, task_id=place.task_id, description=self.description, key=self.key, now=0
        )
        if not isinstance(verdict, ResultPending):
            return verdict
        second = build_result_request(self.base_url, self.description, address, verdict.values, self.key)
        return judge_result(
            await self.send(second),
            verdict.first,
            task_id=place.task_id,
            description=self.description,
            key=self.key,
            now=0,
        )


@pytest.fixture
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench(request.param)
    yield bench
    await bench.http.aclose()


each_provider = pytest.mark.parametrize("bench", NAMES, indirect=True)


@each_provider
async def test_a_task_runs_and_completes_with_links_that_can_be_opened(bench: Bench) -> None:
    place = await bench.submit()
    assert isinstance(await bench.poll(place), Running)
    bench.now = 1.0
    assert isinstance(await bench.poll(place), Running)
    bench.now = 3.0
    end = await bench.poll(place)
    assert isinstance(end, Finished), end
    assert end.state is WatchState.COMPLETED
    for url in end.outputs:
        if url.startswith(f"{ORIGIN}/_sim/files/"):
            assert (await bench.http.get(url)).status_code == 200


@each_provider
async def test_two_tasks_have_two_ids(bench: Bench) -> None:
    first, second = await bench.submit(), await bench.submit()
    assert first.task_id != second.task_id
    assert first.api_path == second.api_path


@each_provider
async def test_a_word_in_the_submission_makes_the_task_fail(bench: Bench) -> None:
    place = await bench.submit("fail")
    bench.now = 3.0
    end = await bench.poll(place)
    assert isinstance(end, Finished)
    assert end.state is WatchState.FAILED


@each_provider
async def test_another_key_is_refused_as_the_provider_does(bench: Bench) -> None:
    place = await bench.submit()
    bench.key = Secret("another-key-0123")
    verdict = await bench.poll(place)
    assert not isinstance(verdict, Running | Finished)
    if bench.name != "xai":  # whose reply to a wrong key is as that to any bad request
        assert isinstance(verdict, AccountRefused)


@pytest.mark.parametrize("bench", ["runway"], indirect=True)
async def test_an_unknown_task_is_unknown(bench: Bench) -> None:
    place = await bench.submit()
    verdict = await bench.poll(replace(place, task_id="00000000-0000-4000-8000-000000000000"))
    assert not isinstance(verdict, Running | Finished)


@pytest.mark.parametrize("bench", ["fal"], indirect=True)
async def test_the_files_are_real(bench: Bench) -> None:
    png = await bench.http.get(f"{ORIGIN}/_sim/files/1.png")
    assert (png.headers["content-type"], png.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    wav = await bench.http.get(f"{ORIGIN}/_sim/files/1.wav")
    with wave.open(io.BytesIO(wav.content)) as sound:
        assert sound.getnframes() == 800
    assert (await bench.http.get(f"{ORIGIN}/_sim/files/1.exe")).status_code == 404

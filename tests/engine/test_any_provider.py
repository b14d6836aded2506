"""Every provider of the catalogue through the real poller and store: from its golden replies to the event."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from notifier.config.load import load
from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.core.model import Callback, NewWatch, WatchState
from notifier.core.polling.poll_request import (
    TaskAddress,
    build_poll_request,
    build_result_request,
    make_url_template,
)
from notifier.core.polling.submit_reply import find_submitted_task
from notifier.core.secret import Secret
from notifier.store.values import WatchAdded
from tests.configuration import PAGE
from tests.engine.conftest import HOOK, HOUR_MS, KEY, Bench
from tests.providers.test_catalogue_data import CATALOGUE
from tests.providers.test_judged_by_the_core import SETTINGS

ENDS = {"completed", "failed", "cancelled"}
FINAL = [
    pytest.param(name, golden, id=f"{name}-{golden['name']}")
    for name, data in CATALOGUE.items()
    for golden in data["golden"]
    if golden["verdict"]["state"] in ENDS and golden.get("step") != "result"
]
RESULTS = [name for name, settings in SETTINGS.items() if settings.description.result is not None]
DOWN = NoReply(FailureKind.CONNECT, "connection refused")


class Task:
    """A task of the example of a provider, and the URLs of its requests."""

    def __init__(self, name: str) -> None:
        example = CATALOGUE[name]["example"]
        self.name = name
        self.settings = replace(SETTINGS[name], name=name, api_key=KEY, max_rate_per_s=1_000.0)
        self.address = TaskAddress(example.get("api_path", ""), example["task_id"])
        description, base_url = self.settings.description, self.settings.base_url
        self.url = build_poll_request(base_url, description, self.address, KEY).url
        self.result_url = ""
        if description.result is not None:
            values = dict.fromkeys(description.result.values, "205258526306433")
            request = build_result_request(base_url, description, self.address, values, KEY)
            self.result_url = request.url

    def golden(self, kind: str) -> HttpReply:
        """The first golden reply whose name begins so."""
        found = next(each for each in CATALOGUE[self.name]["golden"] if each["name"].startswith(kind))
        return to_reply(found)

    async def register(self, bench: Bench, *, origin: str = "", expire_after_ms: int = HOUR_MS) -> str:
        now = bench.clock.now()
        bench.poller.configure({self.name: self.settings}, give_up_after_ms=72 * HOUR_MS)
        new = NewWatch(
            provider=self.name,
            api_path=self.address.api_path,
            task_id=self.address.task_id,
            callbacks=(Callback(HOOK),),
            metadata="{}",
            registered_at=now,
            first_poll_at=now,
            expires_at=now + expire_after_ms,
            poll_origin=origin,
        )
        (added,) = await bench.store.add_watches([new], give_up_at=now + HOUR_MS, max_live=100)
        assert isinstance(added, WatchAdded)
        return added.watch.id


def ready_result(name: str) -> Any:
    """The first golden reply of a second GET that has the result."""
    golden = CATALOGUE[name]["golden"]
    return next(each for each in golden if each.get("step") == "result" and each["http"] == 200)


def to_reply(golden: Any) -> HttpReply:
    return HttpReply(golden["http"], golden.get("headers", {}), golden["body"].encode())


async def poll_when_due(bench: Bench, watch_id: str) -> None:
    due_at = (await bench.see(watch_id)).watch.due_at
    assert due_at is not None
    bench.clock.advance(max(0, due_at - bench.clock.now()))
    await bench.poll()


async def data_of(bench: Bench, watch_id: str) -> Any:
    event = (await bench.see(watch_id)).event
    assert event is not None
    return json.loads(event.body)["data"]


@pytest.mark.parametrize(("name", "golden"), FINAL)
async def test_a_task_runs_and_ends_as_its_golden_replies_say(bench: Bench, name: str, golden: Any) -> None:
    task = Task(name)
    watch_id = await task.register(bench)
    running = next(each for each in CATALOGUE[name]["golden"] if each["verdict"]["state"] == "running")
    bench.polls.add(task.url, to_reply(running), HttpReply(503), to_reply(golden))
    is_pending = golden["verdict"]["state"] == "completed" and task.result_url
    if is_pending:
        result = ready_result(name)
        bench.polls.add(task.result_url, to_reply(result))
    for _ in range(4 if is_pending else 3):
        await poll_when_due(bench, watch_id)
    data = await data_of(bench, watch_id)
    assert data["status"] == golden["verdict"]["state"]
    expected = golden["verdict"] if not is_pending else result["verdict"]
    assert data["outputs"] == expected.get("outputs", [])
    assert {request.method for request in bench.polls.requests[:1]} == {task.settings.description.method}


@pytest.mark.parametrize("name", RESULTS)
async def test_a_result_that_fails_twice_is_asked_for_again_and_the_task_is_not(
    bench: Bench, name: str
) -> None:
    """The first reply is stored, as some providers tell only once that a task completed."""
    task = Task(name)
    watch_id = await task.register(bench)
    bench.polls.add(task.url, task.golden("succeeded"))
    ready = ready_result(name)
    bench.polls.add(task.result_url, HttpReply(500), DOWN, to_reply(ready))
    await poll_when_due(bench, watch_id)
    watch = (await bench.see(watch_id)).watch
    assert (watch.state, watch.due_at) == (WatchState.WATCHING, bench.clock.now())
    assert await bench.store.completion(watch_id) is not None
    await poll_when_due(bench, watch_id)
    watch = (await bench.see(watch_id)).watch
    assert watch.trouble is not None
    assert watch.trouble.cause.text().startswith("the task is completed, and its result cannot be read: ")
    for _ in range(2):
        await poll_when_due(bench, watch_id)
    data = await data_of(bench, watch_id)
    assert (data["status"], data["outputs"], data["error"]) == (
        "completed",
        ready["verdict"]["outputs"],
        None,
    )
    assert data["payload"] == json.loads(ready["body"])
    assert [request.url for request in bench.polls.requests] == [task.url, *[task.result_url] * 3]
    assert await bench.store.completion(watch_id) is None


async def test_the_first_reply_survives_a_crash(bench: Bench) -> None:
    """What counts is on disk before the second request is made: another poller goes on with it."""
    task = Task("fal")
    watch_id = await task.register(bench)
    bench.polls.add(task.url, task.golden("succeeded"), HttpReply(404, {}, b'{"detail": "gone"}'))
    bench.polls.add(task.result_url, task.golden("result-images"))
    await poll_when_due(bench, watch_id)
    bench.poller._limiters.clear()  # a new process knows nothing
    bench.poller.configure({"fal": task.settings}, give_up_after_ms=HOUR_MS)
    await poll_when_due(bench, watch_id)
    assert (await data_of(bench, watch_id))["status"] == "completed"


async def test_a_result_that_never_comes_is_told_as_completed_at_the_deadline(bench: Bench) -> None:
    task = Task("fal")
    watch_id = await task.register(bench, expire_after_ms=120_000)
    bench.polls.add(task.url, task.golden("succeeded"))
    bench.polls.add(task.result_url, HttpReply(404, {}, b'{"detail": "Request not found"}'))
    for _ in range(100):
        if (await bench.see(watch_id)).watch.ended_at is not None:
            break
        await poll_when_due(bench, watch_id)
    data = await data_of(bench, watch_id)
    assert (data["status"], data["outputs"]) == ("completed", [])
    assert (data["error"]["source"], data["error"]["code"]) == ("notifier", "result_unavailable")
    assert "Request not found" in data["error"]["detail"]
    assert data["payload"]["request_id"] == task.address.task_id


async def test_a_completed_task_does_not_expire_while_its_provider_is_away(bench: Bench) -> None:
    task = Task("fal")
    watch_id = await task.register(bench, expire_after_ms=120_000)
    bench.polls.add(task.url, task.golden("succeeded"))
    bench.polls.add(task.result_url, HttpReply(401, {}, b'{"detail": "no"}'))
    for _ in range(4):
        await poll_when_due(bench, watch_id)
    for _ in range(40):
        bench.clock.advance(20_000)
        await bench.poll()
    data = await data_of(bench, watch_id)
    assert (data["status"], data["error"]["source"]) == ("completed", "notifier")


async def test_a_result_that_says_failed_ends_the_task_as_failed(bench: Bench) -> None:
    task = Task("fal")
    watch_id = await task.register(bench)
    bench.polls.add(task.url, task.golden("succeeded"))
    bench.polls.add(task.result_url, task.golden("moderated"))
    for _ in range(2):
        await poll_when_due(bench, watch_id)
    data = await data_of(bench, watch_id)
    assert (data["status"], data["error"]["code"]) == ("failed", "content_policy_violation")


async def test_a_value_that_is_missing_is_a_trouble_and_no_request(bench: Bench) -> None:
    task = Task("minimax-v1")
    watch_id = await task.register(bench)
    body = json.loads(task.golden("succeeded").body) | {"file_id": ""}
    bench.polls.add(task.url, HttpReply(200, {}, json.dumps(body).encode()), task.golden("succeeded"))
    bench.polls.add(task.result_url, task.golden("result-ready"))
    await poll_when_due(bench, watch_id)
    trouble = (await bench.see(watch_id)).watch.trouble
    assert trouble is not None
    assert trouble.cause.text() == "the task is completed, and its reply has no file_id at 'file_id'"
    for _ in range(2):
        await poll_when_due(bench, watch_id)
    assert (await data_of(bench, watch_id))["outputs"] == ["https://files.example/1.mp4"]


async def test_a_task_on_a_further_host_is_polled_there_while_it_is_configured(
    bench: Bench,
) -> None:
    """P6: a host that was taken out of the configuration gets no key any more."""
    task = Task("bfl")
    watch_id = await task.register(bench, origin="https://api.us1.bfl.ai")
    regional = task.url.replace("https://api.bfl.ai", "https://api.us1.bfl.ai")
    bench.polls.add(regional, task.golden("running"))
    bench.polls.add(task.url, task.golden("succeeded"))
    await poll_when_due(bench, watch_id)
    description = replace(task.settings.description, hosts=())
    bench.poller.configure({"bfl": replace(task.settings, description=description)}, give_up_after_ms=HOUR_MS)
    await poll_when_due(bench, watch_id)
    assert [request.url for request in bench.polls.requests] == [regional, task.url]


async def test_a_poll_by_post_names_the_task_in_its_body(bench: Bench) -> None:
    task = Task("vertex")
    watch_id = await task.register(bench)
    bench.polls.add(task.url, task.golden("succeeded"))
    await poll_when_due(bench, watch_id)
    [request] = bench.polls.requests
    assert (request.method, json.loads(request.body)) == ("POST", {"operationName": task.address.task_id})
    assert request.headers["content-type"] == "application/json"


async def test_an_empty_202_is_no_trouble_where_the_code_decides(bench: Bench) -> None:
    task = Task("stability")
    watch_id = await task.register(bench)
    bench.polls.add(task.url, HttpReply(202))
    await poll_when_due(bench, watch_id)
    assert (await bench.see(watch_id)).watch.trouble is None


async def test_a_secret_of_the_headers_is_removed_from_replies(bench: Bench) -> None:
    """As the key is (CONTRACT P6)."""
    task = Task("replicate")
    description = replace(task.settings.description, headers={"x-extra": KEY})
    task.settings = replace(task.settings, api_key=None, description=description)
    watch_id = await task.register(bench)
    body = json.loads(task.golden("failed").body) | {"error": f"bad header {KEY.reveal()}"}
    bench.polls.add(task.url, HttpReply(200, {}, json.dumps(body).encode()))
    await poll_when_due(bench, watch_id)
    assert bench.polls.requests[0].headers["x-extra"] == KEY.reveal()
    data = await data_of(bench, watch_id)
    assert data["error"]["detail"] == "bad header ***"
    assert KEY.reveal() not in json.dumps(data)


async def test_no_key_is_seen_by_a_host_that_is_not_its_own(bench: Bench) -> None:
    """P6, with all providers at once and second accounts, each with a host and a key of its own."""
    tasks = {}
    for number, name in enumerate([*SETTINGS, "second", "third"]):
        task = Task(name if name in SETTINGS else "fal")
        base_url = task.settings.base_url.replace("://", f"://h{number}.")
        task.settings = replace(
            task.settings, name=name, base_url=base_url, api_key=Secret(f"key-{number}-canary")
        )
        task.name = name
        task.url, task.result_url = (
            url.replace("://", f"://h{number}.") for url in (task.url, task.result_url)
        )
        tasks[name] = task
    for task in tasks.values():
        await task.register(bench)
        preset = task.settings.preset or "mulerouter"
        succeeded = next(each for each in CATALOGUE[preset]["golden"] if each["name"].startswith("succeeded"))
        bench.polls.add(task.url, to_reply(succeeded))
        if task.result_url:
            bench.polls.add(task.result_url, to_reply(ready_result(preset)))
    settings = {name: task.settings for name, task in tasks.items()}
    bench.poller.configure(settings, give_up_after_ms=HOUR_MS)
    for _ in range(3):
        bench.clock.advance(1_000)
        await bench.poll()
    hosts: dict[str, set[str]] = {}
    for request in bench.polls.requests:
        [sent] = re.findall(r"key-(\d+)-canary", " ".join(request.headers.values()))
        hosts.setdefault(request.url.split("/")[2].split(".")[0], set()).add(f"h{sent}")
    assert len(hosts) == len(tasks)
    assert all(keys == {host} for host, keys in hosts.items())


async def test_the_hard_provider_of_the_documents_works_as_written(bench: Bench, tmp_path: Path) -> None:
    """Polled by POST, ids with slashes, codes inside of HTTP 200, a second GET."""
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text("\n".join(blocks))
    (tmp_path / "hard.key").write_text(KEY.reveal())
    config = load(tmp_path / "config.toml", {"ACME_KEY": "acme-0123456789", "HARD_TEAM": "team-0123456789"})
    hard = config.providers["hard"]
    bench.poller.configure({"hard": hard}, give_up_after_ms=HOUR_MS)
    place = find_submitted_task(
        {"name": "operations/video/7"},
        "hard",
        make_url_template(hard.base_url, hard.description),
        hard.description.submit,
    )
    now = bench.clock.now()
    new = NewWatch("hard", place.api_path, place.task_id, (Callback(HOOK),), "{}", now, now, now + HOUR_MS)
    (added,) = await bench.store.add_watches([new], give_up_at=now + HOUR_MS, max_live=10)
    assert isinstance(added, WatchAdded)
    bench.polls.add(
        "https://hard.example/v1/operations:fetch",
        HttpReply(202),
        HttpReply(200, {}, b'{"code": 1002, "message": "slow down"}'),
        HttpReply(200, {}, b'{"status": "Success", "file": {"id": 42}}'),
    )
    bench.polls.add(
        "https://hard.example/v1/files?file_id=42",
        HttpReply(200, {}, b'{"download_url": "https://files.example/42.mp4"}'),
    )
    for _ in range(40):
        if (await bench.see(added.watch.id)).watch.ended_at is not None:
            break
        bench.clock.advance(5_000)
        await bench.poll()
    data = await data_of(bench, added.watch.id)
    assert (data["status"], data["outputs"]) == ("completed", ["https://files.example/42.mp4"])
    first = bench.polls.requests[0]
    assert (first.method, json.loads(first.body)) == ("POST", {"name": "operations/video/7"})
    assert first.headers["x-team"] == "team-0123456789"

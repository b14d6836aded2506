"""A task is registered by the reply to its submission, whatever provider it is from."""

import json
from typing import Any

import pytest

from notifier.api.services import RegistrationDefaults
from notifier.config.load import load
from notifier.config.model import Config
from notifier.daemon.settings import make_api_settings
from notifier.providers.catalogue import list_presets, read_preset
from tests.api.conftest import HOOK, Bench, pointers

NAMES = [name for name in list_presets() if name != "mulerouter"]
FAL_REPLY = json.loads(read_preset("fal")["example"]["reply"]["body"])
BFL_REPLY = json.loads(read_preset("bfl")["example"]["reply"]["body"])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Every provider of the catalogue, at once."""
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text("".join(f"[providers.{name}]\n" for name in list_presets()))
    return load(path, {})


def providers_of(config: Config, *names: str) -> dict[str, RegistrationDefaults]:
    settings = make_api_settings(config, ()).providers
    return {name: settings[name] for name in names or settings}


async def register(bench: Bench, **body: Any) -> Any:
    return await bench.http.post("/v1/watches", json={"callback_url": HOOK, **body})


@pytest.mark.parametrize("name", list_presets())
async def test_any_provider_s_own_reply_registers_its_task(bench: Bench, config: Config, name: str) -> None:
    """With the api_path beside it, where the catalogue says that the reply does not have it."""
    bench.configure(providers=providers_of(config))
    example = read_preset(name)["example"]
    reply = json.loads(example["reply"]["body"])
    answer = await register(bench, reply=reply, provider=name)
    if answer.status_code == 422:
        assert pointers(answer) == ["/reply"]
        assert "give api_path beside it" in answer.json()["detail"]
        answer = await register(bench, reply=reply, provider=name, api_path=example["api_path"])
    assert answer.status_code == 201, answer.text
    watch = answer.json()
    wanted = (name, example.get("api_path", ""), example["task_id"])
    assert (watch["provider"], watch["api_path"], watch["task_id"]) == wanted


@pytest.mark.parametrize("name", list_presets())
async def test_the_same_task_by_url_by_reply_and_by_id_is_one_watch(
    bench: Bench, config: Config, name: str
) -> None:
    bench.configure(providers=providers_of(config))
    example = read_preset(name)["example"]
    path = {"api_path": example["api_path"]} if "api_path" in example else {}
    first = await register(bench, provider=name, task_id=example["task_id"], **path)
    assert first.status_code == 201, first.text
    reply = json.loads(example["reply"]["body"])
    by_reply = await register(bench, provider=name, reply=reply, **path)
    assert (by_reply.status_code, by_reply.json()["id"]) == (200, first.json()["id"])
    method, url = example["poll"].split(" ")
    if method == "GET":
        by_url = await register(bench, task_url=url)
        assert (by_url.status_code, by_url.json()["id"]) == (200, first.json()["id"]), by_url.text


async def test_an_api_path_that_no_request_contains_makes_no_second_watch(
    bench: Bench, config: Config
) -> None:
    bench.configure(providers=providers_of(config, "runway"))
    first = await register(bench, task_id="t-1")
    second = await register(bench, task_id="t-1", api_path="/v1/text_to_video")
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])


async def test_the_provider_may_be_left_out_where_the_url_to_poll_names_it(
    bench: Bench, config: Config
) -> None:
    bench.configure(providers=providers_of(config))
    for name, reply in (("fal", FAL_REPLY), ("bfl", BFL_REPLY)):
        answer = await register(bench, reply=reply)
        assert (answer.status_code, answer.json()["provider"]) == (201, name)


async def test_a_reply_that_fits_several_providers_asks_for_one(bench: Bench, config: Config) -> None:
    bench.configure(providers=providers_of(config, "runway", "luma", "fal"))
    answer = await register(bench, reply={"id": "t-1"})
    assert pointers(answer) == ["/provider"]
    assert "is required, because the reply fits several: luma, runway" in answer.json()["detail"]


async def test_a_url_to_poll_on_a_regional_host_is_polled_there(bench: Bench, config: Config) -> None:
    bench.configure(providers=providers_of(config, "bfl"))
    watch = (await register(bench, reply=BFL_REPLY)).json()
    detail = await bench.store.watch(watch["id"])
    assert detail is not None
    assert detail.watch.poll_origin == "https://api.us1.bfl.ai"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.us1.bfl.ai.evil.example/v1/get_result?id=44444444-5555-4666-8777-888888888888",
        "https://bfl.ai@evil.example/v1/get_result?id=44444444-5555-4666-8777-888888888888",
        "http://api.us1.bfl.ai/v1/get_result?id=44444444-5555-4666-8777-888888888888",
        "https://api.us1.bfl.ai:8443/v1/get_result?id=44444444-5555-4666-8777-888888888888",
        "https://api.us1.bfl.ai/v2/get_result?id=44444444-5555-4666-8777-888888888888",
        "https://api.us1.bfl.ai/v1/get_result?id=another-task",
        "not a URL",
    ],
)
async def test_a_url_to_poll_elsewhere_registers_nothing(bench: Bench, config: Config, url: str) -> None:
    """CONTRACT, HTTP: no field can change the host that a key is sent to."""
    bench.configure(providers=providers_of(config, "bfl"))
    answer = await register(bench, reply={**BFL_REPLY, "polling_url": url})
    assert (answer.status_code, pointers(answer)) == (422, ["/reply"])
    assert (await bench.http.get("/v1/watches")).json()["watches"] == []


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"reply": {"error": "no"}}, "/reply", "as a reply of runway it has no task id at 'id'"),
        ({"reply": {"id": True}}, "/reply", "it has no task id"),
        ({"reply": {"id": "a/b"}}, "/reply", "a task id is 1 to 200 of"),
        ({"reply": "t-1"}, "/reply", "must be an object"),
        ({"reply": {"id": "t"}, "task_id": "t"}, "/reply", "names the task already; leave out task_id"),
        ({"reply": {"id": "t"}, "provider": "runwy"}, "/provider", "did you mean runway?"),
        ({"reply": {"id": "t"}, "api_path": "x"}, "/api_path", "an api_path is /segments"),
    ],
)
async def test_a_reply_without_a_task_says_what_is_missing(
    bench: Bench, config: Config, body: Any, pointer: str, detail: str
) -> None:
    bench.configure(providers=providers_of(config, "runway"))
    answer = await register(bench, **body)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])
    assert detail in answer.json()["errors"][0]["detail"]


async def test_a_number_is_an_id(bench: Bench, config: Config) -> None:
    bench.configure(providers=providers_of(config, "minimax-v1"))
    watch = (await register(bench, reply={"task_id": 176843862716480, "base_resp": {}})).json()
    assert watch["task_id"] == "176843862716480"


async def test_ids_hold_the_signs_of_their_provider_only(bench: Bench, config: Config) -> None:
    bench.configure(providers=providers_of(config, "gemini", "runway"))
    name = f"models/veo-3/operations/{'a' * 230}"
    assert (await register(bench, provider="gemini", task_id=name)).status_code == 201
    for wrong in (f"{name}{'a' * 30}", "models/../operations/a", "models//a", "models/a?b", "models/a%2fb"):
        answer = await register(bench, provider="gemini", task_id=wrong)
        assert (answer.status_code, pointers(answer)) == (422, ["/task_id"]), wrong
    assert (await register(bench, provider="runway", task_id="a/b")).status_code == 422


async def test_two_accounts_on_one_host_are_told_apart_by_the_provider(bench: Bench, config: Config) -> None:
    place = providers_of(config, "runway")["runway"]
    bench.configure(providers={"one": place, "two": place})
    url = "https://api.dev.runwayml.com/v1/tasks/t-1"
    answer = await register(bench, task_url=url)
    assert "name the provider beside it" in answer.json()["detail"]
    named = await register(bench, task_url=url, provider="two")
    assert (named.status_code, named.json()["provider"]) == (201, "two")

"""The commands providers and try, and check on descriptions: a table is seen and tried before it is used."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from notifier.cli.check_descriptions import list_description_notes
from notifier.cli.check_providers import judge_key
from notifier.cli.providers import format_preset
from notifier.config.load import load
from notifier.core.exchange import HttpReply
from notifier.providers.catalogue import list_presets, read_preset
from tests.cli.conftest import Canned, FakeDaemon, Run
from tests.providers.test_judged_by_the_core import SETTINGS

FAL_DONE = b'{"status": "COMPLETED", "request_id": "t-1"}'
KEY = "canary-0123456789"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file that the command finds."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("NOTIFIER_CONFIG", str(path))
    path.write_text("")
    return path


def test_providers_lists_the_catalogue_with_the_variable_of_the_key(run: Run) -> None:
    lines = run("providers").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(list_presets())
    assert any(line.startswith("replicate ") and "REPLICATE_API_TOKEN" in line for line in lines)
    report = json.loads(run("providers", "--json").out)
    assert {each["name"] for each in report["providers"]} == set(list_presets())


def test_an_unknown_provider_is_refused_with_the_nearest(run: Run) -> None:
    result = run("providers", "replicat")
    assert (result.code, result.out) == (64, "")
    assert "did you mean replicate?" in result.err


@pytest.mark.parametrize("name", list_presets())
def test_a_printed_table_can_be_copied_as_it_is(tmp_path: Path, name: str) -> None:
    """It means what the preset means; nothing of the file is lost but its golden replies."""
    text = format_preset(name)
    assert tomllib.loads(text)["providers"][name] == read_preset(name)["provider"]
    variable = read_preset(name)["provider"].get("api_key", {}).get("env", "UNUSED")
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "b.toml").write_text(f"[providers.{name}]")
    copied, named = (load(tmp_path / file, {variable: KEY}).providers[name] for file in ("a.toml", "b.toml"))
    assert copied == named
    for source in read_preset(name)["sources"]:
        assert source["at"] in text


def test_try_prints_the_request_without_the_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", KEY)
    result = run("try", "fal")
    assert result.code == 0
    assert "GET https://queue.fal.run/fal-ai/flux/requests/" in result.out
    assert "Authorization: Key ***" in result.out
    assert KEY not in result.out + result.err


@pytest.mark.parametrize(
    ("body", "http", "args", "state", "code"),
    [
        (FAL_DONE, 200, (), "completed", 0),
        (b'{"status": "IN_QUEUE"}', 202, (), "running", 0),
        (b'{"detail": "no"}', 404, (), "lost", 1),
        (b'{"detail": "no"}', 401, (), "refused", 1),
        (b"<html>", 200, (), "retry", 1),
        (b'{"images": [{"url": "https://files.example/1.png"}]}', 200, ("--result",), "completed", 0),
        (b'{"detail": "Bad image"}', 422, ("--result",), "failed", 0),
    ],
)
def test_try_judges_a_reply_of_a_file(
    run: Run, tmp_path: Path, body: bytes, http: int, args: tuple[str, ...], state: str, code: int
) -> None:
    answer = tmp_path / "answer.json"
    answer.write_bytes(body)
    options = ("--task", "t-1", "--api-path", "/fal-ai/flux", "--answer", str(answer), "--http", str(http))
    result = run("try", "fal", *options, *args, "--json")
    assert result.code == code
    assert json.loads(result.out)["state"] == state


def test_try_says_outputs_expiry_and_what_found_nothing(run: Run, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text('{"id": "t-1", "status": "SUCCEEDED", "output": ["https://files.example/1.mp4"]}')
    result = run("try", "runway", "--task", "t-1", "--answer", str(answer))
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "outputs https://files.example/1.mp4" in lines
    assert any(line.startswith("expires ") for line in lines)
    assert "nothing found by created_at = 'createdAt'" in lines


def test_try_polls_a_task_and_asks_for_its_result(run: Run, daemon: FakeDaemon, config: Path) -> None:
    """Once each; the scripted daemon is the provider."""
    config.write_text(f'[providers.fal]\nbase_url = "{daemon.url}"')
    daemon.on("GET", "/fal-ai/flux/requests/t-1/status", Canned(200, FAL_DONE))
    daemon.on("GET", "/fal-ai/flux/requests/t-1", {"images": [{"url": "https://files.example/1.png"}]})
    result = run("try", "fal", "--task", "t-1", "--api-path", "/fal-ai/flux", "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert (report["state"], report["outputs"]) == ("completed", ["https://files.example/1.png"])
    assert [each.path for each in daemon.asked] == [
        "/fal-ai/flux/requests/t-1/status",
        "/fal-ai/flux/requests/t-1",
    ]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("nope",), "there is no provider 'nope'"),
        (("runwy",), "did you mean runway?"),
        (("fal", "--task", "t-1"), "give --api-path PATH beside --task"),
        (("runway", "--task", "a/b"), "no request can be made of this task"),
    ],
)
def test_try_says_what_it_needs(run: Run, args: tuple[str, ...], text: str) -> None:
    result = run("try", *args)
    assert (result.code, result.out) == (64, "")
    assert text in " ".join(result.err.split())


def notes_of(config: Path, text: str) -> list[str]:
    config.write_text(text)
    return list_description_notes(load(config, {}))


def test_check_has_nothing_against_the_catalogue(config: Path) -> None:
    assert notes_of(config, "".join(f"[providers.{name}]\n" for name in list_presets())) == []


def test_check_names_an_expression_that_fails_and_a_reply_that_means_another_thing(config: Path) -> None:
    notes = notes_of(
        config,
        '[providers.runway]\noutputs = "sort_by(output, &url)"\nwords.completed = ["DONE"]\n',
    )
    assert notes[0].startswith("providers.runway.outputs: the expression fails on an empty object")
    assert (
        "providers.runway: the golden reply succeeded of runway means retry with this table, not completed"
        in notes
    )


REFUSED = [
    pytest.param(name, golden, id=f"{name}-{golden['name']}")
    for name in list_presets()
    for golden in read_preset(name)["golden"]
    if golden["name"].startswith("refused")
]


@pytest.mark.parametrize(("name", "golden"), REFUSED)
def test_no_provider_s_reply_to_a_wrong_key_is_called_accepted(name: str, golden: Any) -> None:
    """Some write it as HTTP 400, some in a body of HTTP 200."""
    settings = replace(SETTINGS[name], name=name)
    task_id = read_preset(name)["example"]["task_id"]
    reply = HttpReply(golden["http"], golden.get("headers", {}), golden["body"].encode())
    check = judge_key(settings, reply, task_id)
    assert check.is_ok is not True
    if check.is_ok is None:
        assert check.text.startswith(
            "cannot tell whether the key is accepted (HTTP 400 for a made-up task; it says"
        )


def test_an_unknown_task_at_a_made_up_path_proves_nothing(run: Run) -> None:
    """RunPod and fal do not know the path, whatever the key is."""
    for name, accepted in (("fal", None), ("runpod", None), ("replicate", True)):
        golden = next(each for each in read_preset(name)["golden"] if each["name"] == "unknown")
        reply = HttpReply(golden["http"], {}, golden["body"].encode())
        assert judge_key(replace(SETTINGS[name], name=name), reply).is_ok is accepted, name


def test_check_online_polls_a_provider_in_its_own_way(run: Run, daemon: FakeDaemon, config: Path) -> None:
    config.write_text(
        f'[providers.minimax-v1]\nbase_url = "{daemon.url}"\n'
        f'[providers.mulerouter]\nbase_url = "{daemon.url}"\n'
    )
    refused = b'{"base_resp": {"status_code": 1004, "status_msg": "login fail"}}'
    daemon.on("GET", "/v1/query/video_generation", Canned(200, refused))
    daemon.on(
        "GET",
        "/vendors/alibaba/v1/qwen-image-edit-max/generation/00000000-0000-4000-8000-000000000000",
        Canned(404, b'{"status": 404}'),
    )
    result = run("check", "--online")
    assert result.code == 1
    assert (
        'FAILED: minimax-v1: provider refuses the key or the account ("1004"); it says "login fail"'
        in result.out
    )

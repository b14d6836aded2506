"""Golden replies give their verdicts in the real judge too, by the settings that a user's table has."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from notifier.cli.check_descriptions import name_state
from notifier.config.load import load
from notifier.config.model import ProviderSettings
from notifier.core.exchange import HttpReply
from notifier.core.model import Callback, Watch, WatchState
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import decide_poll
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.judge_result import judge_result
from notifier.core.polling.poll_request import TaskAddress, build_poll_request, build_result_request
from notifier.core.polling.verdict import (
    Finished,
    Inconclusive,
    ResultPending,
    Running,
    Throttled,
    Verdict,
)
from notifier.core.secret import Secret
from tests.providers.evaluation import Table, duration_ms, parse_instant
from tests.providers.test_catalogue_data import CATALOGUE, each_golden

NOW = 1_767_787_200_000  # 2026-01-07T12:00:00Z, after every finish in the catalogue
KEY = Secret("key-0123456789")
FIRST = Finished(WatchState.COMPLETED, "COMPLETED", (), None, "{}")


def settings_of(name: str) -> ProviderSettings:
    """What ``[providers.NAME]`` means, with nothing in it."""
    return load(None, {f"NOTIFIER_PROVIDERS__{name.upper().replace('-', '_')}__PRESET": name}).providers[
        name.replace("-", "_")
    ]


SETTINGS = {name: settings_of(name) for name in CATALOGUE}


def judge(name: str, golden: Table) -> Verdict:
    reply = HttpReply(golden["http"], golden.get("headers", {}), golden["body"].encode())
    context: dict[str, Any] = {
        "task_id": CATALOGUE[name]["example"]["task_id"],
        "description": SETTINGS[name].description,
        "key": KEY,
        "now": NOW,
    }
    is_result = golden.get("step") == "result"
    return judge_result(reply, FIRST, **context) if is_result else judge_poll(reply, **context)


def end_of(name: str, verdict: Verdict) -> EndWatch:
    watch = Watch(
        id="wch_1",
        provider=name,
        api_path="",
        task_id="t",
        state=WatchState.WATCHING,
        callbacks=(Callback("http://127.0.0.1:9001/hook"),),
        metadata="{}",
        registered_at=NOW - 86_400_000,
        expires_at=NOW + 86_400_000,
        due_at=NOW,
    )
    schedule = AgeSchedule(2_500, 60_000, 0.1)
    ttl_ms = SETTINGS[name].result_ttl_ms
    end = decide_poll(watch, verdict, schedule=schedule, result_ttl_ms=ttl_ms, now=NOW, jitter=0.0)
    assert isinstance(end, EndWatch)
    return end


@each_golden
def test_a_golden_reply_means_what_its_verdict_says(name: str, golden: Table) -> None:
    verdict, expected = judge(name, golden), golden["verdict"]
    assert name_state(verdict) == expected["state"]
    if isinstance(verdict, Throttled | Inconclusive):
        seconds = verdict.retry_after_ms and f"{verdict.retry_after_ms // 1_000}s"
        assert seconds == expected.get("retry_after")
    if isinstance(verdict, Running):
        assert verdict.upstream_status == expected.get("word")
    if isinstance(verdict, Running | Finished) and "created_at" in expected:
        assert verdict.created_at == _ms(parse_instant(expected["created_at"]))


@each_golden
def test_a_golden_end_has_its_outputs_error_and_expiry(name: str, golden: Table) -> None:
    verdict, expected = judge(name, golden), golden["verdict"]
    if isinstance(verdict, ResultPending):
        verdict = verdict.first
    if not isinstance(verdict, Finished):
        return
    if golden.get("step") != "result":
        word = expected.get("word", f"HTTP {golden['http']}")
        assert verdict.upstream_status == word
    has_second_get = golden.get("step") != "result" and SETTINGS[name].description.result is not None
    assert list(verdict.outputs) == ([] if has_second_get else expected.get("outputs", []))
    if verdict.error is not None:
        assert verdict.error.source == "provider"
        assert verdict.error.code == expected.get("code")
        assert verdict.error.detail == expected.get("detail")
        assert verdict.error.title == expected.get("title", verdict.error.title)
        assert "title" in expected or verdict.error.title.startswith("The task ")
    if "finished_at" in expected:
        assert verdict.finished_at == _ms(parse_instant(expected["finished_at"]))
    if golden.get("step") != "result":
        assert end_of(name, verdict).result_expires_at == _expiry(expected.get("result_expires_at"))


def _expiry(text: str | None) -> int | None:
    if text is not None and text.startswith("poll + "):
        return NOW + duration_ms(text.removeprefix("poll + "))
    return None if text is None else _ms(parse_instant(text))


def _ms(at: datetime | None) -> int:
    assert at is not None
    return round((at - datetime.fromtimestamp(0, at.tzinfo)) / timedelta(milliseconds=1))


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_requests_of_the_example_are_built(name: str) -> None:
    provider, example = SETTINGS[name], CATALOGUE[name]["example"]
    task = TaskAddress(example.get("api_path", ""), example["task_id"])
    request = build_poll_request(provider.base_url, provider.description, task, KEY)
    assert f"{request.method} {request.url}" == example["poll"]
    assert (request.body or b"").decode() == example.get("poll_body", "")
    if "result" in example:
        values = dict.fromkeys(CATALOGUE[name]["provider"]["result"].get("values", {}), "205258526306433")
        second = build_result_request(provider.base_url, provider.description, task, values, KEY)
        assert f"GET {second.url}" == example["result"]


def test_a_mutated_description_gives_another_verdict() -> None:
    """The check can fail."""
    golden = next(each for each in CATALOGUE["kling"]["golden"] if each["name"] == "succeeded")
    description = SETTINGS["kling"].description
    changed = replace(description, words={**description.words, "completed": ()})
    reply = HttpReply(golden["http"], {}, golden["body"].encode())
    task_id = CATALOGUE["kling"]["example"]["task_id"]
    verdict = judge_poll(reply, task_id=task_id, description=changed, key=KEY, now=NOW)
    assert isinstance(verdict, Running)
    assert verdict.oddity is not None

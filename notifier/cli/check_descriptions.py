"""Run the expressions of the providers on an empty reply and on golden replies, for the command check."""

import json
from collections.abc import Iterator
from typing import Any

from notifier.clock import wall_ms
from notifier.config.model import Config, ProviderSettings
from notifier.core.exchange import Exchange, HttpReply
from notifier.core.formats.json_reading import JsonReading
from notifier.core.model import WatchState
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.judge_result import judge_result
from notifier.core.polling.payload_notes import PayloadNote
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_reply import ProviderReply
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    ResultPending,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
)
from notifier.providers.catalogue import read_preset

_OUTCOME_PLACES = ("outputs", "error_code", "error_title", "error_detail")
_PLACES = ("status", "failed_if", "id", "created_at", "finished_at", "expires_at", *_OUTCOME_PLACES)
_COMPLETED = Finished(WatchState.COMPLETED, "completed", (), None, "{}")


def list_description_notes(config: Config) -> list[str]:
    """List what an expression or a golden reply shows to be wrong with the table of a provider."""
    return [note for provider in config.providers.values() for note in _check_provider(provider)]


def list_places(description: ProviderDescription) -> Iterator[tuple[str, str]]:
    """Yield the key and the expression of each place in the reply to a poll."""
    yield from ((name, getattr(description, name)) for name in _PLACES if getattr(description, name))


def judge_answer(provider: ProviderSettings, exchange: Exchange, task_id: str, *, is_result: bool) -> Verdict:
    """Judge a reply to a poll, or to the second GET, as the daemon does."""
    description, key, now = provider.description, provider.api_key, wall_ms()
    if is_result:
        return judge_result(exchange, _COMPLETED, task_id=task_id, description=description, key=key, now=now)
    return judge_poll(exchange, task_id=task_id, description=description, key=key, now=now)


def name_state(verdict: Verdict) -> str:
    """Return the state that a reply means, in the words of the golden verdicts."""
    match verdict:
        case Running(oddity=None):
            return "running"
        case Finished(state=state):
            return str(state)
        case ResultPending(failure=None):
            return "completed"
        case TaskUnknown():
            return "lost"
        case AccountRefused():
            return "refused"
        case Throttled():
            return "throttled"
        case _:
            return "retry"


def _check_provider(provider: ProviderSettings) -> Iterator[str]:
    golden = [] if provider.preset in {"", "mulerouter"} else read_preset(provider.preset)["golden"]
    documents: list[tuple[str, Any]] = [("an empty object", {})]
    documents += [(f"the golden reply {each['name']}", _document(each)) for each in golden]
    for key, place in _all_places(provider.description):
        is_result = key.startswith("result.") and not key.startswith("result.values.")
        failing = [what for what, document in documents if _fails(place, document)]
        if failing and not is_result:
            yield f"providers.{provider.name}.{key}: the expression fails on {failing[0]}, and counts as null"
    yield from _check_golden(provider, golden)


def _all_places(description: ProviderDescription) -> Iterator[tuple[str, str]]:
    yield from list_places(description)
    yield from ((f"submit.{name}", place) for name, place in description.submit.items())
    yield from ((f"hint.{name}", place) for name, place in description.hint.items())
    if description.result is not None:
        result = description.result
        places = ((name, getattr(result, name)) for name in _OUTCOME_PLACES)
        yield from ((f"result.{name}", place) for name, place in places if place)
        yield from ((f"result.values.{name}", place) for name, place in result.values.items())


def _document(golden: dict[str, Any]) -> Any:
    try:
        return json.loads(golden["body"])
    except ValueError:
        return None


def _fails(place: str, document: Any) -> bool:
    notes: list[PayloadNote] = []
    ProviderReply(JsonReading(None, document)).at_or_none(place, notes)
    return bool(notes)


def _check_golden(provider: ProviderSettings, golden: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a note for each golden reply that this table reads otherwise than the catalogue."""
    for each in golden:
        task_id = read_preset(provider.preset)["example"]["task_id"]
        is_result = each.get("step") == "result"
        if is_result and provider.description.result is None:
            continue
        reply = HttpReply(each["http"], each.get("headers", {}), each["body"].encode())
        state = name_state(judge_answer(provider, reply, task_id, is_result=is_result))
        expected = each["verdict"]["state"]
        if state != expected:
            what = f"the golden reply {each['name']} of {provider.preset}"
            yield f"providers.{provider.name}: {what} means {state} with this table, not {expected}"

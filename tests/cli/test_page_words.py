"""The page says the same as the commands: the same states, columns, fields, troubles and advice."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import pytest

from notifier.api import schemas
from notifier.api.examples import ATTEMPT, DELIVERY, ENDPOINT, MOMENTS, PLOTS, WATCH
from notifier.api.plots import PlotsBody
from notifier.api.registration import read_registration
from notifier.api.status_schemas import StatusBody
from notifier.cli import commands
from notifier.cli.client import ApiReply
from notifier.cli.deliveries import ENDED
from notifier.cli.deliveries import STATES as DELIVERY_STATES
from notifier.cli.formatting import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    ENDPOINT_COLUMNS,
    WATCH_COLUMNS,
    format_object,
)
from notifier.cli.status import format_status
from notifier.cli.tables import Column
from notifier.cli.watches import STATES as WATCH_STATES
from notifier.client.model import Endpoint, Status, TimelineLine, TroubleCause
from notifier.core.causes.cause import Cause, EndpointSubject, ProviderSubject
from notifier.core.causes.table import CAUSES, Code
from notifier.web import labels as words
from notifier.web.detail import delivery_page, watch_page
from notifier.web.labels import registration_line
from notifier.web.overview import OverviewData, PageFilter, overview
from notifier.web.render import FOLDER
from tests.api.conftest import SETTINGS
from tests.api.test_pages import Seen
from tests.builders import DISK_FULL, KEY_REFUSED, SERVER_ERROR, answered, api_cause
from tests.fakes import NOON

REFUSED = "provider refuses the key (401) since 2026-11-23T11:57:00.000Z"
ORIGIN = "http://127.0.0.1:8484"
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{3}Z| UTC)|\d\d-\d\d \d\d:\d\d|\d\d:\d\d:\d\d")
APART = {
    "ATTEMPTS": "Tries",
    "ATTEMPT": "Try",
    "NOTE": "Last answer",
    "API PATH": "Task",
    "ID": "Task",
    "WATCH": "Event",
}
"""Where the page has in another place, or under a better name, what is a column of a command."""

ERROR = {"source": "provider", "code": 3001, "title": "Invalid Request", "detail": "No cats"}
ENDED_AT = "2026-11-23T11:59:00.000Z"
FAILED = {**WATCH, "state": "failed", "next_poll_at": None, "ended_at": ENDED_AT, "error": ERROR}


def made(kind: Any, body: Any) -> Any:
    """A body as the API renders it."""
    return msgspec.json.decode(encoded(body), type=kind)


def encoded(body: Any) -> bytes:
    return msgspec.json.encode(body, enc_hook=dict)


def text_of(html: str) -> str:
    """All that it says, with every instant as one and the same: each shows them in its own way."""
    return INSTANT.sub("…", Seen(html).text)


def plain(line: str) -> str:
    return INSTANT.sub("…", " ".join(line.split()))


def shown(body: Any, *, excluded: str) -> dict[str, Any]:
    """The facts that a command prints of it, by their names."""
    return dict(format_object(ApiReply(encoded(body), ORIGIN), excluded=excluded))


def first_page(providers: dict[str, str], causes: dict[str, dict[str, str]] | None = None) -> OverviewData:
    status: dict[str, Any] = {
        "version": "0.1.0",
        "summary": "All is well: nothing.",
        "ok": True,
        "trouble": None,
        "cause": None,
        "watches": {},
        "deliveries": {},
        "oldest_pending_at": None,
        "expiring_results": 0,
        "troubled_watches": 0,
        "refused_deliveries": 0,
        "providers": providers,
        "provider_causes": causes or {},
        "paths": [],
        "more_paths": 0,
        "learned": [],
    }
    return OverviewData(
        register=registration_line(ORIGIN),
        now=NOON,
        page_filter=PageFilter(),
        status=made(StatusBody, status),
        watches=[],
        deliveries=[],
        endpoints=[made(schemas.EndpointBody, ENDPOINT)],
        plots=made(PlotsBody, PLOTS),
    )


def test_states_are_those_that_the_commands_filter_by() -> None:
    assert list(words.WATCH_STATES) == WATCH_STATES
    assert list(words.DELIVERY_STATES) == DELIVERY_STATES
    offered = re.findall(r'\["[a-z ]+", "([a-z]*)"\]', (FOLDER / "replay.js").read_text())
    assert sorted(filter(None, offered)) == sorted(ENDED)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("watches", WATCH_COLUMNS),
        ("deliveries", DELIVERY_COLUMNS),
        ("endpoints", ENDPOINT_COLUMNS),
        ("attempts", ATTEMPT_COLUMNS),
    ],
)
def test_columns_have_the_titles_of_the_commands(name: str, columns: tuple[Column, ...]) -> None:
    heads = {head.upper(): head for head in words.COLUMNS[name]}
    for column in columns:
        if column.title == "ID" and name != "watches":
            continue  # a row leads to its page by a link
        assert heads.get(column.title) or APART[column.title] in words.COLUMNS[name], column.title


def test_what_holds_a_delivery_back_is_told_alike() -> None:
    """Why, since when, and what to do; with the probe, no instant that has passed as the next try."""
    held = "closed: HTTP 503 since 2026-11-23T11:59:00.000Z, next probe at 2026-11-23T12:00:05.000Z"
    body = {**DELIVERY, "state": "pending", "ended_at": None, "next_attempt_at": ENDED_AT, "held": held}
    url = str(DELIVERY["url"])
    body["cause"] = api_cause(answered(503), EndpointSubject(url, url))
    _, fix = shown(body, excluded="attempts")["held"]
    page = text_of(delivery_page(made(schemas.DeliveryBody, {**body, "attempts": []}), NOON))
    assert plain(fix.removeprefix("fix: ")) in page
    assert "closed: HTTP 503 since …" in page
    assert "next attempt at" not in page


def test_facts_have_the_names_of_the_commands() -> None:
    """Those that `show` and `deliveries ID` print, but for what the page has a section or a title for."""
    watch = shown({**FAILED, "trouble": REFUSED}, excluded="deliveries")
    told = {words.field_label(name) for name in words.FIELDS["watch"]}
    assert watch.keys() - told == {"task id", "metadata"}
    delivery = shown({**DELIVERY, "attempts": []}, excluded="attempts")
    told = {words.field_label(name) for name in words.FIELDS["delivery"]}
    assert delivery.keys() - told == {"type", "url"}


def test_what_is_said_of_a_failed_task_is_what_show_says() -> None:
    facts = shown(FAILED, excluded="deliveries")
    assert facts["error"] in text_of(watch_page(made(schemas.WatchBody, FAILED), [], NOON))


def test_a_trouble_comes_with_the_advice_of_show() -> None:
    cause = api_cause(KEY_REFUSED, ProviderSubject("mulerouter"))
    troubled = {**WATCH, "trouble": REFUSED, "cause": cause}
    said, fix = shown(troubled, excluded="deliveries")["trouble"]
    page = text_of(watch_page(made(schemas.WatchBody, troubled), [], NOON))
    assert plain(said).partition(" (")[0] in page  # how long ago it was, each tells from its own now
    assert fix == f"fix: {cause['fix']}"
    assert fix in page


def test_paths_are_listed_below_their_provider_as_on_the_page() -> None:
    """With the next probe and what to do; of many of them five, and the number."""
    cause = api_cause(SERVER_ERROR, ProviderSubject("mulerouter"))
    path = {
        "provider": "mulerouter",
        "condition": f"{SERVER_ERROR.text()} since 2026-11-23T12:00:00.000Z",
        "cause": cause,
        "since": "2026-11-23T12:00:00.000Z",
        "next_probe_at": "2026-11-23T12:00:05.000Z",
        "blocked": True,
    }
    paths = [{**path, "api_path": f"/path/{number}"} for number in range(7)]
    status = {"version": "0.1.0", "providers": {"mulerouter": "ok"}, "paths": paths, "more_paths": 3}
    lines = [plain(line) for line in format_status(made(Status, status), [], has_more=False, at=ORIGIN)]
    assert lines[lines.index("mulerouter ok") + 1].startswith(f"/path/0: {SERVER_ERROR.text()} since …")
    text = " ".join(lines)
    assert text.count(f"fix: {cause['fix']}") == 5
    assert text.count("next probe …") == 5
    assert "7 api_paths in trouble" in text
    assert "3 further api_paths" in text


@pytest.mark.parametrize("code", [code for code, template in CAUSES.items() if template.fix])
def test_providers_and_receivers_are_told_of_as_status_does(code: Code) -> None:
    """Their condition, their gate, and what to do about each."""
    providers = {"mulerouter": Cause(code).text() or "x", "runway": "ok"}
    causes = {"mulerouter": api_cause(Cause(code, {"remedy": "y"}), ProviderSubject("mulerouter"))}
    known = made(Status, {"version": "0.1.0", "providers": providers, "provider_causes": causes})
    endpoint = made(Endpoint, ENDPOINT)
    text = text_of(overview(first_page(providers, causes)))
    told = 0
    for line in format_status(known, [endpoint], has_more=False, at=ORIGIN):
        subject, _, said = plain(line).partition(" ")
        if subject in ("fix:", "mulerouter", "runway"):
            assert (plain(line) if subject == "fix:" else said.strip()) in text
            told += 1
        if subject == "endpoint":
            url, gate, rest = said.partition(" closed: HTTP 503 since …")
            assert (url, gate) == (ENDPOINT["url"], " closed: HTTP 503 since …")
            assert "closed: HTTP 503 since " in text
            assert ", next probe " in rest
            assert ", next probe " in text
            told += 1
    assert told == 5


@pytest.mark.parametrize(("cause", "sign"), [(DISK_FULL, "free some space"), (None, "")])
def test_what_is_wrong_with_the_daemon_is_told_as_status_does(cause: Cause | None, sign: str) -> None:
    """With what to do, and since when the oldest delivery waits."""
    page = first_page({"mulerouter": "ok"})
    pending, oldest = {"pending": 2}, "2026-11-23T11:57:00.000Z"
    trouble = None if cause is None else cause.text()
    body = None if cause is None else api_cause(cause)
    status = msgspec.structs.replace(
        page.status,
        trouble=trouble,
        cause=made(schemas.CauseBody | None, body),
        summary=trouble or "All is well",
        ok=cause is None,
        deliveries=pending,
        oldest_pending_at=oldest,
    )
    text = text_of(overview(replace(page, status=status)))
    known = Status(
        "0.1.0",
        trouble=trouble,
        cause=made(TroubleCause | None, body),
        deliveries=pending,
        oldest_pending_at=datetime.fromisoformat(oldest),
    )
    told = [plain(line) for line in format_status(known, [], has_more=False, at=ORIGIN)]
    fixes = [line for line in told if line.startswith("fix:")]
    assert len(fixes) == bool(cause)
    assert all(line in text and sign in line for line in fixes)
    assert any(line.startswith("oldest waiting: ") for line in told)
    assert "oldest waiting: 3m" in text


def test_a_timeline_is_what_explain_tells() -> None:
    timeline = [made(schemas.MomentBody, each) for each in MOMENTS]
    page = text_of(watch_page(made(schemas.WatchBody, WATCH), timeline, NOON))
    for each in made(list[TimelineLine], list(MOMENTS)):
        assert f"{each.kind}{plain(each.text)}" in page.replace("… ", "…")


def test_attempts_are_what_deliveries_tells() -> None:
    refused = {**ATTEMPT, "status": 401, "error": "HTTP 401", "fault": "http_4xx", "answer": "<no>"}
    page = text_of(delivery_page(made(schemas.DeliveryBody, {**DELIVERY, "attempts": [refused]}), NOON))
    for said in ("12 ms", "401", "HTTP 401", "<no>", "127.0.0.1:9001"):
        assert said in page


@pytest.mark.parametrize("has_tokens", [False, True])
def test_the_line_that_an_empty_page_teaches_registers_a_task(has_tokens: bool) -> None:
    """At this host, with the variable that the commands take the token from."""
    line = registration_line(ORIGIN, has_tokens=has_tokens)
    body = re.search(r"-d '(.*)'$", line)
    assert body is not None
    assert read_registration(body[1].encode(), SETTINGS, NOON).task_id == "TASK_ID"
    assert line.startswith(f"curl -X POST {ORIGIN}/v1/watches ")
    assert ("$NOTIFIER_TOKEN" in line) == has_tokens


def test_what_can_be_pressed_is_a_command() -> None:
    """A label begins with the name of the command that does the same."""
    text = (FOLDER / "actions.js").read_text()
    labels = set(re.findall(r'(?:act|button)\("([a-z ]+)"', text))
    labels |= set(re.findall(r'"(pause|resume)"', text))
    assert labels >= {"poll now", "stop", "resume", "redeliver", "pause"}
    endpoints: Any = commands.commands["endpoints"]
    for label in labels:
        verb = label.split()[0]
        assert verb in commands.commands or verb in endpoints.commands, label
    assert "replay" in commands.commands
    assert "Replay many" in (FOLDER / "replay.js").read_text()


def test_every_command_that_the_page_names_exists() -> None:
    """In remedies, hints and the footer."""
    files = [each.read_text() for each in FOLDER.iterdir()]
    remedies = [f"{each.fix} {each.attempt_fix} {each.endpoint_fix}" for each in CAUSES.values()]
    said = "\n".join([words.module(has_tokens=True), *files, *remedies])
    named = set(re.findall(r"(?:`|<code>)notifier ([a-z-]+)", said))
    assert named >= {"status", "test-callback", "endpoints", "secret", "check"}
    assert named <= set(commands.commands)


def test_what_a_replay_does_is_said_alike() -> None:
    """The same ids and bytes, newly signed, at 10 a second."""
    help_text = " ".join((commands.commands["replay"].help or "").split())
    assert words.AGAIN in help_text
    assert "WORDS.again" in (FOLDER / "replay.js").read_text()

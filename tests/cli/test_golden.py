"""The output and help of the commands equal their golden copies."""

import time
from typing import Any

import pytest

from notifier.core.causes.cause import EndpointSubject, ProviderSubject
from tests.builders import KEY_REFUSED, answered, api_cause
from tests.cli.conftest import DELIVERY, WATCH, FakeDaemon, Run
from tests.cli.test_help import every
from tests.fakes import NOON
from tests.golden import check

ENDPOINT = {
    "id": "ep_1",
    "url": "http://127.0.0.1:9001/hook",
    "state": "closed",
    "gate": "closed: HTTP 503",
    "cause": api_cause(answered(503), EndpointSubject("ep_1", "http://127.0.0.1:9001/hook")),
    "since": "2026-11-23T11:00:00.000Z",
    "next_probe_at": "2026-11-23T12:01:00.000Z",
    "pending": 3,
    "dead": 1,
    "oldest_pending_at": "2026-11-23T11:00:00.000Z",
}
HELD = api_cause(answered(503), EndpointSubject("http://127.0.0.1:9001/hook", "http://127.0.0.1:9001/hook"))
REFUSED = api_cause(KEY_REFUSED, ProviderSubject("mulerouter"))
TROUBLED = {
    **WATCH,
    "id": "wch_2",
    "trouble": "provider refuses the key (401) since 2026-11-23T11:00:00.000Z",
    "cause": REFUSED,
    "registered_at": "2026-11-23T10:00:00.000Z",
}
ENDED = {
    **WATCH,
    "id": "wch_3",
    "state": "completed",
    "ended_at": "2026-11-23T11:30:00.000Z",
    "outputs": ["https://cdn.example/1.jpg"],
    "result_expires_at": "2026-11-24T11:30:00.000Z",
}
ATTEMPTS = [
    {"number": 1, "at": "2026-11-23T11:30:00.000Z", "duration_ms": 12, "status": 500, "error": "HTTP 500"},
    {
        "number": 2,
        "at": "2026-11-23T11:30:01.000Z",
        "duration_ms": 9,
        "status": None,
        "error": "no connection",
    },
]
TIMELINE = {
    "timeline": [
        {"at": "2026-11-23T11:00:00.000Z", "kind": "registered", "text": "mulerouter task t, 1 callback"},
        {
            "at": "2026-11-23T11:00:02.500Z",
            "kind": "poll",
            "text": "processing: kept, next in 2.5 s (by age)",
        },
    ]
}
STATUS = {
    "version": "0.1.0",
    "trouble": None,
    "watches": {"watching": 3, "completed": 12, "lost": 0},
    "deliveries": {"pending": 2, "delivered": 40, "dead": 1},
    "oldest_pending_at": "2026-11-23T11:00:00.000Z",
    "expiring_results": 1,
    "troubled_watches": 1,
    "refused_deliveries": 1,
    "providers": {"mulerouter": "paused: provider refuses the key (401) since 2026-11-23T11:00:00.000Z"},
    "provider_causes": {"mulerouter": REFUSED},
}
ROUTES: dict[str, Any] = {
    "/v1/status": STATUS,
    "/v1/watches": {"watches": [WATCH, TROUBLED, ENDED], "next_cursor": None},
    "/v1/watches/wch_1": WATCH,
    "/v1/watches/wch_2": TROUBLED,
    "/v1/watches/wch_3": {**ENDED, "deliveries": [DELIVERY]},
    "/v1/watches/wch_1/timeline": TIMELINE,
    "/v1/deliveries": {
        "deliveries": [DELIVERY, {**DELIVERY, "id": "dlv_2", "state": "dead"}],
        "next_cursor": None,
    },
    "/v1/deliveries/dlv_1": {**DELIVERY, "attempts": ATTEMPTS, "held": ENDPOINT["gate"], "cause": HELD},
    "/v1/endpoints": {"endpoints": [ENDPOINT], "next_cursor": None},
}
COMMANDS = (
    "status",
    "ls",
    "show wch_1",
    "show wch_2",
    "show wch_3",
    "wait wch_3",
    "explain wch_1",
    "deliveries",
    "deliveries dlv_1",
    "endpoints",
    "version",
)


def test_the_help_of_all_commands(run: Run) -> None:
    """It has the names, options and texts of all commands."""
    check("help.txt", "\n".join(run(*words, "--help").out for words in [(), *every()]))


@pytest.mark.parametrize("columns", [80, 120])
def test_the_outputs_of_commands(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """On a narrow and on a wide terminal. Programs read ``--json``."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("notifier.cli.output.wall_ms", lambda: NOON)
    monkeypatch.setattr("notifier.cli.output._is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    time.tzset()
    for path, body in ROUTES.items():
        daemon.on("GET", path, body)
    texts = []
    for command in COMMANDS:
        result = ask(*command.split())
        text = f"{result.out}{result.err}".replace(daemon.url, "http://daemon")
        texts.append(f"$ notifier {command}\n{text}[{result.code}]\n")
    check(f"outputs-{columns}.txt", "\n".join(texts))

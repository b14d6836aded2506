"""The command explain."""

from tests.cli.conftest import Canned, FakeDaemon, Run

MOMENTS = {
    "timeline": [
        {"at": "2026-11-23T12:00:00.000Z", "kind": "registered", "text": "mulerouter task t-1, 1 callback"},
        {
            "at": "2026-11-23T12:00:02.500Z",
            "kind": "poll",
            "text": "HTTP 503\u001b[31m: kept, next in 12.0 s",
        },
    ]
}


def test_a_timeline_is_printed_line_by_line(ask: Run, daemon: FakeDaemon) -> None:
    """It has time, kind and reason. Foreign text cannot control the terminal."""
    daemon.on("GET", "/v1/watches/wch_1/timeline", MOMENTS)
    result = ask("explain", "wch_1")
    assert result.code == 0
    first, second = result.out.splitlines()
    assert first.endswith("registered  mulerouter task t-1, 1 callback")
    assert second.endswith(": kept, next in 12.0 s")
    assert "\u001b" not in result.out


def test_json_is_the_response_unchanged(ask: Run, daemon: FakeDaemon) -> None:
    raw = b'{"timeline":[]}'
    daemon.on("GET", "/v1/watches/wch_1/timeline", Canned(200, raw))
    assert ask("explain", "wch_1", "--json").out.encode() == raw + b"\n"


def test_instants_in_a_line_are_local_with_their_age(ask: Run, daemon: FakeDaemon) -> None:
    """As in show and status. --json has them unchanged."""
    text = "closed: HTTP 503 since 2020-11-23T12:00:00.000Z, next probe at 2099-11-23T12:00:05.000Z"
    moment = {"at": "2026-11-23T12:00:00.000Z", "kind": "delivery", "text": text}
    daemon.on("GET", "/v1/watches/wch_1/timeline", {"timeline": [moment]})
    out = ask("explain", "wch_1").out
    assert "Z" not in out
    assert "d ago), next probe at 2099-11-23 " in out

"""The progress line is on stderr of a terminal, and is cleared before the result."""

import io
from types import SimpleNamespace

import pytest

from notifier.cli import waiting
from notifier.cli.output import count_columns
from notifier.cli.progress import Progress
from tests.cli.conftest import WATCH, FakeDaemon, Run

CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    screen = Terminal()
    monkeypatch.setattr("notifier.cli.progress.sys", SimpleNamespace(stderr=screen))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(waiting, "REPEAT_PAUSE_S", 0.01)
    return screen


def test_wait_shows_the_watch_and_clears_the_line(ask: Run, daemon: FakeDaemon, terminal: Terminal) -> None:
    """stdout has the result alone. The long polls are short, so that the line changes."""
    daemon.on("GET", "/v1/watches/wch_1", WATCH, WATCH, {**WATCH, "state": "completed"})
    result = ask("wait", "wch_1")
    assert (result.code, result.out) == (0, "wch_1  completed\n")
    assert "0 s  wch_1  processing" in terminal.getvalue()
    assert terminal.getvalue().endswith(CLEAR)
    assert {each.query["wait"] for each in daemon.asked[1:]} == {"2000ms"}


def test_the_line_has_the_trouble(ask: Run, daemon: FakeDaemon, terminal: Terminal) -> None:
    """It is escaped, so that it cannot control the terminal."""
    troubled = {**WATCH, "trouble": "provider refuses the key (401) \x1b[2J" + "語" * 80}
    daemon.on("GET", "/v1/watches/wch_1", troubled, {**WATCH, "state": "completed"})
    ask("wait", "wch_1")
    [line, *_] = [each for each in terminal.getvalue().split(CLEAR) if each]
    assert "provider refuses the key (401)" in line
    assert "\x1b" not in line
    assert count_columns(line) <= 79


def test_long_lists_show_the_number_of_entries(ask: Run, daemon: FakeDaemon, terminal: Terminal) -> None:
    """A list of many pages takes time."""
    page = {"watches": [WATCH], "next_cursor": "x"}
    daemon.on("GET", "/v1/watches", page, {"watches": [WATCH], "next_cursor": None})
    ask("ls", "--all")
    assert "1 watches read …" in terminal.getvalue()
    assert terminal.getvalue().endswith(CLEAR)


def test_without_a_terminal_there_is_no_line(ask: Run, daemon: FakeDaemon) -> None:
    """A log of stderr has no line that is overwritten."""
    daemon.on("GET", "/v1/watches/wch_1", WATCH, {**WATCH, "state": "completed"})
    assert ask("wait", "wch_1").err == ""


def test_a_dumb_terminal_has_no_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot clear a line."""
    monkeypatch.setenv("TERM", "dumb")
    with Progress() as progress:
        progress.show("x")
    assert terminal.getvalue() == ""


def test_the_line_is_cleared_before_a_result_is_printed(
    ask: Run, daemon: FakeDaemon, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are on the same screen."""
    seen: list[str] = []
    monkeypatch.setattr("notifier.cli.watches.print_data", lambda _: seen.append(terminal.getvalue()))
    daemon.on("GET", "/v1/watches/wch_1", WATCH, {**WATCH, "state": "completed"})
    ask("wait", "wch_1")
    assert seen
    assert all(each.endswith(CLEAR) for each in seen)

"""Output fits 80 columns, cannot control the terminal, and has colours only on a terminal."""

import json
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.cli.output import count_columns, escape, format_age, format_time, shorten
from notifier.cli.tables import Column, fit_columns, format_table
from tests.cli.conftest import DELIVERY, WATCH, FakeDaemon, Run
from tests.cli.test_endpoints import ENDPOINT
from tests.fakes import NOON

EVIL = "\x1b[31mred\x1b]0;title\x07\r\n\x9b2J\u202egnp.exe\u200b\x7f"
LONG_ID = "wch_01890f3c8b7a7cc1a2b3c4d5e6f70819abcd"


@pytest.fixture
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stdout is a terminal of 80 columns."""
    monkeypatch.setattr("notifier.cli.output._is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def full(daemon: FakeDaemon) -> None:
    watch = {**WATCH, "id": LONG_ID, "trouble": "provider refuses the key (401) since noon " * 3}
    delivery = {**DELIVERY, "id": LONG_ID.replace("wch", "dlv"), "url": "http://r/" + "long/" * 40}
    delivery["last_error"] = "HTTP 500 and more " * 5
    daemon.on("GET", "/v1/watches", {"watches": [watch] * 3, "next_cursor": None})
    daemon.on("GET", "/v1/deliveries", {"deliveries": [delivery] * 3, "next_cursor": None})


@pytest.mark.parametrize("command", ["ls", "deliveries"])
@pytest.mark.usefixtures("terminal")
def test_tables_fit_80_columns_and_keep_ids_whole(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    full(daemon)
    lines = ask(command).out.splitlines()
    assert all(count_columns(line) <= 80 for line in lines if "http://" not in line)
    assert [LONG_ID.removeprefix("wch_") in line for line in lines].count(True) == 3


@pytest.mark.usefixtures("terminal")
def test_a_wrapped_column_without_room_is_printed_below_its_row(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URLs and reasons are printed whole. Short ones stay in the row."""
    monkeypatch.setenv("NO_COLOR", "1")
    full(daemon)
    url = "https://hooks.example.com:8443/a/rather/long/path/of/one"
    short = {**ENDPOINT, "id": "ep_01890f3c8b7a7cc1a2b3c4d5e6f7", "gate": "open", "url": url}
    down = {**short, "gate": "closed: no connection: connection refused by the receiver"}
    daemon.on("GET", "/v1/endpoints", {"endpoints": [short], "next_cursor": None})
    daemon.on("GET", "/v1/endpoints", {"endpoints": [down], "next_cursor": None})
    head, row, below = ask("endpoints").out.splitlines()
    assert head.split()[:3] == ["ID", "GATE", "WAITING"]
    assert row.split()[1] == "open"
    assert below == f"  {url}"
    assert ask("endpoints").out.splitlines()[2:] == [f"  {down['gate']}", f"  {url}"]
    assert f"\n  {'http://r/' + 'long/' * 40}\n" in ask("deliveries").out
    assert "refuses the key (401) since noon" in ask("ls").out.splitlines()[2]


def test_deliveries_have_their_event_and_their_watch(ask: Run, daemon: FakeDaemon) -> None:
    """A dead delivery is investigated by its event and watch."""
    full(daemon)
    head, row, *_ = ask("deliveries").out.splitlines()
    assert {"EVENT", "WATCH"} <= set(head.split())
    assert {"task.completed", "wch_1"} <= set(row.split())


def test_instants_in_a_note_are_local_with_their_age(ask: Run, daemon: FakeDaemon) -> None:
    """Instants have one form, except in JSON."""
    trouble = "provider refuses the key (401) since 2020-11-23T12:00:00.000Z"
    daemon.on("GET", "/v1/watches", {"watches": [{**WATCH, "trouble": trouble}], "next_cursor": None})
    assert "since 2020-11-23 " in ask("ls").out
    assert "d ago)" in ask("ls").out


@pytest.mark.usefixtures("terminal")
def test_colour_is_for_terminals_without_no_color(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(daemon)
    assert "\x1b[36mwatching" in ask("ls").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in ask("ls").out
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b" in ask("ls").out
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in ask("ls").out


def test_a_pipe_gets_no_colour(ask: Run, daemon: FakeDaemon) -> None:
    full(daemon)
    assert "\x1b" not in ask("ls").out


@pytest.mark.usefixtures("terminal")
def test_json_is_never_coloured_and_is_indented_on_a_terminal(ask: Run, daemon: FakeDaemon) -> None:
    full(daemon)
    out = ask("ls", "--json").out
    assert "\x1b" not in out
    assert len(out.splitlines()) > 10
    json.loads(out)


@pytest.mark.parametrize(
    "args", [("ls",), ("show", "wch_1"), ("deliveries",), ("deliveries", "dlv_1"), ("wait", "wch_1")]
)
def test_no_foreign_text_controls_the_terminal(ask: Run, daemon: FakeDaemon, args: tuple[str, ...]) -> None:
    tried = {"number": 1, "at": EVIL, "duration_ms": 1, "status": 500, "error": EVIL, "answer": EVIL}
    delivery = {**DELIVERY, "url": EVIL, "last_error": EVIL, "type": EVIL}
    watch = {
        **WATCH,
        "state": "failed",
        "task_id": EVIL,
        "api_path": EVIL,
        "trouble": EVIL,
        "upstream_status": EVIL,
        "metadata": {EVIL: EVIL},
        "outputs": [EVIL],
        "error": {"source": EVIL, "code": EVIL, "title": EVIL, "detail": EVIL},
        "callbacks": [{"url": EVIL, "events": [EVIL]}],
        EVIL: EVIL,
        "deliveries": [delivery],
    }
    daemon.on("GET", "/v1/watches", {"watches": [watch], "next_cursor": None})
    daemon.on("GET", "/v1/watches/wch_1", watch)
    daemon.on("GET", "/v1/deliveries", {"deliveries": [delivery], "next_cursor": None})
    daemon.on("GET", "/v1/deliveries/dlv_1", {**delivery, "attempts": [tried]})
    for json_option in ((), ("--json",)):
        result = ask(*args, *json_option)
        for character in "\x1b\x07\r\x9b\u202e\u200b\x7f":
            assert character not in result.out + result.err, (args, character)


def test_no_problem_controls_the_terminal(ask: Run, daemon: FakeDaemon) -> None:
    from tests.cli.conftest import problem  # noqa: PLC0415

    daemon.on("GET", "/v1/watches", problem(422, EVIL, EVIL, [{"pointer": EVIL, "detail": EVIL}]))
    err = ask("ls").err
    for character in "\x1b\x07\r\x9b\u202e":
        assert character not in err


def test_json_with_escapes_means_the_same(ask: Run, daemon: FakeDaemon) -> None:
    from tests.cli.conftest import Canned  # noqa: PLC0415

    watch = {**WATCH, "task_id": "é 語 \x9b2J \u202e 😀"}
    daemon.on("GET", "/v1/watches/wch_1", Canned(200, json.dumps(watch, ensure_ascii=False).encode()))
    result = ask("show", "wch_1", "--json")
    assert json.loads(result.out) == watch
    assert "é 語" in result.out
    assert "\\u009b" in result.out


@given(st.text())
def test_escaped_text_is_printable_and_stable(text: str) -> None:
    escaped = escape(text)
    assert escaped.isprintable() or all(
        character.isprintable() or character.isspace() for character in escaped
    )
    assert "\x1b" not in escaped
    assert "\n" not in escaped
    assert escape(escaped) == escaped


@given(st.text(), st.integers(1, 60))
def test_a_shortened_text_has_at_most_so_many_columns(text: str, size: int) -> None:
    short = shorten(escape(text), size)
    assert count_columns(short) <= size
    assert short == escape(text) or short.endswith("…")


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 200)), min_size=1, max_size=8), st.integers(40, 200)
)
def test_columns_fit_the_terminal(shapes: list[tuple[int, int]], total: int) -> None:
    columns = [Column(str(place), low) for place, (low, _) in enumerate(shapes)]
    sizes = fit_columns(columns, [want for _, want in shapes], total)
    assert sum(sizes) + 2 * (len(sizes) - 1) <= total
    assert all(size <= want for size, (_, want) in zip(sizes, shapes, strict=False))


def test_wide_characters_take_two_columns() -> None:
    lines = list(format_table((Column("A"), Column("B")), [["語語", "x"], ["abcd", "y"]]))
    assert lines == ["A     B", "語語  x", "abcd  y"]


def test_an_empty_column_gives_its_room_to_the_others() -> None:
    lines = list(format_table((Column("A"), Column("B"), Column("C")), [["a", "", "c"], ["", "", "cc"]]))
    assert lines == ["A  C", "a  c", "   cc"]


@pytest.mark.usefixtures("_utc")
def test_a_time_has_a_date_unless_it_is_of_today() -> None:
    assert format_time("2026-11-23T09:08:07.000Z", NOON) == "09:08:07"
    assert format_time("2026-11-22T09:08:07.000Z", NOON) == "11-22 09:08"
    assert format_time("2025-11-22T09:08:07.000Z", NOON) == "2025-11-22 09:08"
    assert format_time("soon", NOON) == "soon"
    assert format_time(None, NOON) == ""


def test_ages_have_one_unit() -> None:
    assert [format_age(text, NOON) for text in ("2026-11-23T11:59:59Z", "2026-11-23T11:58:00Z")] == [
        "1s",
        "2m",
    ]
    assert [format_age(text, NOON) for text in ("2026-11-23T09:00:00Z", "2026-11-13T12:00:00Z")] == [
        "3h",
        "10d",
    ]
    assert [format_age(text, NOON) for text in ("2026-11-23T12:00:01Z", "", None)] == ["", "", ""]


@pytest.mark.parametrize(("command", "word"), [("ls", "provider refuses"), ("deliveries", "HTTP 500")])
@pytest.mark.usefixtures("terminal")
def test_the_trouble_is_printed_on_80_columns(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, command: str, word: str
) -> None:
    """The trouble is more important than the other columns."""
    monkeypatch.setenv("NO_COLOR", "1")
    full(daemon)
    assert any(word in line for line in ask(command).out.splitlines()[1:3])


def test_piped_output_is_not_cut(ask: Run, daemon: FakeDaemon) -> None:
    """A program gets the whole text."""
    full(daemon)
    assert "/v1/y/generation" in ask("ls").out
    assert "http://r/" + "long/" * 40 in ask("deliveries").out


@pytest.mark.usefixtures("terminal")
def test_a_character_that_the_locale_lacks_is_escaped(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(daemon)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", open(1, "w", encoding="latin-1", closefd=False))  # noqa: SIM115
    result = ask("ls")
    assert result.code == 0
    assert "\\u2026" in result.out

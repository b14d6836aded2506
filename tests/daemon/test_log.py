"""A line always comes, is one line, tells no secret, and stays small."""

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from notifier.config.model import LogSettings
from notifier.core.secret import Secret
from notifier.daemon import log_lines, log_setup

CANARY = "sk-canary-0123456789"
VILE = "a\nb\x1b[31mc\u2028d\r\u202ee\x00f\x85g"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(log_lines, "_hidden", set())
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def set_up(stream: io.StringIO, *, level: str = "info", environ: dict[str, str] | None = None) -> Any:
    log_setup.set_up(LogSettings(level=level), [Secret(CANARY)], stream=stream, environ=environ or {})
    return structlog.get_logger()


def only_line(stream: io.StringIO) -> str:
    (line,) = stream.getvalue().split("\n")[:-1]
    return line


def only_event(stream: io.StringIO) -> dict[str, Any]:
    event = json.loads(only_line(stream))
    assert isinstance(event, dict)
    return event


def test_off_a_terminal_an_event_is_a_line_of_json() -> None:
    stream = io.StringIO()
    set_up(stream).info("watch.ended", watch_id="wch_1", polls=4, late_s=0.5, outputs=("a", "b"), error=None)
    event = only_event(stream)
    stamp = event.pop("timestamp")
    assert (len(stamp), stamp[10], stamp[-1]) == (len("2026-11-23T12:00:00.000Z"), "T", "Z")
    assert event == {
        "level": "info",
        "event": "watch.ended",
        "watch_id": "wch_1",
        "polls": 4,
        "late_s": 0.5,
        "outputs": ["a", "b"],
        "error": None,
    }


def test_on_a_terminal_it_is_for_eyes() -> None:
    stream = Terminal()
    set_up(stream).warning("delivery.dead", url="http://h/x", why="it refused", tries=[1, 2])
    line = only_line(stream)
    assert line.startswith("\x1b[33m20")
    assert line.endswith('Z warning  delivery.dead url=http://h/x why="it refused" tries=[1, 2]\x1b[0m')


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("console", False)])
def test_a_format_that_is_asked_for_wins_over_the_stream(form: str, is_json: bool) -> None:
    for stream in (io.StringIO(), Terminal()):
        log_setup.set_up(LogSettings(format=form), stream=stream, environ={"NO_COLOR": "1"})
        structlog.get_logger().error("a.b")
        assert only_line(stream).startswith("{" if is_json else "20")
        assert "\x1b" not in only_line(stream)


@pytest.mark.threat(11)
@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_no_value_breaks_the_line_or_reaches_the_terminal(stream: io.StringIO) -> None:
    """Line ends of every kind, escapes, halves of letters."""
    logger = set_up(stream, environ={"NO_COLOR": "1"})
    try:
        raise ValueError(VILE)
    except ValueError:
        logger.exception(VILE, text=VILE, nested={VILE: [VILE]}, raw=VILE.encode(), **{VILE: 1})
    line = only_line(stream)
    assert line.isprintable()
    assert line.splitlines() == [line]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_no_secret_is_told_wherever_it_stands(stream: io.StringIO) -> None:
    logger = set_up(stream)

    class Tattler:
        def __str__(self) -> str:
            return f"<{CANARY}>"

    def fall(hidden_local: str) -> None:
        raise RuntimeError(f"refused {CANARY} ({len(hidden_local)})") from KeyError(CANARY)

    try:
        fall(CANARY)
    except RuntimeError as fault:
        logger.exception("a.b", fault=fault, deep={CANARY: [{"k": (CANARY,)}]}, raw=CANARY.encode())
    logger.info("a.b", key=Secret(CANARY), other=Tattler(), url=f"http://h/?k={CANARY}&x=1")
    logger.info("a.b", long="x" * (log_lines.VALUE_CHARS - 5) + CANARY)
    logging.getLogger("some.library").error("sent %s", CANARY, extra={"key": CANARY})
    assert stream.getvalue().count("\n") == 4
    assert CANARY not in stream.getvalue()
    assert CANARY[:6] not in stream.getvalue()
    assert "?k=***&x=1" in stream.getvalue()


def test_a_short_secret_is_left_alone_because_it_would_blank_out_the_rest() -> None:
    stream = io.StringIO()
    logger = set_up(stream)
    log_lines.hide_secrets([Secret("info"), Secret("0123456789")])
    logger.info("a.b", text="info 0123456789")
    assert (only_event(stream)["level"], only_event(stream)["text"]) == ("info", "info ***")


def test_of_two_secrets_one_within_the_other_nothing_is_left() -> None:
    stream = io.StringIO()
    logger = set_up(stream)
    log_lines.hide_secrets([Secret("abcdefgh"), Secret("abcdefgh-and-more")])
    logger.info("a.b", text="abcdefgh-and-more")
    assert only_event(stream)["text"] == "***"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_values_and_their_number_are_bounded(stream: io.StringIO) -> None:
    logger = set_up(stream)
    endless: list[Any] = []
    endless.append(endless)
    logger.info("a.b", text="x" * 10**6, raw=b"y" * 10**6, many=list(range(10**5)), endless=endless)
    assert len(only_line(stream)) < 5_000


def test_odd_numbers_are_still_json() -> None:
    stream = io.StringIO()
    set_up(stream).info("a.b", nan=float("nan"), inf=float("-inf"), huge=10**5_000, lone="\ud800", flag=True)
    event = only_event(stream)
    assert (event["nan"], event["inf"], event["lone"], event["flag"]) == ("nan", "-inf", "\ud800", True)
    assert len(event["huge"]) == log_lines.VALUE_CHARS


@pytest.mark.threat(17)
def test_a_traceback_is_inside_the_json_with_its_causes_and_no_locals() -> None:
    """Local variables hold keys."""
    stream = io.StringIO()
    logger = set_up(stream)

    def fall() -> None:
        local = "a value that nobody logged"
        try:
            raise ValueError(f"inner {len(local)}")
        except ValueError as inner:
            raise RuntimeError("outer") from inner

    try:
        fall()
    except RuntimeError:
        logger.exception("poll.crashed")
    event = only_event(stream)
    assert event["level"] == "error"
    assert [(raised["exc_type"], raised["exc_value"]) for raised in event["exception"]] == [
        ("RuntimeError", "outer"),
        ("ValueError", "inner 26"),
    ]
    assert event["exception"][0]["frames"][-1]["name"] == "fall"
    assert "a value that nobody logged" not in stream.getvalue()


def test_a_traceback_on_a_terminal_says_what_and_where_in_its_line() -> None:
    stream = Terminal()
    logger = set_up(stream, environ={"NO_COLOR": "1"})
    try:
        raise RuntimeError("outer") from ValueError("inner")
    except RuntimeError as fault:
        logger.error("poll.crashed", exc_info=fault)
    line = only_line(stream)
    assert "RuntimeError: outer [test_log.py:" in line
    assert " <- ValueError: inner []" in line


def test_a_line_comes_even_when_it_cannot_be_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    stream = io.StringIO()
    logger = set_up(stream)
    logger.info("a.b", broken=Broken(), kept=1)
    event = only_event(stream)
    assert (event["broken"], event["kept"]) == ("<Broken: RuntimeError>", 1)

    def fail(*_: object) -> object:
        raise RecursionError

    monkeypatch.setattr(log_lines, "_clean", fail)
    logger.error("c.d", secret_field=CANARY)
    event = json.loads(stream.getvalue().splitlines()[1])
    assert (event["event"], event["level"]) == ("c.d", "error")
    assert event["log_trouble"] == "this line could not be rendered: RecursionError"
    assert CANARY not in stream.getvalue()


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_an_exception_that_has_no_text_is_logged_with_its_place(stream: io.StringIO) -> None:
    """What cannot be printed costs its own text, and nothing else of the line."""
    logger = set_up(stream, environ={"NO_COLOR": "1"})
    try:
        raise _Unprintable
    except _Unprintable:
        logger.exception("poll.crashed", kept=1)
    assert "log_trouble" not in only_line(stream)
    assert all(part in only_line(stream) for part in ("poll.crashed", "kept", "_Unprintable", "test_log.py"))


def test_a_library_whose_message_has_no_text_is_logged() -> None:
    """A failing message never reaches the library that logs it."""
    stream = io.StringIO()
    set_up(stream)
    logging.getLogger("some.library").error(_Unprintable())
    assert "_Unprintable: RuntimeError" in only_event(stream)["message"]


def test_a_stream_that_is_gone_stops_nobody() -> None:
    stream = io.StringIO()
    logger = set_up(stream)
    stream.close()
    logger.info("a.b")
    logging.getLogger("some.library").error("still here")


def test_a_stream_that_cannot_write_everything_writes_what_it_can() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    log_setup.set_up(LogSettings(format="console"), stream=stream, environ={})
    structlog.get_logger().info("a.b", text="3→4 \ud800")
    assert raw.getvalue().endswith(b'text="3\\u21924 \\ud800"\n')


@pytest.mark.threat(11)
def test_fields_cannot_pose_as_the_lines_own() -> None:
    """An event is named by us alone."""
    stream = io.StringIO()
    set_up(stream).info("a.b", timestamp="never", level="critical", exception="none", exc_info=None)
    event = only_event(stream)
    assert event["level"] == "info"
    assert (event["timestamp_"], event["level_"], event["exception_"]) == ("never", "critical", "none")


@pytest.mark.parametrize(
    ("level", "told"),
    [("debug", 5), ("info", 4), ("warning", 3), ("error", 2), ("critical", 1)],
)
def test_the_level_lets_through_what_is_as_grave(level: str, told: int) -> None:
    stream = io.StringIO()
    logger = set_up(stream, level=level)
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, name)("a.b")
    assert stream.getvalue().count("\n") == told


def test_a_second_set_up_replaces_the_first_for_loggers_that_exist() -> None:
    first, second = io.StringIO(), io.StringIO()
    logger = set_up(first)
    logger.info("a.b")
    set_up(second, level="error")
    logger.info("a.b")
    logger.error("c.d")
    assert only_event(first)["event"] == "a.b"
    assert only_event(second)["event"] == "c.d"


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "uvicorn.access", "some.library"])
def test_libraries_are_heard_from_warning_up_in_the_same_form(name: str) -> None:
    stream = io.StringIO()
    set_up(stream, level="debug")
    library = logging.getLogger(name)
    library.debug("no")
    library.info("no")
    library.warning("two\nlines of %s", CANARY)
    event = only_event(stream)
    assert event.pop("timestamp")
    assert event == {"level": "warning", "event": "library", "logger": name, "message": "two\nlines of ***"}


@pytest.mark.parametrize("name", ["httpx", "some.library"])
def test_libraries_keep_to_a_graver_level_too(name: str) -> None:
    stream = io.StringIO()
    set_up(stream, level="error")
    logging.getLogger(name).warning("no")
    logging.getLogger(name).error("yes")
    assert only_event(stream)["message"] == "yes"


def test_a_library_that_cannot_format_its_own_text_is_heard_too() -> None:
    stream = io.StringIO()
    set_up(stream)
    logging.getLogger("some.library").error("%d of %d", 1)  # noqa: PLE1206 - the mistake is the point
    assert only_event(stream)["message"] == "%d of %d (TypeError in its arguments)"


def test_warnings_of_python_are_lines_too() -> None:
    stream = io.StringIO()
    set_up(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("mind this", stacklevel=1)
    assert "mind this" in only_event(stream)["message"]


async def test_a_url_that_is_fetched_is_not_logged() -> None:
    stream = io.StringIO()
    set_up(stream, level="debug")
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        await client.get("http://user:pass@h/?key=value")
    assert stream.getvalue() == ""


JOURNAL = """
import os, sys
from notifier.config.model import LogSettings
from notifier.daemon.log_setup import set_up
import logging, structlog
found = os.fstat(1)
os.environ["JOURNAL_STREAM"] = sys.argv[1] if len(sys.argv) > 1 else f"{found.st_dev}:{found.st_ino}"
set_up(LogSettings(level="debug"))
for level in ("debug", "info", "warning", "error", "critical"):
    getattr(structlog.get_logger(), level)("a.b")
logging.getLogger("some.library").error("c")
"""


@pytest.mark.parametrize(
    ("argument", "prefixes"), [([], ["<7>", "<6>", "<4>", "<3>", "<2>", "<3>"]), (["1:2"], [""] * 6)]
)
def test_the_journal_and_only_the_journal_is_told_the_priority(
    argument: list[str], prefixes: list[str]
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", JOURNAL, *argument], capture_output=True, text=True, check=True, env=os.environ
    )
    lines = told.stdout.splitlines()
    assert [line.partition("{")[0] for line in lines] == prefixes
    assert all(json.loads(line[len(prefix) :]) for line, prefix in zip(lines, prefixes, strict=True))
    assert told.stderr == ""

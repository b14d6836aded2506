"""Whoever starts a command, and whatever becomes of its output: it ends in words, never in a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DELIVERY, WATCH, FakeDaemon, Run


def shell(daemon: FakeDaemon, line: str) -> subprocess.CompletedProcess[str]:
    """What bash makes of the line, in which ``notifier`` asks the fake daemon."""
    environ = {**os.environ, "NOTIFIER_URL": daemon.url, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = f"set -o pipefail; notifier() {{ '{sys.executable}' -m notifier \"$@\"; }}; {line}"
    return subprocess.run(
        ["bash", "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def busy(daemon: FakeDaemon) -> FakeDaemon:
    """A daemon with something to show."""
    daemon.on("GET", "/v1/watches", {"watches": [WATCH], "next_cursor": None})
    daemon.on("GET", "/v1/watches/wch_1", {**WATCH, "state": "completed"})
    daemon.on("GET", "/v1/deliveries", {"deliveries": [DELIVERY], "next_cursor": None})
    return daemon


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["ls", "ls --json", "wait wch_1", "version"])
def test_closed_streams_are_no_fault(busy: FakeDaemon, command: str, closed: str) -> None:
    """As cron and daemons start programs: what would be said there is lost, and nothing else."""
    done = shell(busy, f"notifier {command} {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Traceback" not in done.stdout
    assert bool(done.stdout) == (">&-" not in closed.split())


def test_a_closed_standard_input_is_an_empty_one(daemon: FakeDaemon) -> None:
    done = shell(daemon, "notifier watch - --callback http://127.0.0.1:9001/ <&-")
    assert done.returncode == 64
    assert "standard input is empty" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "notifier ls | true",
        "notifier ls --json | true",
        "notifier wait wch_1 | true",
        "notifier --help | true",
        "notifier systemd 2>&1 | true",
        "notifier nosuch 2>&1 | true",
        "notifier show wch_2 2>&1 | true",
    ],
)
def test_a_reader_that_is_gone_ends_it_quietly(busy: FakeDaemon, line: str) -> None:
    """With 141, as a shell says of SIGPIPE: 1 would say that a task did not complete."""
    done = shell(busy, line)
    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["ls", "ls --json", "wait wch_1", "version", "systemd"])
def test_output_that_cannot_be_written_is_told(busy: FakeDaemon, command: str) -> None:
    """A redirection to a full disk; what the command was to do is done."""
    done = shell(busy, f"notifier {command} > /dev/full")
    assert done.returncode == 74
    assert "standard output cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        r"notifier watch $'/\xff' x --callback http://127.0.0.1:9001/",
        r"notifier watch /a x --callback $'http://127.0.0.1:9001/\xff'",
        r"notifier watch /a x --callback http://127.0.0.1:9001/ --provider $'\xff'",
        r"notifier watch /a x --callback http://127.0.0.1:9001/ --metadata $'{\"a\": \"\xff\"}'",
        r"notifier ls --provider $'\xff'",
        r"notifier deliveries --callback $'http://127.0.0.1:9001/\xff'",
        r"notifier replay --callback $'\xff'",
    ],
)
def test_arguments_that_are_no_text_are_wrong_usage(daemon: FakeDaemon, line: str) -> None:
    """What is in another encoding than the locale's reaches us as bytes, which no JSON can hold."""
    done = shell(daemon, line)
    assert done.returncode == 64
    assert "Traceback" not in done.stderr
    assert daemon.asked == []


@pytest.mark.parametrize("part", ["task_id", "api_path"])
def test_half_a_sign_on_standard_input_registers_nothing(run: Run, daemon: FakeDaemon, part: str) -> None:
    """All entries are looked at before the first is registered."""
    entries = [
        dict.fromkeys(("task_id", "api_path"), "x"),
        {"task_id": "y", "api_path": "/y", part: "\ud800"},
    ]
    said = run(
        "watch",
        "-",
        "--callback",
        "http://127.0.0.1:9001/",
        "--url",
        daemon.url,
        stdin=repr(entries).replace("'", '"').encode(),
    )
    assert said.code == 64
    assert f"entry 2 of standard input has no {part}" in said.err
    assert daemon.asked == []


@pytest.mark.parametrize("command", ["check", "init", "secret show", "backup x.db"])
def test_a_folder_that_is_gone_is_told(daemon: FakeDaemon, tmp_path: Path, command: str) -> None:
    """A shell may stand in a folder that somebody has removed."""
    done = shell(
        daemon,
        f"mkdir '{tmp_path}/gone' && cd '{tmp_path}/gone' && rmdir '{tmp_path}/gone'; notifier {command}",
    )
    assert done.returncode == 64
    assert "the working directory does not exist any more" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_there_is_no_home_init_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that only a container knows has none."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "home", _no_home)
    said = run("init", "--user")
    assert (said.code, said.out) == (1, "")
    assert "HOME" in said.err


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")

"""A command ends without a traceback, whatever its streams, arguments and folder are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DELIVERY, WATCH, FakeDaemon, Run


def shell(daemon: FakeDaemon, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which ``notifier`` uses the fake daemon."""
    environ = {**os.environ, "NOTIFIER_URL": daemon.url, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = f"set -o pipefail; notifier() {{ '{sys.executable}' -m notifier \"$@\"; }}; {line}"
    return subprocess.run(
        ["bash", "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def busy(daemon: FakeDaemon) -> FakeDaemon:
    """A daemon with a watch and a delivery."""
    daemon.on("GET", "/v1/watches", {"watches": [WATCH], "next_cursor": None})
    daemon.on("GET", "/v1/watches/wch_1", {**WATCH, "state": "completed"})
    daemon.on("GET", "/v1/deliveries", {"deliveries": [DELIVERY], "next_cursor": None})
    return daemon


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["ls", "ls --json", "wait wch_1", "version"])
def test_closed_streams_are_no_error(busy: FakeDaemon, command: str, closed: str) -> None:
    """cron and daemons start programs so. Only the output to the closed stream is lost."""
    done = shell(busy, f"notifier {command} {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Traceback" not in done.stdout
    assert bool(done.stdout) == (">&-" not in closed.split())


def test_a_closed_standard_input_is_empty(daemon: FakeDaemon) -> None:
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
def test_a_closed_pipe_ends_a_command_quietly(busy: FakeDaemon, line: str) -> None:
    """The exit code is that of SIGPIPE, because 1 would say that a task did not complete."""
    done = shell(busy, line)
    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["ls", "ls --json", "wait wch_1", "version", "systemd"])
def test_output_that_cannot_be_written_is_an_error(busy: FakeDaemon, command: str) -> None:
    """A redirection to a full disk. The command itself was executed."""
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
def test_arguments_that_are_not_text_are_wrong_usage(daemon: FakeDaemon, line: str) -> None:
    """An argument in another encoding than the locale's is bytes, which JSON cannot contain."""
    done = shell(daemon, line)
    assert done.returncode == 64
    assert "Traceback" not in done.stderr
    assert daemon.asked == []


@pytest.mark.parametrize("part", ["task_id", "api_path"])
def test_a_lone_surrogate_on_standard_input_registers_nothing(
    run: Run, daemon: FakeDaemon, part: str
) -> None:
    """All entries are checked before the first is registered."""
    entries = [
        dict.fromkeys(("task_id", "api_path"), "x"),
        {"task_id": "y", "api_path": "/y", part: "\ud800"},
    ]
    result = run(
        "watch",
        "-",
        "--callback",
        "http://127.0.0.1:9001/",
        "--url",
        daemon.url,
        stdin=repr(entries).replace("'", '"').encode(),
    )
    assert result.code == 64
    assert f"entry 2 of standard input has no {part}" in result.err
    assert daemon.asked == []


@pytest.mark.parametrize("command", ["check", "init", "secret show", "backup x.db"])
def test_a_removed_working_directory_is_an_error(daemon: FakeDaemon, tmp_path: Path, command: str) -> None:
    """Another process may have removed the working directory of the shell."""
    done = shell(
        daemon,
        f"mkdir '{tmp_path}/gone' && cd '{tmp_path}/gone' && rmdir '{tmp_path}/gone'; notifier {command}",
    )
    assert done.returncode == 64
    assert "the working directory does not exist any more" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_home_init_fails_with_a_fix(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that only a container has may have no home."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "home", _no_home)
    result = run("init", "--user")
    assert (result.code, result.out) == (1, "")
    assert "HOME" in result.err


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")

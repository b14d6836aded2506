"""The demo needs nothing of the machine that it runs on, and leaves nothing behind when it is cut short."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from notifier.cli.demo import _build_environ
from notifier.config.load import find_file, load
from notifier.core.delivery.signature import make_secret

DEMO = (sys.executable, "-m", "notifier", "demo")
READY = "daemon ready"


def test_the_demos_daemon_reads_no_configuration_of_this_machine(tmp_path: Path) -> None:
    """A service has one in /etc/notifier, whose tokens would make the daemon refuse the demo."""
    system_file = tmp_path / "etc" / "config.toml"
    system_file.parent.mkdir()
    system_file.write_text('[server]\ntokens = [{ env = "HOME" }]\n')
    environ = _build_environ(tmp_path, "http://127.0.0.1:1", make_secret(bytes(32)))
    config = load(find_file(None, environ, tmp_path, system_file=system_file), environ)
    assert config.server.tokens == ()
    assert config.server.listen == "127.0.0.1:0"


@contextmanager
def running_demo(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Start a demo whose temporary files are in ``folder``; kill what is left of it at the end."""
    process = subprocess.Popen(
        [*command, *DEMO],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def read_until_ready(process: subprocess.Popen[str]) -> int:
    """Read the demo's output until its daemon is ready; return the daemon's process id."""
    assert process.stdout is not None
    line = next(line for line in process.stdout if READY in line)
    return int(line.rpartition("(pid ")[2].rstrip(")\n"))


def is_alive(pid: int) -> bool:
    """Return whether the process exists and is no zombie, which has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_an_interrupted_demo_ends_its_daemon(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """It also removes its files. The exit code is the one that a shell gives for the signal."""
    with running_demo(tmp_path) as process:
        daemon = read_until_ready(process)
        os.kill(process.pid, number)
        process.wait()
        assert (process.returncode, is_alive(daemon), list(tmp_path.iterdir())) == (code, False, [])


@pytest.mark.e2e
def test_a_demo_under_nohup_ignores_the_end_of_its_terminal(tmp_path: Path) -> None:
    """A signal that is ignored when the demo starts stays ignored."""
    with running_demo(tmp_path, "nohup") as process:
        read_until_ready(process)
        os.kill(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 143


@pytest.mark.e2e
@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare for a process id of 1"
)
def test_a_demo_that_is_process_1_ends_on_sigterm(tmp_path: Path) -> None:
    """In a container the demo may be process 1, for which the kernel drops a signal without a handler."""
    with running_demo(tmp_path, "unshare", "--pid", "--fork", "--kill-child") as process:
        read_until_ready(process)
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert process.wait() == 143


@pytest.mark.e2e
def test_a_demo_whose_output_nobody_reads_ends(tmp_path: Path) -> None:
    """It ends at once, because no callback can be shown, with the exit code of SIGPIPE."""
    with running_demo(tmp_path) as process:
        read_until_ready(process)
        daemon = read_until_ready(process)  # the second one: now the demo waits for callbacks
        assert process.stdout is not None
        process.stdout.close()
        assert (process.wait(), is_alive(daemon)) == (141, False)

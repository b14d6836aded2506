"""A command starts quickly, because it imports nothing that only the daemon needs.

`python -m benchmarks --only starting` measures the time.
"""

import json
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = ["httpx", "uvicorn", "starlette", "apscheduler", "structlog", "aiosqlite", "uvloop"]


@pytest.mark.parametrize(
    "args",
    [["ls", "--url", "http://127.0.0.1:1"], ["version"], ["--help"], ["backup", "--help"]],
    ids=" ".join,
)
def test_a_client_command_imports_no_server(args: list[str]) -> None:
    code = (
        "import json, sys\n"
        "from notifier.cli import main\n"
        f"main({args})\n"
        f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(("handler", "code"), [("default_int_handler", -signal.SIGINT), ("SIG_IGN", 0)])
def test_an_interrupt_while_it_loads_ends_it_without_a_traceback(handler: str, code: int) -> None:
    """The signal ends the process as any other. An ignored signal stays ignored."""
    script = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        f"signal.signal(signal.SIGINT, signal.{handler})\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "sys.argv = ['notifier', 'version']\n"
        "from notifier.__main__ import main\n"
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")


def test_the_installed_command_starts_with_the_guard() -> None:
    """The entry point is the module that handles signals during the imports."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"notifier": "notifier.__main__:main"}

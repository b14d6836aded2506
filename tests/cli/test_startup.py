"""A command's start is cheap: what only the daemon needs is not imported by its clients.

How cheap is measured by `python -m benchmarks --only starting`.
"""

import json
import subprocess
import sys

import pytest

HEAVY = ["httpx", "aiohttp", "uvicorn", "starlette", "apscheduler", "structlog", "aiosqlite", "uvloop"]


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

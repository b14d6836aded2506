"""A command's start is cheap: what only the daemon needs is not imported by its clients."""

import json
import resource
import subprocess
import sys

import pytest

LIMIT_S = 0.5
HEAVY = ["httpx", "aiohttp", "uvicorn", "starlette", "apscheduler", "structlog", "aiosqlite"]


def test_a_client_command_imports_no_server() -> None:
    code = (
        "import json, sys\n"
        "from notifier.cli import main\n"
        "main(['ls', '--url', 'http://127.0.0.1:1'])\n"
        f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.e2e
def test_a_start_takes_less_than_half_a_second_of_cpu() -> None:
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "notifier", "version"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < LIMIT_S

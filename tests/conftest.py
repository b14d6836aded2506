"""What all tests share: they run on the event loop that the daemon runs on."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from typing import Any

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """See pytest-asyncio."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which lives were simulated, fresh seeds among them, and what happened in them."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    lines = [str(value) for each in reports for name, value in each.user_properties if name == "simulation"]
    if lines:
        terminalreporter.section("simulated lives")
        for line in sorted(lines):
            terminalreporter.write_line(line)

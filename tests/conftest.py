"""What all tests share: they run on the event loop that the daemon runs on."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """See pytest-asyncio."""
    return {"uvloop": uvloop.new_event_loop}

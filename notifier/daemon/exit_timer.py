"""End the process when a stop takes too long, because a hanging thread (a disk that hangs) keeps it alive."""

import os
import threading
import time
from collections.abc import Callable


class ExitTimer:
    """A thread that waits from the start on, because a stop at a limit of threads could not start one."""

    def __init__(
        self,
        limit_s: float,
        *,
        end: Callable[[int], object] = os._exit,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._limit_s = limit_s
        self._end = end
        self._sleep = sleep
        self._begun = threading.Event()
        threading.Thread(target=self._wait, name="exit timer", daemon=True).start()

    def begin(self) -> None:
        """Start to count: the process ends with 1 after ``limit_s``, unless it has ended before."""
        self._begun.set()

    def _wait(self) -> None:
        self._begun.wait()
        self._sleep(self._limit_s)
        self._end(1)

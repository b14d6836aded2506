"""An event loop on which no time passes: when nothing is ready, the clock jumps to the next timer."""

import asyncio
from asyncio import base_events
from collections.abc import Callable
from typing import Any, TypeVar

from tests.simulation.world import World

MOST_TURNS_AT_ONCE = 50_000
"""So many turns of the loop at one instant are a spin, and no work."""


T = TypeVar("T")


class Crash(SystemExit):
    """The process dies here. A SystemExit, since asyncio lets nothing else out of a task."""


class Stuck(Exception):
    """Nothing is ready and nothing will ever be, or the loop spins."""


class VirtualLoop(base_events.BaseEventLoop):
    """asyncio without sockets, threads and waiting; its time is the world's ``mono``.

    After ``bury`` it has a time of its own, so that what a dead life still does moves nothing.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._own_time: float | None = None
        self._turns = 0
        self._clock_resolution = 1e-9
        self._selector = self

    def time(self) -> float:
        return self._world.mono if self._own_time is None else self._own_time

    def bury(self) -> None:
        """Go on apart from the world."""
        self._own_time = self.time()

    def select(self, timeout: float | None) -> list[Any]:
        """Stand in for a selector: nothing ever comes in, and a wait is a jump."""
        if timeout == 0:
            self._turns += 1
            if self._turns > MOST_TURNS_AT_ONCE:
                raise Stuck(f"the loop turns without end at {self.time():.3f} s")
            return []
        self._turns = 0
        if not self._scheduled:  # type: ignore[attr-defined]
            raise Stuck("everybody waits for somebody else")
        when = self._scheduled[0].when()  # type: ignore[attr-defined]
        if self._own_time is None:
            self._world.mono = max(self._world.mono, when)
        else:
            self._own_time = max(self._own_time, when)
        return []

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """Do the work of a thread at once."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, _: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_to(self, instant: float) -> None:
        """Run until ``instant`` of ``time``, or until somebody stops it."""
        timer = self.call_at(instant, self.stop)
        try:
            self.run_forever()
        finally:
            timer.cancel()

    def finish(self) -> None:
        """End every task: each is cancelled until it is done, in a time of its own; then close."""
        self.bury()
        self._stopping = False  # whoever stopped it last has been obeyed
        for _ in range(20):
            self.call_later(0.001, self.stop)
            self._run_through()  # what was not begun yet begins, so that no coroutine is left unawaited
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in sorted(tasks, key=lambda each: each.get_name()):
                task.cancel()
            self.call_later(100.0, self.stop)
            self._run_through()
        self.close()

    def _run_through(self) -> None:
        while True:
            try:
                self.run_forever()
                return
            except Crash:
                continue

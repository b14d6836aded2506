"""Names to addresses, so that a dead name delays nobody else.

asyncio's own way runs in a pool of a few threads that everything shares: a dozen dead names fill it, and at
the end the process waits for them. Here a name has one lookup in flight, in a daemon thread of its own, and
what it brought is remembered for a while.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Lookup = Callable[[str], Iterable[str]]
"""Blocks; returns a name's addresses, best first, or raises OSError."""

GOOD_FOR_S = 30.0
BAD_FOR_S = 5.0
THREADS = 128
_NAMES = 1_024
_ADDRESSES = 8


def system_lookup(name: str) -> list[str]:
    """Ask the system: hosts file, DNS, whatever it is set up for."""
    infos = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a lookup brought: addresses, or else why there are none."""

    addresses: tuple[str, ...]
    fault: str = ""


class CachingResolver:
    """A resolver with a memory and bounds. Used from one event loop."""

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        threads: int = THREADS,
    ) -> None:
        self._lookup = lookup
        self._monotonic = monotonic
        self._threads = threads
        self._flights: dict[str, asyncio.Future[_Answer]] = {}
        self._memory: dict[str, tuple[_Answer, float]] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, best first. Raise socket.gaierror with the reason in words."""
        answer = self._remembered(host)
        if answer is None:
            answer = await asyncio.shield(self._flight(host))  # who gives up waiting does not end the lookup
        if not answer.addresses:
            raise socket.gaierror(socket.EAI_NONAME, answer.fault)
        return answer.addresses

    def _remembered(self, name: str) -> _Answer | None:
        answer, until = self._memory.get(name, (None, 0.0))
        return answer if self._monotonic() < until else None

    def _flight(self, name: str) -> asyncio.Future[_Answer]:
        flight = self._flights.get(name)
        if flight is None:
            if len(self._flights) >= self._room_for(name):
                raise socket.gaierror(socket.EAI_AGAIN, "too many other names are being looked up")
            loop = asyncio.get_running_loop()
            thread = threading.Thread(target=self._look, args=(loop, name), name="resolve", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system's limit; a flight that never began would never land
                raise socket.gaierror(socket.EAI_AGAIN, "no thread could be had to look it up") from None
            flight = self._flights[name] = loop.create_future()
        return flight

    def _room_for(self, name: str) -> int:
        """Give a quarter of the threads to names that had an address the last time alone: no number of dead
        names shuts out the good ones.
        """
        answer, _ = self._memory.get(name, (None, 0.0))
        return self._threads if answer and answer.addresses else max(1, self._threads * 3 // 4)

    def _look(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        answer = self._ask(name)
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(self._land, name, answer)

    def _ask(self, name: str) -> _Answer:
        try:
            addresses = tuple(dict.fromkeys(self._lookup(name)))[:_ADDRESSES]
        except OSError as error:
            return _Answer((), error.strerror or "the lookup failed")
        except Exception as error:  # a label too long is a UnicodeError; a flight must land, whatever it was
            return _Answer((), f"the lookup failed: {type(error).__name__}")
        return _Answer(addresses, "" if addresses else "the name has no address")

    def _land(self, name: str, answer: _Answer) -> None:
        self._memory.pop(name, None)  # so that it goes to the end: the oldest is forgotten first
        self._memory[name] = (answer, self._monotonic() + (GOOD_FOR_S if answer.addresses else BAD_FOR_S))
        if len(self._memory) > _NAMES:
            del self._memory[next(iter(self._memory))]
        flight = self._flights.pop(name)
        if not flight.done():
            flight.set_result(answer)

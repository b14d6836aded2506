"""Resolve names to addresses, so that a name whose lookup hangs delays no other.

asyncio resolves in a small pool of threads that everything shares. A dozen hanging names fill it, and the
process waits for them at its end. Here each name has at most one lookup, in a daemon thread of its own, and
its result is cached.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Lookup = Callable[[str], Iterable[str]]
"""A blocking function that returns the addresses of a name, best first, or raises OSError."""

ADDRESSES_TTL_S = 30.0  # reliability study: 30 to 60 s for addresses
FAILURE_TTL_S = 5.0  # reliability study: 5 to 30 s for failures
MAX_THREADS = 128  # systemd/notifier.service leaves room for two clients (tests/config/test_unit.py)
_MAX_NAMES = 1_024  # bounds the cache; no record of why; changing it needs a measurement
_MAX_ADDRESSES = 8  # bounds a cached name; no record of why; changing it needs a measurement


def system_lookup(name: str) -> list[str]:
    """Resolve a name by the system: hosts file, DNS, or other configured sources."""
    infos = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The result of a lookup: addresses, or the reason why there are none."""

    addresses: tuple[str, ...]
    reason: str = ""


class CachingResolver:
    """A resolver with a cache and limits, for one event loop."""

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        threads: int = MAX_THREADS,
    ) -> None:
        self._lookup = lookup
        self._monotonic = monotonic
        self._threads = threads
        self._lookups: dict[str, asyncio.Future[_Answer]] = {}
        self._cache: dict[str, tuple[_Answer, float]] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, best first. Raise socket.gaierror with the reason as its text."""
        answer = self._cached(host)
        if answer is None:  # shielded: a cancelled exchange does not end the lookup
            answer = await asyncio.shield(self._start_lookup(host))
        if not answer.addresses:
            raise socket.gaierror(socket.EAI_NONAME, answer.reason)
        return answer.addresses

    def _cached(self, name: str) -> _Answer | None:
        answer, until = self._cache.get(name, (None, 0.0))
        return answer if self._monotonic() < until else None

    def _start_lookup(self, name: str) -> asyncio.Future[_Answer]:
        lookup = self._lookups.get(name)
        if lookup is None:
            if len(self._lookups) >= self._max_lookups(name):
                raise socket.gaierror(socket.EAI_AGAIN, "too many other names are being looked up")
            loop = asyncio.get_running_loop()
            thread = threading.Thread(target=self._look_up, args=(loop, name), name="resolve", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system's limit of threads; a lookup without a thread would never end
                raise socket.gaierror(socket.EAI_AGAIN, "no thread could be had to look it up") from None
            lookup = self._lookups[name] = loop.create_future()
        return lookup

    def _max_lookups(self, name: str) -> int:
        """Return how many lookups may run before one of this name.

        A quarter of the threads is for names that had an address the last time, so that hanging names cannot
        block the others.
        """
        answer, _ = self._cache.get(name, (None, 0.0))
        return self._threads if answer and answer.addresses else max(1, self._threads * 3 // 4)

    def _look_up(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        answer = self._call_lookup(name)
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(self._finish_lookup, name, answer)

    def _call_lookup(self, name: str) -> _Answer:
        try:
            addresses = tuple(dict.fromkeys(self._lookup(name)))[:_MAX_ADDRESSES]
        except OSError as error:
            return _Answer((), error.strerror or "the lookup failed")
        except Exception as error:  # such as UnicodeError for a long label; the lookup must end
            return _Answer((), f"the lookup failed: {type(error).__name__}")
        return _Answer(addresses, "" if addresses else "the name has no address")

    def _finish_lookup(self, name: str, answer: _Answer) -> None:
        self._cache.pop(name, None)  # insert it at the end: the oldest entry is removed first
        ttl_s = ADDRESSES_TTL_S if answer.addresses else FAILURE_TTL_S
        self._cache[name] = (answer, self._monotonic() + ttl_s)
        if len(self._cache) > _MAX_NAMES:
            del self._cache[next(iter(self._cache))]
        lookup = self._lookups.pop(name)
        if not lookup.done():
            lookup.set_result(answer)

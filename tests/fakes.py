"""What tests hand in for the outside: a clock that stands still, a network that answers by script."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from notifier.core.exchange import Exchange
from notifier.ports import MemoryHold

NOON = 1_795_435_200_000  # 2026-11-23T12:00:00.000Z, the contract's example


class FakeClock:
    """Time moves only by ``advance``."""

    def __init__(self, now: int = NOON) -> None:
        self._now = now
        self._elapsed_ms = 0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_ms / 1_000

    def advance(self, ms: int) -> int:
        """Let ``ms`` pass; returns the new instant."""
        assert ms >= 0, "time does not go back; step() does"
        self._now += ms
        self._elapsed_ms += ms
        return self._now

    def step(self, delta_ms: int) -> None:
        """Set the clock by ``delta_ms`` with no time passing, as ``SystemClock.adopt`` does."""
        self._now += delta_ms


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the wire."""

    method: str
    url: str
    headers: Mapping[str, str]
    timeout_ms: int
    body: bytes = b""
    max_body: int | None = None


@dataclass
class FakeWire:
    """Answers each URL by its list, in order; the last answer repeats. A URL without one fails the test."""

    script: Mapping[str, Iterable[Exchange]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    is_closed: bool = False

    def __post_init__(self) -> None:
        self._answers = {url: list(answers) for url, answers in self.script.items()}

    def add(self, url: str, *answers: Exchange) -> None:
        """Have ``url`` answer these, after what it was to answer already."""
        self._answers.setdefault(url, []).extend(answers)

    def script_again(self, url: str, *answers: Exchange) -> None:
        """Have ``url`` answer these from now on, whatever it was to answer."""
        self._answers[url] = list(answers)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        return self._answer(Request("GET", url, dict(headers), timeout_ms, max_body=max_body))

    async def query(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        return self._answer(Request("POST", url, dict(headers), timeout_ms, body, max_body=max_body))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> Exchange:
        return self._answer(Request("POST", url, dict(headers), timeout_ms, body))

    async def close(self) -> None:
        self.is_closed = True

    def _answer(self, request: Request) -> Exchange:
        assert not self.is_closed, "the wire is closed"
        self.requests.append(request)
        answers = self._answers.get(request.url)
        assert answers, f"no answer is scripted for {request.method} {request.url}"
        return answers.pop(0) if len(answers) > 1 else answers[0]

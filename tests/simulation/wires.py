"""The network between the daemon and its peers: every exchange passes here, and the oracle sees it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.urls import url_to_endpoint
from tests.simulation.peers import MEANING, Task, Turn, Upstream, meaning_of

if TYPE_CHECKING:
    from tests.simulation.life import Life


class SimWire:
    """A ``ports.Wire`` of one life."""

    def __init__(self, life: "Life") -> None:
        self._life = life
        self._city = life.city
        self._world = life.world
        self._is_closed = False

    async def query(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int, **_: object
    ) -> Exchange:
        raise AssertionError("MuleRouter is polled by GET")

    async def get(self, url: str, headers: Mapping[str, str], *, timeout_ms: int, **_: object) -> Exchange:
        """See ``Wire``."""
        self._check_open(url)
        upstream, task = self._city.find_task(url)
        if upstream is None:
            self._world.breach("P6 keys", f"a poll goes to {url}, where no provider is")
            return NoReply(FailureKind.CONNECT, "")
        key = headers.get("Authorization", "").removeprefix("Bearer ") or None
        with self._life.oracle.poll(upstream, task, url, headers):
            turn = upstream.answer(task, key, self._world.elapsed_ms())
            exchange = await self._have(turn, timeout_ms)
            self._remember(upstream, task, exchange)
            self._world.note("poll", url, _said(exchange))
        return exchange

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> Exchange:
        """See ``Wire``."""
        self._check_open(url)
        receiver = self._city.receivers.get(url_to_endpoint(url))
        if receiver is None:
            self._world.breach("P2 no invention", f"a callback goes to {url}, which nobody gave")
            return NoReply(FailureKind.CONNECT, "")
        with self._life.oracle.attempt(receiver, url, headers, body) as receipt:
            turn = receiver.answer(receipt.event_id, self._world.elapsed_ms())
            receipt.is_taken = turn.is_processed
            exchange = replace(await self._have(turn, timeout_ms), peer=receiver.peer)
            receipt.is_heard = _is_good(exchange)
            receipt.status = exchange.status if isinstance(exchange, HttpReply) else None
            self._world.note("attempt", url, receipt.event_id, receipt.number, _said(exchange))
            if receiver.crashes_next and receipt.is_heard:
                receiver.crashes_next = False
                receipt.is_heard = False
                receiver.crash()
        return exchange

    async def close(self) -> None:
        """See ``Wire``."""
        self._is_closed = True

    async def _have(self, turn: Turn, timeout_ms: int) -> Exchange:
        began_at, sleeps = self._world.elapsed_ms(), self._world.counts["sleep"]
        takes_s = timeout_ms / 1_000 if turn.exchange is None else min(turn.takes_s, timeout_ms / 1_000)
        await asyncio.sleep(takes_s)
        elapsed_ms = self._world.elapsed_ms() - began_at
        if self._world.counts["sleep"] != sleeps:  # the machine slept: no connection outlives that
            return NoReply(FailureKind.RESET, "", elapsed_ms=elapsed_ms)
        if turn.exchange is None or turn.takes_s * 1_000 >= timeout_ms:
            return NoReply(FailureKind.TIMEOUT, "", elapsed_ms=elapsed_ms)
        return replace(turn.exchange, elapsed_ms=elapsed_ms)

    def _remember(self, upstream: Upstream, task: Task | None, exchange: Exchange) -> None:
        """Keep what the daemon was truly told: only that may it pass on."""
        if task is None or not isinstance(exchange, HttpReply):
            return
        if exchange.status in (404, 410):
            if _is_of_an_api(exchange.body):
                task.misses.append(self._world.elapsed_ms())
        elif exchange.status == 200 and (word := _word_about(task, meaning_of(exchange))) in MEANING:
            task.told.setdefault(MEANING[word], []).append(meaning_of(exchange))

    def _check_open(self, url: str) -> None:
        if self._life.is_dead:
            raise asyncio.CancelledError
        if self._is_closed:
            self._world.breach("wire", f"a closed client is used for {url}")


def _is_good(exchange: Exchange | None) -> bool:
    return isinstance(exchange, HttpReply) and 200 <= exchange.status <= 299


def _said(exchange: Exchange) -> str:
    return str(exchange.status) if isinstance(exchange, HttpReply) else str(exchange.kind)


def _is_of_an_api(body: bytes) -> bool:
    """Whether a reply is a JSON object or list; any other is of a gateway."""
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False


def _word_about(task: Task, body: str) -> str:
    try:
        info = json.loads(body)["task_info"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    if not isinstance(info, dict) or info.get("id") != task.key[2] or not isinstance(info.get("status"), str):
        return ""
    word: str = info["status"]
    return word

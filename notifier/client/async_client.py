"""The client for asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from ssl import create_default_context
from typing import Any, TypeVar, cast

from notifier.client import calls
from notifier.client.address import Address
from notifier.client.discovery import find_daemon
from notifier.client.model import Callback, Watch
from notifier.client.transport import (
    ANSWER_LIMIT,
    ApiCall,
    ApiReply,
    connection_to,
    encode_call,
    error_to_fault,
    parse_reply,
)
from notifier.errors import NotifierError

HEAD_LIMIT = 64 * 1024

T = TypeVar("T")


class AsyncNotifier:
    """``Notifier`` for asyncio: the same calls, rules and faults (see there), awaited. Tasks may share it."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._address, self._token = find_daemon(url, token)

    async def watch(
        self,
        api_path: str,
        task_id: str,
        *,
        callback: str | Callback | Sequence[str | Callback],
        provider: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expire_after: calls.Duration | None = None,
    ) -> Watch:
        """See ``Notifier.watch``: idempotent, so that it may be called again after any fault."""
        return await self._run(calls.register(api_path, task_id, callback, provider, metadata, expire_after))

    async def wait(self, watch_id: str, max_wait: calls.Duration | None = None) -> Watch:
        """See ``Notifier.wait``."""
        return await self._run(calls.wait(watch_id, max_wait, time.monotonic))

    async def get(self, watch_id: str) -> Watch:
        """See ``Notifier.get``."""
        return await self._run(calls.get(watch_id))

    async def stop(self, watch_id: str) -> Watch:
        """See ``Notifier.stop``."""
        return await self._run(calls.stop(watch_id))

    async def list(
        self,
        *,
        state: str | None = None,
        provider: str | None = None,
        task_id: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Watch]:
        """See ``Notifier.list``: for ``async for``."""
        query = {"state": state, "provider": provider, "task_id": task_id}
        cursor: str | None = None
        while limit is None or limit > 0:
            page = await self._run(calls.page(query, limit, cursor))
            for watch in page.watches:
                yield watch
            limit = None if limit is None else limit - len(page.watches)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _run(self, steps: calls.Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._done(step)
                except NotifierError as fault:
                    step = steps.throw(fault)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _done(self, step: calls.RequestStep | calls.PauseStep) -> object:
        if isinstance(step, calls.PauseStep):
            await asyncio.sleep(step.seconds)
            return None
        message = encode_call(
            self._address, self._token, step.method, step.path, body=step.body, query=step.query
        )
        return await self._exchanged(message, step.timeout_s)

    async def _exchanged(self, message: ApiCall, timeout_s: float) -> ApiReply:
        """One exchange; ``timeout_s`` is for the whole of it."""
        try:
            async with asyncio.timeout(timeout_s):
                raw = await _conversation(self._address, _written(self._address, message))
            reply, content = _parsed(raw, message.method)
        except (OSError, HTTPException, UnicodeError) as trouble:
            raise error_to_fault(trouble, self._address, timeout_s) from trouble
        return parse_reply(reply, content, self._address)


async def _conversation(address: Address, request: bytes) -> bytes:
    """Send, and take all that comes until the daemon closes."""
    if address.socket_path is not None:
        reader, writer = await asyncio.open_unix_connection(address.socket_path)
    else:
        tls = create_default_context() if address.is_https else None
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
    try:
        writer.write(request)
        await writer.drain()
        taken = bytearray()
        while len(taken) <= HEAD_LIMIT + ANSWER_LIMIT and (part := await reader.read(HEAD_LIMIT)):
            taken += part
        return bytes(taken)
    finally:
        writer.close()
        with suppress(OSError):  # it has said all that it had to say
            await writer.wait_closed()


class _Tape:
    """A socket that only remembers: http.client writes the request to it, and reads the reply from it.

    So that the framing is the standard library's on this side too.
    """

    def __init__(self, heard: bytes = b"") -> None:
        self.said = bytearray()
        self._heard = heard

    def sendall(self, data: bytes) -> None:
        self.said += data

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._heard)

    def close(self) -> None:
        pass


def _written(address: Address, message: ApiCall) -> bytes:
    connection, tape = connection_to(address, 0), _Tape()
    connection.sock = tape
    headers = {**message.headers, "Connection": "close"}
    connection.request(message.method, message.target, message.content, headers)
    return bytes(tape.said)


def _parsed(raw: bytes, method: str) -> tuple[HTTPResponse, bytes]:
    reply = HTTPResponse(cast("Any", _Tape(raw)), method=method)
    reply.begin()
    return reply, reply.read()

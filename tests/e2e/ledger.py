"""A receiver that keeps every callback and trusts only the reference library's verification."""

import asyncio
from collections import defaultdict
from typing import Any

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notifier.core.jsontext import decode_strict


class Ledger:
    """``bodies`` by webhook-id, in order of arrival. ``answers`` are given to the first callbacks.

    While ``hold`` is an event that is not set, callbacks are kept but not answered; an answer ``takes_s``.
    """

    def __init__(self, *, answers: list[int] | None = None) -> None:
        self.secret = ""
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        self.headers: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.outcomes: dict[str, str] = {}
        self.changed = asyncio.Event()
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])
        self.hold: asyncio.Event | None = None
        self.takes_s = 0.0
        self._answers = answers or []

    async def until(self, count: int) -> None:
        """Wait until ``count`` tasks have been told of."""
        while len(self.outcomes) < count:
            self.changed.clear()
            await self.changed.wait()

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        headers = dict(request.headers)
        Webhook(self.secret).verify(body, headers)
        event: dict[str, Any] = decode_strict(body)
        assert event["id"] == headers["webhook-id"]
        self.bodies[event["id"]].append(body)
        self.headers[event["id"]].append(headers)
        status = self._answers.pop(0) if self._answers else 204
        if status < 300:
            self.outcomes[event["data"]["task_id"]] = event["type"]
        self.changed.set()
        await asyncio.sleep(self.takes_s)
        if self.hold is not None:
            await self.hold.wait()
        return Response(status_code=status)

"""A receiver that keeps every callback and trusts only the reference library's verification."""

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notifier.core.formats.json_text import decode_strict


class Ledger:
    """``bodies`` by webhook-id, in order of arrival. ``answers`` are given to the first callbacks.

    While ``hold`` is an event that is not set, callbacks are kept but not answered; an answer ``takes_s``.
    ``clock_off_s``: how far the sender's clock is from the real one.
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
        self.clock_off_s = 0.0
        self._answers = answers or []

    async def until(self, count: int) -> None:
        """Wait until ``count`` tasks have been told of."""
        while len(self.outcomes) < count:
            self.changed.clear()
            await self.changed.wait()

    def _verify(self, body: bytes, headers: dict[str, str]) -> None:
        webhook, off_s = Webhook(self.secret), self.clock_off_s
        if off_s == 0.0:
            webhook.verify(body, headers)
            return
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)  # the library asks the real clock
        assert abs(at.timestamp() - time.time() - off_s) < 60
        signed = webhook.sign(headers["webhook-id"], at, body.decode())
        assert signed in headers["webhook-signature"].split()

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        headers = dict(request.headers)
        self._verify(body, headers)
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

"""The limit of delivering: the daemon's own HTTP client posting signed events as fast as it can.

A process of its own, so that it competes with the receivers as the daemon does: prints one JSON object.
"""

import asyncio
import sys
import time
import uuid

import msgspec

from benchmarks.one_commit import METADATA
from benchmarks.tasks import API_PATH
from notifier.config.model import Callbacks
from notifier.core.callback import build_headers
from notifier.core.model import Dispatch
from notifier.core.replies import Reply
from notifier.core.signature import make_secret
from notifier.daemon.wires import callback_wire

_SETTINGS = Callbacks(secrets=(make_secret(bytes(range(32))),))


class BarePost(msgspec.Struct):
    """What it came to."""

    posts_per_s: float


async def measure(count: int, urls: list[str]) -> BarePost:
    """Warm up, then POST ``count`` events in all, as many in flight to each URL as the daemon sends."""
    wire = callback_wire(_SETTINGS, ())
    senders = urls * _SETTINGS.max_in_flight_per_origin

    async def post(url: str, times: int) -> None:
        for _ in range(times):
            dispatch = _dispatch(url)
            headers = build_headers(dispatch, _SETTINGS.secrets, now=dispatch.created_at)
            exchange = await wire.post(url, headers, dispatch.body, timeout_ms=_SETTINGS.timeout_ms)
            if not isinstance(exchange, Reply) or exchange.status != 200:
                raise RuntimeError(f"a receiver did not answer as it should: {exchange}")

    async def post_side_by_side(times: int) -> None:
        await asyncio.gather(*(post(url, times // len(senders)) for url in senders))

    try:
        await post_side_by_side(len(senders) * 4)
        began = time.monotonic()
        await post_side_by_side(count)
        return BarePost(count // len(senders) * len(senders) / (time.monotonic() - began))
    finally:
        await wire.close()


def _dispatch(url: str) -> Dispatch:
    now = time.time_ns() // 1_000_000
    name = uuid.uuid4().hex
    data = {"task_id": name, "api_path": API_PATH, "ended_at": "2026-11-23T12:00:00.000Z"}
    padding = {"metadata": msgspec.Raw(METADATA.encode()), "outputs": ["https://127.0.0.1/1.jpg"] * 8}
    body = msgspec.json.encode({"id": f"evt_{name}", "type": "task.completed", "data": data | padding})
    return Dispatch(
        delivery_id=f"dlv_{name}",
        event_id=f"evt_{name}",
        watch_id=f"wch_{name}",
        url=url,
        headers=(),
        body=body,
        number=1,
        created_at=now,
        give_up_at=now + 60_000,
        result_expires_at=None,
        is_maybe_duplicate=False,
    )


if __name__ == "__main__":
    bare = asyncio.run(measure(int(sys.argv[1]), sys.argv[2:]))
    sys.stdout.buffer.write(msgspec.json.encode(bare))

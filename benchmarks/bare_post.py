"""The limit of delivering: httpx over our transport as it comes, posting signed events as fast as it can.

A process of its own, so that it competes with the receivers as the daemon does: prints one JSON object.
"""

import asyncio
import sys
import time
import uuid

import httpx
import msgspec
import uvloop

from benchmarks.bare_get import make_transport
from benchmarks.one_commit import METADATA
from benchmarks.tasks import API_PATH
from notifier.config.model import CallbackSettings
from notifier.core.delivery.request_headers import build_headers
from notifier.core.delivery.signature import make_secret
from notifier.core.model import ClaimedDelivery
from notifier.daemon.client_factory import CALLBACK_KEEPALIVE_S

_SETTINGS = CallbackSettings(secrets=(make_secret(bytes(range(32))),))


class BarePost(msgspec.Struct):
    """What it came to."""

    posts_per_s: float


async def measure(count: int, urls: list[str]) -> BarePost:
    """Warm up, then POST ``count`` events in all, as many in flight to each URL as the daemon sends."""
    client = httpx.AsyncClient(transport=make_transport(_SETTINGS.max_in_flight, CALLBACK_KEEPALIVE_S))
    senders = urls * _SETTINGS.max_in_flight_per_origin

    async def post(url: str, times: int) -> None:
        for _ in range(times):
            dispatch = _dispatch(url)
            headers = build_headers(dispatch, _SETTINGS.secrets, now=dispatch.created_at)
            answer = await client.post(url, headers=headers, content=dispatch.body)
            if answer.status_code != 200:
                raise RuntimeError(f"a receiver answered {answer.status_code}")

    async def post_side_by_side(times: int) -> None:
        await asyncio.gather(*(post(url, times // len(senders)) for url in senders))

    async with client:
        await post_side_by_side(len(senders) * 4)
        began = time.monotonic()
        await post_side_by_side(count)
        return BarePost(count // len(senders) * len(senders) / (time.monotonic() - began))


def _dispatch(url: str) -> ClaimedDelivery:
    now = time.time_ns() // 1_000_000
    name = uuid.uuid4().hex
    data = {"task_id": name, "api_path": API_PATH, "ended_at": "2026-11-23T12:00:00.000Z"}
    padding = {"metadata": msgspec.Raw(METADATA.encode()), "outputs": ["https://127.0.0.1/1.jpg"] * 8}
    body = msgspec.json.encode({"id": f"evt_{name}", "type": "task.completed", "data": data | padding})
    return ClaimedDelivery(
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
    bare = uvloop.run(measure(int(sys.argv[1]), sys.argv[2:]))
    sys.stdout.buffer.write(msgspec.json.encode(bare))

"""What was learned of how long tasks take: it moves the first poll, and GET /v1/status shows it."""

from dataclasses import replace

import pytest

from notifier.core.polling.decision import EndWatch
from notifier.core.polling.first_poll import SURE_SAMPLES
from notifier.store.values import Lease
from tests.api.conftest import MULEROUTER, PATH, Bench
from tests.builders import end, event


async def teach(bench: Bench, count: int = SURE_SAMPLES, duration_ms: int = 100_000) -> None:
    """Have tasks end that took so long."""
    for number in range(count):
        watch_id = (await bench.register(f"past-{number}"))["id"]
        now, ending = bench.clock.now(), end(duration_ms=duration_ms)
        await bench.store.poll_now(watch_id, now=now)
        lease = Lease("test", now + 1)
        (watch,) = (await bench.store.claim_watches("mulerouter", now=now, limit=1, lease=lease)).watches
        await record(bench, watch_id, ending, lease)
        assert watch.id == watch_id


async def record(bench: Bench, watch_id: str, ending: EndWatch, lease: Lease) -> None:
    """End a claimed watch as the poller does."""
    detail = await bench.store.watch(watch_id)
    assert detail is not None
    now, told = bench.clock.now(), event(detail.watch, ending)
    assert await bench.store.record_end(detail.watch, lease, ending, told, now=now, give_up_at=now + 1)


def learning(bench: Bench, first_by_ms: int | None) -> None:
    """Let learning put off the first poll so far."""
    bench.configure(providers={"mulerouter": replace(MULEROUTER, first_by_ms=first_by_ms)})


async def test_status_tells_how_long_tasks_take(bench: Bench) -> None:
    await teach(bench, count=3)
    (learned,) = (await bench.http.get("/v1/status")).json()["learned"]
    quantiles = [learned.pop(name) for name in ("p5_s", "p50_s", "p90_s")]
    assert learned == {"provider": "mulerouter", "api_path": PATH, "finishes": 3}
    assert quantiles == sorted(quantiles)
    assert quantiles == pytest.approx([100] * 3, rel=0.125)


async def test_a_registration_says_when_its_kind_is_polled_first(bench: Bench) -> None:
    await teach(bench)
    learning(bench, 7_200_000)
    body = await bench.register("new")
    assert "12:01:28" <= body["next_poll_at"][11:19] <= "12:01:53"
    assert bench.wake.polls[-1] > bench.clock.now() + 80_000


@pytest.mark.parametrize(
    ("first_by_ms", "expire_after", "expected"),
    [
        (None, "1h", "12:00:02.500"),
        (None, "1s", "12:00:01.000"),
        (30_000, "1h", "12:00:30.000"),
        (7_200_000, "1s", "12:00:01.000"),
        (7_200_000, "1m", "12:01:00.000"),
    ],
)
async def test_no_first_poll_is_later_than_may_be_or_than_the_deadline(
    bench: Bench, first_by_ms: int | None, expire_after: str, expected: str
) -> None:
    await teach(bench)
    learning(bench, first_by_ms)
    body = await bench.register("new", expire_after=expire_after)
    assert body["next_poll_at"] == f"2026-11-23T{expected}Z"

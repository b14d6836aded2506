"""What a user changes while callbacks wait: secrets and receivers."""

from dataclasses import replace

import pytest

from notifier.config.model import RetentionSettings
from notifier.core.delivery.signature import make_secret, verify
from notifier.core.exchange import HttpReply
from notifier.core.model import DeliveryState
from notifier.engine.housekeeping import Housekeeping
from tests.engine.conftest import HOOK, HOUR_MS, SIGNING, Bench, task
from tests.engine.test_deliverer import DOWN, OK, finished
from tests.engine.test_outages import MINUTE_MS, run_for

NEW = make_secret(bytes(range(100, 132)))
NEW_HOOK = "http://127.0.0.1:3/new"


@pytest.mark.fault(81)
async def test_a_secret_rotated_between_two_attempts_signs_the_second_and_so_does_the_old(
    bench: Bench,
) -> None:
    """A receiver that has either verifies it, though the message was made before the new one was there."""
    await finished(bench, HttpReply(503), OK)
    await bench.deliver()
    bench.deliverer.settings = replace(bench.deliverer.settings, secrets=(NEW, SIGNING))
    await run_for(bench, 5_000)
    first, second = bench.posts.requests
    assert first.headers["webhook-signature"].count("v1,") == 1
    assert second.headers["webhook-signature"].count("v1,") == 2
    for secret in (NEW, SIGNING):
        verify([secret], second.headers, second.body, now=bench.clock.now())
    bench.deliverer.settings = replace(bench.deliverer.settings, secrets=(NEW,))


@pytest.mark.fault(82)
async def test_a_new_url_for_what_its_old_receiver_never_got_is_told_at_once(bench: Bench) -> None:
    """Nothing is called off: the old one keeps its own account, and is told when it is back."""
    watch_id = await finished(bench, DOWN)
    await run_for(bench, HOUR_MS, step_ms=MINUTE_MS)
    bench.posts.add(NEW_HOOK, OK)
    assert await bench.register("done-0", url=NEW_HOOK) == watch_id
    await bench.deliver()
    old, *_, new = bench.posts.requests
    assert (new.url, new.headers["notifier-attempt"]) == (NEW_HOOK, "1")
    assert (new.headers["webhook-id"], new.body) == (old.headers["webhook-id"], old.body)
    assert await accounts(bench, watch_id) == {
        HOOK: DeliveryState.PENDING,
        NEW_HOOK: DeliveryState.DELIVERED,
    }
    bench.posts.script_again(HOOK, OK)
    await run_for(bench, MINUTE_MS + 5_000)
    assert set((await accounts(bench, watch_id)).values()) == {DeliveryState.DELIVERED}


@pytest.mark.fault(82)
async def test_no_endpoint_is_forgotten_while_something_waits_there(bench: Bench) -> None:
    """Not when all else of it is old enough to go, and not when a user has paused it."""
    await finished(bench, OK)
    await bench.deliver()
    watch_id = await bench.register("waiting", url=f"{HOOK}?waiting")
    await finish_waiting(bench)
    (endpoint,) = await bench.store.endpoints(before=None, limit=2)
    await bench.store.pause_endpoint(endpoint.id)
    bench.clock.advance(30 * 24 * HOUR_MS)
    forgetful = Housekeeping(store=bench.store, clock=bench.clock, settings=RetentionSettings(0, 0))
    await forgetful.tick()
    (kept,) = await bench.store.endpoints(before=None, limit=2)
    assert (kept.id, kept.pending, kept.delivered) == (endpoint.id, 1, 0)
    assert await accounts(bench, watch_id) == {f"{HOOK}?waiting": DeliveryState.PENDING}


async def finish_waiting(bench: Bench) -> None:
    """Have the task end, and its delivery wait."""
    bench.polls.add(bench.url_of("waiting"), task("completed", "waiting"))
    bench.clock.advance(2_500)
    await bench.poll()


async def accounts(bench: Bench, watch_id: str) -> dict[str, DeliveryState]:
    """The state of each of a watch's deliveries, by URL."""
    return {delivery.url: delivery.state for delivery in (await bench.see(watch_id)).deliveries}

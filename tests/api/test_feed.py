"""What listeners are told, and that nobody is waited for. Beats are made by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from notifier.api import event_buffer
from notifier.api.event_feed import (
    MAX_MARKED,
    MAX_SUBSCRIBERS,
    PAUSE_AFTER_TICKS,
    RESET_INTERVAL_TICKS,
    TICKS_PER_SECOND,
    EventFeed,
)
from notifier.core.causes.cause import Condition
from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Attempt
from notifier.core.polling.decision import PollAgain
from notifier.errors import StoreUnavailable
from notifier.server.problems import ProblemError
from notifier.store.values import Lease
from tests.api.conftest import EPOCH, HOUR_MS, Bench, registration
from tests.builders import DISK_FULL, KEY_REFUSED
from tests.fakes import NOON

COMMENT = b":\n\n"


@dataclass
class Event:
    """One event as a browser takes it apart; without a name it only sets the id."""

    id: str = ""
    name: str = ""
    data: str = ""

    @property
    def body(self) -> Any:
        return json.loads(self.data)


def events_in(text: str) -> Iterator[Event]:
    for block in text.split("\n\n")[:-1]:
        event = Event()
        for line in block.split("\n"):
            field, _, value = line.partition(": ")
            match field:
                case "id":
                    event.id = value
                case "event":
                    event.name = value
                case "data":
                    event.data += value + "\n"
                case "retry":
                    assert value.isdigit()
                case _:
                    raise AssertionError(f"no field of an event: {line}")
        yield event


class Ear:
    """A listener that never waits: ``hear`` returns the events that are there."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.last_id: str | None = None
        self.is_cut = False

    async def hear(self) -> list[Event]:
        heard = b""
        while True:
            piece = await anext(self._pieces, None)
            if piece is None:
                self.is_cut = True
                break
            if piece == COMMENT:
                break
            heard += piece
        events = list(events_in(heard.decode()))
        if events:
            self.last_id = events[-1].id or self.last_id
        return [event for event in events if event.name]

    async def names(self) -> list[str]:
        return [event.name for event in await self.hear()]


@contextmanager
def listening(feed: EventFeed, last_id: str | None = None) -> Iterator[Ear]:
    with feed.subscribe(last_id) as listener:
        yield Ear(listener.pieces(heartbeat_s=0))


async def beat(bench: Bench, count: int = 1) -> None:
    for _ in range(count):
        await bench.feed.tick()


async def poll(bench: Bench, trouble: str | None = None) -> None:
    """Poll what is due, with nothing new."""
    now = bench.clock.now()
    store, lease = bench.services.store, Lease("test", now + HOUR_MS)
    claimed = await store.claim_watches("mulerouter", now=now, limit=500, lease=lease)
    for watch in claimed.watches:
        assert await store.record_wait(watch, lease, PollAgain(now, 1, None, None, None, None), now=now)
    assert trouble is None


# ---- what is told


async def test_a_change_is_told_as_lists_have_it(bench: Bench) -> None:
    with listening(bench.feed) as ear:
        assert await ear.hear() == []
        await bench.register(metadata={"order": 42})
        assert await ear.hear() == []
        await beat(bench)
        (event,) = await ear.hear()
        assert event.name == "watch"
        assert [event.body] == (await bench.http.get("/v1/watches")).json()["watches"]


async def test_an_end_is_told_with_its_delivery_and_each_attempt(bench: Bench) -> None:
    with listening(bench.feed) as ear:
        watch_id = (await bench.register())["id"]
        await bench.end(watch_id)
        await beat(bench)
        watch, delivery = await ear.hear()
        assert (watch.name, watch.body["state"]) == ("watch", "completed")
        assert (delivery.name, delivery.body["state"]) == ("delivery", "pending")
        store, now = bench.services.store, bench.clock.now()
        lease = Lease("test", now + HOUR_MS)
        (dispatch,) = (
            await store.claim_deliveries(now=now, limit=1, lease=lease, busy={}, per_origin=1)
        ).deliveries
        attempt = Attempt(1, now, 5, 204, None, None)
        await store.record_attempt(dispatch, lease, attempt, Delivered(), AttemptAccepted(), now=now)
        await beat(bench)
        (told,) = await ear.hear()
        assert (told.name, told.body["state"], told.body["attempts"]) == ("delivery", "delivered", 1)


async def test_changes_in_quick_succession_are_one_event(bench: Bench) -> None:
    """It says how the thing stands now."""
    with listening(bench.feed) as ear:
        watch_id = (await bench.register())["id"]
        await bench.http.delete(f"/v1/watches/{watch_id}")
        await bench.http.post(f"/v1/watches/{watch_id}/resume")
        await bench.http.delete(f"/v1/watches/{watch_id}")
        await beat(bench)
        assert [event.body["state"] for event in await ear.hear()] == ["stopped"]


async def test_what_was_only_polled_is_told_once_a_second(bench: Bench) -> None:
    with listening(bench.feed) as ear:
        await bench.register()
        await beat(bench, TICKS_PER_SECOND)
        await ear.hear()
        bench.clock.advance(5_000)
        for _ in range(TICKS_PER_SECOND - 1):
            await poll(bench)
            await beat(bench)
        assert await ear.hear() == []
        await beat(bench)
        assert [event.body["polls"] for event in await ear.hear()] == [TICKS_PER_SECOND - 1]


async def test_metadata_of_many_lines_stays_one_event(bench: Bench) -> None:
    """Line ends between its values would end the field; each line is a field of its own."""
    text = '{\r\n "a": 1,\n\r\n "b": [\r2]}'
    body = json.dumps(registration(metadata="here")).replace('"here"', text)
    with listening(bench.feed) as ear:
        headers = {"content-type": "application/json"}
        answer = await bench.http.post("/v1/watches", content=body.encode(), headers=headers)
        assert answer.status_code == 201
        await beat(bench)
        (event,) = await ear.hear()
        assert event.body["metadata"] == {"a": 1, "b": [2]}


async def test_a_provider_that_is_held_back_is_told_as_a_reset(bench: Bench) -> None:
    """It is the trouble of all its watches."""
    with listening(bench.feed) as ear:
        await beat(bench, TICKS_PER_SECOND)
        bench.conditions["mulerouter"] = Condition(KEY_REFUSED, NOON)
        await beat(bench, TICKS_PER_SECOND)
        assert await ear.names() == ["reset"]
        await beat(bench, 2 * RESET_INTERVAL_TICKS)
        assert await ear.names() == []


async def test_more_than_is_told_singly_is_a_reset_and_not_one_after_the_other(bench: Bench) -> None:
    with listening(bench.feed) as ear:
        for number in range(MAX_MARKED + 2):
            bench.feed.watch(f"wch_{number}")
        await beat(bench)
        assert await ear.names() == ["reset"]
        bench.feed.many()
        await beat(bench, RESET_INTERVAL_TICKS - 1)
        assert await ear.names() == []
        await beat(bench)
        assert await ear.names() == ["reset"]
        await bench.register()
        await beat(bench)
        assert await ear.names() == ["watch"]


@pytest.mark.fault(113)
async def test_more_bytes_than_are_told_singly_are_a_reset(bench: Bench) -> None:
    """Five watches with a mebibyte of outputs each change at once."""
    for watch_id in (ids := [(await bench.register(f"t{number}"))["id"] for number in range(5)]):
        await bench.end(watch_id, outputs=("u" * (1 << 20),))
    with listening(bench.feed) as ear:
        for watch_id in ids:
            bench.feed.watch(watch_id)
        await beat(bench)
        assert await ear.names() == ["reset"]
        bench.feed.watch(ids[0])
        await beat(bench)
        assert await ear.names() == ["watch"]


async def test_a_store_that_cannot_be_read_is_made_good_by_a_reset(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_named: object) -> None:
        raise StoreUnavailable(DISK_FULL)

    with listening(bench.feed) as ear, monkeypatch.context() as patched:
        await bench.register()
        patched.setattr(bench.store, "find", fail)
        await beat(bench)
        assert await ear.hear() == []
        patched.undo()
        await beat(bench)
        assert await ear.names() == ["reset"]


# ---- coming back


async def test_one_that_comes_back_hears_what_it_missed(bench: Bench) -> None:
    """The first id comes at once, so that this holds from the beginning."""
    with listening(bench.feed) as ear:
        await ear.hear()
    assert ear.last_id == f"{EPOCH}-0"
    await bench.register("a")
    await beat(bench)
    await bench.register("b")
    await beat(bench)
    with listening(bench.feed, f"{EPOCH}-0") as ear:
        assert [event.body["task_id"] for event in await ear.hear()] == ["a", "b"]
    with listening(bench.feed, f"{EPOCH}-1") as ear:
        assert [event.body["task_id"] for event in await ear.hear()] == ["b"]
    with listening(bench.feed, ear.last_id) as ear:
        assert await ear.hear() == []


@pytest.mark.parametrize(
    "last_id", ["", "nonsense", "000000000000-0", f"{EPOCH}-7", f"{EPOCH}--1", f"{EPOCH}-1x"]
)
async def test_an_id_that_is_not_ours_begins_with_a_reset(bench: Bench, last_id: str) -> None:
    """Of another run, from the future, or none at all: the lists are to be read anew, then it goes on."""
    with listening(bench.feed, last_id) as ear:
        assert await ear.names() == ["reset"]
        await bench.register()
        await beat(bench)
        assert await ear.names() == ["watch"]


async def test_an_id_that_is_forgotten_begins_with_a_reset(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_buffer, "MAX_EVENTS", 2)
    with listening(bench.feed):
        for number in range(4):
            await bench.register(f"task-{number}")
            await beat(bench)
    with listening(bench.feed, f"{EPOCH}-2") as ear:
        assert await ear.names() == ["watch", "watch"]
    with listening(bench.feed, f"{EPOCH}-1") as ear:
        assert await ear.names() == ["reset"]


async def test_after_a_minute_without_listeners_nothing_is_noted(bench: Bench) -> None:
    """What happens then is in no event, so ids of before are too old."""
    with listening(bench.feed) as ear:
        await ear.hear()
    await beat(bench, PAUSE_AFTER_TICKS)
    await bench.register()
    with listening(bench.feed, ear.last_id) as again:
        await beat(bench)
        assert await again.names() == ["reset"]
        await bench.register("task-2")
        await beat(bench)
        assert await again.names() == ["watch"]


async def test_while_nobody_listens_the_store_is_not_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(bench.store, "find", lambda *args, **named: read.append((args, named)))
    await bench.end((await bench.register())["id"])
    bench.feed.many()
    await beat(bench, TICKS_PER_SECOND)
    assert read == []


# ---- bounds


async def test_memory_is_bounded_by_bytes_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_buffer, "MAX_EVENT_BYTES", 2_000)
    with listening(bench.feed) as ear:
        for number in range(5):
            await bench.register(f"task-{number}", metadata={"x": "y" * 500})
            await beat(bench)
        assert bench.feed._events.read_from(5) is not None
        assert bench.feed._events.read_from(3) is None
        await ear.hear()
        assert ear.is_cut


async def test_a_slow_listener_is_cut_and_hurts_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_buffer, "MAX_EVENTS", 3)
    with listening(bench.feed) as slow, listening(bench.feed) as quick:
        for number in range(5):
            await bench.register(f"task-{number}")
            await beat(bench)
            assert await quick.names() == ["watch"]
        assert await slow.hear() == []
        assert slow.is_cut
        assert not quick.is_cut


async def test_only_so_many_may_listen(bench: Bench) -> None:
    """One more is refused, until one leaves."""
    held = [bench.feed.subscribe(None) for _ in range(MAX_SUBSCRIBERS)]
    for each in held:
        each.__enter__()
    with pytest.raises(ProblemError, match="busy"), bench.feed.subscribe(None):
        pass
    held.pop().__exit__(None, None, None)
    with bench.feed.subscribe(None):
        pass
    for each in held:
        each.__exit__(None, None, None)


async def test_a_long_memory_comes_in_pieces(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them much larger than a piece, whatever one missed."""
    monkeypatch.setattr(event_buffer, "PIECE_BYTES", 1_000)
    with bench.feed.subscribe(None):
        for number in range(4):
            await bench.register(f"task-{number}")
            await beat(bench)
    with bench.feed.subscribe(f"{EPOCH}-0") as listener:
        pieces = listener.pieces(heartbeat_s=0)
        sizes = [len(await anext(pieces)) for _ in range(4)]
        assert await anext(pieces) == COMMENT
        assert max(sizes) < 2_000


async def test_the_end_of_the_daemon_ends_every_stream(bench: Bench) -> None:
    with listening(bench.feed) as ear:
        await ear.hear()
        bench.feed.close()
        await ear.hear()
        assert ear.is_cut
    with pytest.raises(ProblemError, match="not_ready"), bench.feed.subscribe(None):
        pass


async def test_a_beat_that_throws_ends_the_streams_and_the_next_listener_begins_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No listener is left waiting for a feed that is dead."""
    feed = EventFeed(
        store=bench.store, epoch=EPOCH, condition_of=lambda _name, _path: None, conditions=dict, tick_s=0
    )
    with listening(feed) as ear, monkeypatch.context() as patched:
        await ear.hear()
        patched.setattr(bench.store, "find", None)
        feed.watch("wch_1")
        while not ear.is_cut:
            await asyncio.sleep(0)
            await ear.hear()
    with listening(feed, ear.last_id) as again:
        assert await again.names() == ["reset"]
    feed.close()

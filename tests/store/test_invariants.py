"""A long random life: after every step the figures that are derived agree with the rows they come from."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import AttemptAccepted, AttemptResult
from notifier.core.model import Callback, ClaimedDelivery, Watch, WatchState
from notifier.core.polling.poll_choice import ClaimRules, PathProbe
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import WatchAdded, WatchQuery
from tests.builders import DOWN, HOUR, MINUTE, REFUSED, attempt, end, event, lease, new_watch, wait
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP

# One that starts slowly and has as many in flight as it may is looked at when one of them ends.
NOT_NARROW = """(e.width IS NULL OR e.closed_at IS NOT NULL OR e.width >
  (SELECT count(*) FROM deliveries d WHERE d.endpoint_seq = e.seq AND d.owner IS NOT NULL))"""

AGREE = {
    "tallies of watches": """
        SELECT t.state FROM tallies t WHERE kind = 'watch'
          AND n <> (SELECT count(*) FROM watches w WHERE w.state = t.state)""",
    "tallies of deliveries": """
        SELECT t.state FROM tallies t WHERE kind = 'delivery'
          AND n <> (SELECT count(*) FROM deliveries d WHERE d.state = t.state)""",
    "api_paths are counted and none is left over": """
        SELECT path FROM api_paths a
        WHERE watches = 0 OR watches <> (SELECT count(*) FROM watches w WHERE w.api_path_seq = a.seq)""",
    "every watch has its api_path": """
        SELECT id FROM watches WHERE api_path_seq NOT IN (SELECT seq FROM api_paths)""",
    "an endpoint is looked at when something is due there": """
        SELECT url FROM endpoints e WHERE e.hold IS NULL AND e.probe_at <= :now AND {not_narrow}
          AND EXISTS (
            SELECT 1 FROM deliveries d WHERE d.endpoint_seq = e.seq AND d.due_at <= :now
              AND (e.due_at IS NULL OR e.due_at > :now))""",
    "an endpoint is not forgotten while something waits there": """
        SELECT url FROM endpoints e WHERE e.due_at IS NULL AND e.hold IS NULL AND {not_narrow}
          AND EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_seq = e.seq AND d.due_at IS NOT NULL)""",
    "an origin is due with the first of its endpoints": """
        SELECT name FROM origins o
        WHERE due_at IS NOT (SELECT min(due_at) FROM endpoints e
            WHERE e.origin_seq = o.seq AND e.slot_class = 0)
          OR recovering_at IS NOT (SELECT min(due_at) FROM endpoints e
            WHERE e.origin_seq = o.seq AND e.slot_class = 1)
          OR new_at IS NOT (SELECT min(due_at) FROM endpoints e
            WHERE e.origin_seq = o.seq AND e.slot_class = 2)
          OR hanging_at IS NOT (SELECT min(due_at) FROM endpoints e
            WHERE e.origin_seq = o.seq AND e.slot_class = 3)""",
    "what works is of the class that works": """
        SELECT url FROM endpoints WHERE (width IS NOT 1) <> (slot_class = 0)""",
    "who failed last is on trial, but for who refused an event": """
        SELECT url FROM endpoints WHERE width IS NOT 1 AND (closed_at IS NOT NULL
          OR failures > 0 AND coalesce(json_extract(reason_params, '$.status'), 0)
            NOT IN (400, 409, 413, 415, 422))""",
    "no endpoint without deliveries, but for those that somebody holds": """
        SELECT url FROM endpoints WHERE hold IS NULL AND seq NOT IN (SELECT endpoint_seq FROM deliveries)""",
    "no origin without endpoints": """
        SELECT name FROM origins WHERE seq NOT IN (SELECT origin_seq FROM endpoints)""",
    "an event for every ended round that tells something": """
        SELECT id FROM watches w WHERE state NOT IN ('watching', 'stopped')
          AND NOT EXISTS (SELECT 1 FROM events e WHERE e.watch_seq = w.seq AND e.round = w.round)""",
    "no event of a round that goes on": """
        SELECT id FROM watches w WHERE state IN ('watching', 'stopped')
          AND EXISTS (SELECT 1 FROM events e WHERE e.watch_seq = w.seq AND e.round = w.round)""",
    "what failed last, or is put off, is in no regular queue": """
        SELECT id FROM watches
        WHERE (queue = 0 AND (failures > 0 OR paced_due_at IS NOT NULL)) OR (queue = 1 AND failures = 0)""",
    "only what is watched waits in a queue": """
        SELECT id FROM watches WHERE state <> 'watching' AND (queue <> 0 OR failures <> 0)""",
    "as many attempts as are counted": """
        SELECT id FROM deliveries d
        WHERE attempts <> (SELECT count(*) FROM attempts a WHERE a.delivery_seq = d.seq)""",
    "ids sort as the rows came": """
        SELECT a.id FROM watches a JOIN watches b ON a.seq < b.seq AND a.id >= b.id""",
}


class Life:
    """Does one thing after the other, as chance has it."""

    def __init__(self, store: SqliteStore, rng: random.Random) -> None:
        self.store = store
        self.rng = rng
        self.now = NOON
        self.latest = NOON
        self.watches: list[Watch] = []
        self.deliveries: list[ClaimedDelivery] = []

    async def step(self) -> None:
        self.now += self.rng.choice([0, 1, 500, 5_000, MINUTE])
        acts: list[Callable[[], Awaitable[object]]] = [
            self.register,
            self.register,
            self.claim,
            self.record,
            self.record,
            self.send,
            self.note,
            self.note,
            self.user,
            self.forget,
            self.shift,
        ]
        await self.rng.choice(acts)()
        self.latest = max(self.latest, self.now)

    async def register(self) -> None:
        n = self.rng.randrange(60)
        callbacks = tuple(
            Callback(f"http://10.0.0.{self.rng.randrange(3)}/{self.rng.randrange(4)}?{n}")
            for _ in range(self.rng.randrange(1, 4))
        )
        given = new_watch(
            f"task-{n}",
            api_path=f"/path/{self.rng.randrange(5)}",
            callbacks=callbacks,
            registered_at=self.now,
            first_poll_at=self.now + 100,
            expires_at=self.now + HOUR,
        )
        await self.store.add_watches([given], give_up_at=GIVE_UP, max_live=40)

    async def claim(self) -> None:
        taken = lease(self.now + 20_000)
        paths = [f"/path/{n}" for n in range(5)]
        rules = ClaimRules(
            max_in_flight=32,
            suspect_room=self.rng.randrange(3),
            probe_room=self.rng.randrange(4),
            is_shared=self.rng.random() < 0.7,
            blocked={path: self.rng.choice([*PathProbe]) for path in paths if self.rng.random() < 0.1},
        )
        claimed = await self.store.claim_watches(
            "mulerouter", now=self.now, limit=5, lease=taken, rules=rules
        )
        self.watches += claimed.watches

    async def record(self) -> None:
        if not self.watches:
            return
        watch = self.watches.pop(self.rng.randrange(len(self.watches)))
        if self.rng.random() < 0.4:
            again = wait(self.now + 3_000)
            if self.rng.random() < 0.4:
                again = wait(self.now + 9_000, failures=watch.failures + 1, paced_due_at=self.now + 3_000)
            await self.store.record_wait(watch, lease(), again, now=self.now)
            return
        if self.rng.random() < 0.1:
            await self.store.recall_deferred("mulerouter", api_path=watch.api_path, limit=9)
        state = self.rng.choice(
            [WatchState.COMPLETED, WatchState.FAILED, WatchState.EXPIRED, WatchState.LOST]
        )
        expires_at = self.rng.choice([None, self.now + HOUR])
        ending = end(state, result_expires_at=expires_at)
        told = event(watch, ending, at=self.now)
        await self.store.record_end(watch, lease(), ending, told, now=self.now, give_up_at=GIVE_UP)

    async def send(self) -> None:
        claimed = await self.store.claim_deliveries(
            now=self.now, limit=4, lease=lease(self.now + 20_000), busy={"http://10.0.0.1": 1}, per_origin=2
        )
        self.deliveries += claimed.deliveries

    async def note(self) -> None:
        if not self.deliveries:
            return
        dispatch = self.deliveries.pop(self.rng.randrange(len(self.deliveries)))
        sequels: list[AttemptDecision] = [Delivered(), Retry(self.now + 7_000), GiveUp("x")]
        sequel = self.rng.choice(sequels)
        reports: list[AttemptResult] = [AttemptAccepted(), REFUSED, DOWN]
        report = self.rng.choice(reports)
        await self.store.record_attempt(
            dispatch, lease(), attempt(dispatch.number), sequel, report, now=self.now
        )

    async def user(self) -> None:
        watch = self.rng.choice(await self.store.watches(WatchQuery()) or [None])
        if watch is None:
            return
        match self.rng.randrange(4):
            case 0:
                await self.store.stop_watch(watch.id, now=self.now)
            case 1:
                await self.store.resume_watch(
                    watch.id, now=self.now, expires_at=self.now + HOUR, max_live=1_000
                )
            case 2:
                await self.store.poll_now(watch.id, now=self.now)
            case _:
                detail = await self.store.watch(watch.id)
                assert detail is not None
                for delivery in detail.deliveries[:1]:
                    await self.store.redeliver(delivery.id, now=self.now, give_up_at=GIVE_UP)

    async def forget(self) -> None:
        if self.rng.random() < 0.2:
            before = self.now - 2 * MINUTE
            await self.store.prune(delivered_before=before, dead_before=before, limit=3)

    async def shift(self) -> None:
        if self.rng.random() < 0.1:
            delta = self.rng.choice([-HOUR, HOUR, 17])
            await self.store.shift_times(delta)
            self.now += delta


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_derived_agrees_with_what_it_is_derived_from(
    tmp_path: Path, opening: OpenStore, seed: int
) -> None:
    """Also across a restart in the middle."""
    rng = random.Random(seed)
    life = Life(await opening(open_driver=InlineDriver.open, rng=rng), rng)
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as onlooker:
        for step in range(500):
            if step == 250:
                await life.store.close()
                life.now = life.latest  # ids sort across a restart as long as the clock does
                life.store = await opening(open_driver=InlineDriver.open, rng=rng, now=life.now)
            await life.step()
            for what, rule in AGREE.items():
                query = rule.replace("{not_narrow}", NOT_NARROW)
                wrong = onlooker.execute(query, {"now": life.now} if ":now" in query else {}).fetchall()
                assert not wrong, f"seed {seed}, step {step}: {what}: {wrong}"
        assert onlooker.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert onlooker.execute("PRAGMA foreign_key_check").fetchall() == []
        assert onlooker.execute("SELECT count(*) FROM attempts").fetchone()[0] > 5


@pytest.mark.parametrize("seed", range(3))
async def test_everything_drains_in_the_end(opening: OpenStore, seed: int) -> None:
    """However it was claimed, lost, stopped and shifted: all that waits is handed out in time."""
    rng = random.Random(seed)
    life = Life(await opening(open_driver=InlineDriver.open, rng=rng), rng)
    for _ in range(300):
        await life.step()
    life.watches, life.deliveries = [], []
    for _ in range(400):
        claimed = await life.store.claim_deliveries(
            now=life.now, limit=4, lease=lease(life.now + 20_000), busy={}, per_origin=2
        )
        for dispatch in claimed.deliveries:
            assert await life.store.record_attempt(
                dispatch, lease(), attempt(dispatch.number), Delivered(), AttemptAccepted(), now=life.now
            )
        if claimed.next_due_at is not None:
            life.now = max(life.now, claimed.next_due_at)
        elif (await life.store.counts(now=life.now)).oldest_pending_at is None:
            break
        else:
            life.now += 20_000  # what is left is under a lease
    assert (await life.store.counts(now=life.now)).oldest_pending_at is None


async def test_a_watch_and_its_indexes_take_few_bytes(tmp_path: Path, opening: OpenStore) -> None:
    """At most 600, also after polls have moved every one of them in no order."""
    store = await opening(open_driver=InlineDriver.open)
    rng, count = random.Random(1), 6_000
    for start in range(0, count, 1_000):
        new = [
            new_watch(str(rng.getrandbits(119)), first_poll_at=NOON + rng.randrange(MINUTE))
            for _ in range(start, start + 1_000)
        ]
        added = await store.add_watches(new, give_up_at=GIVE_UP, max_live=count)
        assert all(isinstance(one, WatchAdded) for one in added)
    for now in (NOON + MINUTE, NOON + 3 * MINUTE):
        while True:
            claimed = await store.claim_watches("mulerouter", now=now, limit=500, lease=lease(now + 20_000))
            if not claimed.watches:
                break
            found = [wait(now + MINUTE + rng.randrange(MINUTE)) for _ in claimed.watches]
            kept = await asyncio.gather(
                *(
                    store.record_wait(watch, lease(), one, now=now)
                    for watch, one in zip(claimed.watches, found, strict=True)
                )
            )
            assert all(kept)
    await store.close()
    assert (tmp_path / "notifier.db").stat().st_size / count <= 600

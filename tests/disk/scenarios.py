"""What a store does while its disk fails, one scenario a line of work. A new one is a class in ``SCENARIOS``.

``prepare`` runs on a good disk; ``act`` on the one that fails, telling the account what was answered.
"""

import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Protocol

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.errors import NotifierError
from notifier.store.sqlite.integrity import APPLICATION_ID
from notifier.store.sqlite.open import migrations, open_store
from notifier.store.sqlite.store import SqliteStore
from tests.builders import DOWN, HOUR, attempt, end, event, lease, new_watch, wait
from tests.disk.account import Account
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, add, claim, finished, take

A, B = "http://127.0.0.1:9001/a", "http://127.0.0.1:9002/b"
BIG = '{"text": "' + "x" * 8_000 + '"}'


class Scenario(Protocol):
    """A line of work."""

    async def prepare(self, folder: Path) -> None:
        """Bring a folder to where the work begins."""
        ...

    async def act(self, folder: Path, account: Account) -> None:
        """Do the work; a refusal (NotifierError) of a verb is told and gone on from."""
        ...


class OpeningRefused(Exception):
    """The store could not be opened: said in words, and nothing was done."""


async def opened(folder: Path) -> SqliteStore:
    return await open_store(folder / "notifier.db", owner="daemon-1", now=NOON, rng=random.Random(1))


@asynccontextmanager
async def store_in(folder: Path) -> AsyncIterator[SqliteStore]:
    store = await opened(folder)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def at_work(folder: Path, account: Account) -> AsyncIterator[SqliteStore]:
    """Whatever it was refused meanwhile, it takes a write by itself as soon as the disk is well.

    Raises OpeningRefused where it cannot even be opened.
    """
    try:
        store = await opened(folder)
    except NotifierError as fault:
        raise OpeningRefused from fault
    try:
        yield store
        with account.a_good_disk():
            await store.heartbeat(now=NOON)
            account.tell("did recover -")
    finally:
        await store.close()


async def register(store: SqliteStore, account: Account, *task_ids: str, metadata: str = "{}") -> None:
    for task_id in task_ids:
        one = [new_watch(task_id, metadata=metadata)]
        await account.of("add", task_id, store.add_watches(one, give_up_at=GIVE_UP, max_live=10_000))


class Registration:
    """Three tasks, one after the other; each answered before the next is asked for."""

    async def prepare(self, folder: Path) -> None:
        async with store_in(folder):
            pass

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            await register(store, account, "t-1", "t-2", "t-3")


class Making:
    """The first start of all, with no file, and a registration."""

    async def prepare(self, folder: Path) -> None:
        pass

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            await register(store, account, "t-1")


class Polling:
    """A round of polls: two tasks run on, one has ended, one is stopped by its user."""

    async def prepare(self, folder: Path) -> None:
        async with store_in(folder) as store:
            await add(store, *(new_watch(f"t-{n}") for n in range(4)))

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            claimed = await account.of("claim", "-", claim(store)) or []
            for watch in claimed:
                if watch.task_id in ("t-0", "t-1"):
                    waiting = store.record_wait(watch, lease(), wait(), now=NOON)
                    await account.of("wait", watch.task_id, waiting)
                elif watch.task_id == "t-2":
                    told = event(watch)
                    ending = store.record_end(watch, lease(), end(), told, now=NOON, give_up_at=GIVE_UP)
                    await account.of("end", watch.task_id, ending)
                else:
                    await account.of("stop", watch.task_id, store.stop_watch(watch.id, now=NOON))


class Delivery:
    """Two callbacks: one is taken, one is not."""

    async def prepare(self, folder: Path) -> None:
        async with store_in(folder) as store:
            await finished(store, A, task_id="t-a")
            await finished(store, B, task_id="t-b")

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            for dispatch in await account.of("claim", "-", take(store)) or []:
                if dispatch.url == A:
                    made = attempt(status=204, error=None, answer=None)
                    sequel, report, verb, task = Delivered(), AttemptAccepted(), "deliver", "t-a"
                    record = store.record_attempt(dispatch, lease(), made, sequel, report, now=NOON)
                else:
                    verb, task = "retry", "t-b"
                    again = Retry(NOON + HOUR)
                    record = store.record_attempt(dispatch, lease(), attempt(), again, DOWN, now=NOON)
                await account.of(verb, task, record)


class Migration:
    """A file of the first version, with a watch in it, is brought up to date; then a registration."""

    async def prepare(self, folder: Path) -> None:
        with closing(sqlite3.connect(folder / "notifier.db")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"""BEGIN; {migrations()[0]}
                PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;
                INSERT INTO providers VALUES (1, 'mulerouter'); INSERT INTO api_paths VALUES (1, '/v1/x', 1);
                INSERT INTO watches (id, provider_seq, api_path_seq, task_id, state, callbacks, metadata,
                    registered_at, expires_at, due_at)
                VALUES ('wch_01', 1, 1, 't-old', 'watching', '[]', '{{}}', {NOON}, {NOON + HOUR}, {NOON});
                COMMIT;""")

    async def act(self, folder: Path, account: Account) -> None:
        await account.of("add", "t-old", _nothing())
        async with at_work(folder, account) as store:
            await register(store, account, "t-1")


class Checkpoint:
    """The log is written back twice, with registrations before, between and after."""

    async def prepare(self, folder: Path) -> None:
        async with store_in(folder):
            pass

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            await register(store, account, "t-1", "t-2", metadata=BIG)
            await account.of("maintain", "1", store.maintain())
            await register(store, account, "t-3", metadata=BIG)
            await account.of("maintain", "2", store.maintain())
            await register(store, account, "t-4")


class Pruning:
    """What is old is forgotten, and a registration goes on beside it."""

    async def prepare(self, folder: Path) -> None:
        async with store_in(folder) as store:
            for n in range(3):
                watch = await finished(store, A, task_id=f"t-{n}")
                for dispatch in await take(store):
                    await store.record_attempt(
                        dispatch, lease(), attempt(status=204), Delivered(), AttemptAccepted(), now=NOON
                    )
                assert watch is not None

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            old = NOON + HOUR
            forgetting = store.prune(delivered_before=old, dead_before=old, limit=2)
            await account.of("prune", "-", forgetting)
            await register(store, account, "t-new")


async def _nothing() -> None:
    """What has been done before."""


SCENARIOS: dict[str, Scenario] = {
    "making": Making(),
    "registration": Registration(),
    "polling": Polling(),
    "delivery": Delivery(),
    "migration": Migration(),
    "checkpoint": Checkpoint(),
    "pruning": Pruning(),
}


async def run(name: str, folder: Path, account: Account) -> bool:
    """Let a scenario act; False where the store could not even be opened: that is a refusal too."""
    try:
        await SCENARIOS[name].act(folder, account)
    except OpeningRefused:
        return False
    return True

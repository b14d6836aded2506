"""States change by the tables of ``core/states.py`` and in no other way."""

import random
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import DeliveryState
from notifier.core.states import DELIVERY_TABLE, WATCH_TABLE, DeliveryAction, next_delivery_state
from notifier.store.protocol import Store
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES, WATCH_CHANGES
from notifier.store.values import DeliveryQuery, ReplayQuery
from tests.builders import attempt, lease
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, finished, take
from tests.store.test_invariants import Life

GUARD = "state IN (SELECT value FROM json_each(:from_states))"
SEQUELS: Mapping[DeliveryAction, AttemptDecision] = {
    DeliveryAction.DELIVER: Delivered(),
    DeliveryAction.RETRY: Retry(NOON + 5_000),
    DeliveryAction.GIVE_UP: GiveUp("planted"),
}


def test_every_update_of_a_state_names_no_state_itself() -> None:
    """It takes the new state and those that it is allowed from as parameters, and the tables give them."""
    updates = {name: sql.partition("WHERE")[0] for name, sql in SQL.items() if "UPDATE" in sql}
    setting = {name for name, head in updates.items() if re.search(r"\bstate = ", head)}
    assert {"record_end", "stop_watch", "resume_watch", "record_attempt", "redeliver", "replay"} < setting
    for name in setting:
        assert re.findall(r"\bstate = (\S+?),?\s", updates[name]) == [":state"], name
        assert GUARD in SQL[name], name


@pytest.mark.parametrize("table", [WATCH_TABLE, DELIVERY_TABLE])
def test_an_action_leads_to_one_state(table: Mapping[tuple[str, str], str]) -> None:
    """So that an UPDATE needs to know its action alone."""
    assert len({(action, after) for (_, action), after in table.items()}) == len(
        {action for _, action in table}
    )


def test_the_parameters_are_those_of_the_tables() -> None:
    for table, changes in ((WATCH_TABLE, WATCH_CHANGES), (DELIVERY_TABLE, DELIVERY_CHANGES)):
        allowed = {(action, after) for (_, action), after in table.items()}
        assert {(action, change["state"]) for action, change in changes.items()} == allowed


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize("action", DeliveryAction)
async def test_a_delivery_moves_as_the_table_says(
    store: Store, state: DeliveryState, action: DeliveryAction
) -> None:
    """What the table does not allow changes nothing."""
    await finished(store)
    (claimed,) = await take(store)

    async def record(sequel: AttemptDecision) -> None:
        await store.record_attempt(claimed, lease(), attempt(), sequel, AttemptAccepted(), now=NOON)

    if state is DeliveryState.DELIVERED:
        await record(Delivered())
    elif state is DeliveryState.DEAD:
        await record(GiveUp("planted"))
    if action in SEQUELS:
        await record(SEQUELS[action])
    elif action is DeliveryAction.REDELIVER:
        await store.redeliver(claimed.delivery_id, now=NOON, give_up_at=GIVE_UP)
    else:
        await store.start_replay(ReplayQuery(), now=NOON, dry_run=False)
        await store.replay_some(now=NOON, give_up_at=GIVE_UP, limit=5)
    (delivery,) = await store.deliveries(DeliveryQuery())
    assert delivery.state is (next_delivery_state(state, action) or state)


@contextmanager
def recorded_changes(database: Path) -> Iterator[list[tuple[str, str, str]]]:
    """Collect every change of a state: the table, the state before and the state after."""
    changes: list[tuple[str, str, str]] = []
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("CREATE TABLE changed (what, before, after)")
        for table in ("watches", "deliveries"):
            other.execute(
                f"CREATE TRIGGER {table}_changed AFTER UPDATE OF state ON {table} "
                f"BEGIN INSERT INTO changed VALUES ('{table}', OLD.state, NEW.state); END"
            )
        yield changes
        changes += other.execute("SELECT DISTINCT what, before, after FROM changed").fetchall()


@pytest.mark.parametrize("seed", range(2))
async def test_no_change_of_a_state_bypasses_the_tables(
    tmp_path: Path, opening: OpenStore, seed: int
) -> None:
    """Whatever is done to a store, SQLite itself sees only changes that stand there."""
    rng = random.Random(seed)
    life = Life(await opening(open_driver=InlineDriver.open, rng=rng), rng)
    with recorded_changes(tmp_path / "notifier.db") as changes:
        for step in range(600):
            await life.step()
            if step % 50 == 0:
                await life.store.start_replay(ReplayQuery(), now=life.now, dry_run=False)
                await life.store.replay_some(now=life.now, give_up_at=GIVE_UP, limit=20)
                await life.store.give_up_overdue(now=GIVE_UP, limit=20)
    of_watches = {("watches", before, after) for (before, _), after in WATCH_TABLE.items()}
    of_deliveries = {("deliveries", before, after) for (before, _), after in DELIVERY_TABLE.items()}
    assert set(changes) <= of_watches | of_deliveries
    assert len(changes) > 10

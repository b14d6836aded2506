"""A cause comes back from the database as it went in, and what an older version wrote is read as its text."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from notifier.api.representations import endpoint_body, watch_body
from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.delivery.decision import Retry
from notifier.core.delivery.endpoint import MAX_PRIVATE_PROBE_MS, AttemptFailed, FailureScope, describe_gate
from notifier.core.model import Trouble, Watch
from notifier.store.protocol import Store
from notifier.store.values import DeliveryQuery, EndpointDetail
from tests.builders import HOOK, HOUR, SERVER_ERROR, answered, attempt, lease, new_watch, wait
from tests.core.test_causes import HOSTILE, parameters
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import add, claim, finished, take

OLD_TROUBLE = "provider refuses the key (401), key from file /etc/a {key} key"
OLD_REASON = "no connection: 127.0.0.1:9001: connection refused"
BEFORE_CAUSES = 10  # migrations before 0011_causes.sql
SINCE_CAUSES = (  # what this migration and the later ones added
    "ALTER TABLE watches DROP COLUMN trouble_params",
    "ALTER TABLE endpoints DROP COLUMN reason_params",
    "DROP INDEX watches_first_poll",
    "DROP INDEX watches_due",
    "DROP INDEX watches_held",
    "DROP INDEX watches_held_deadline",
    "DROP INDEX watches_deferred",
    "CREATE INDEX watches_due ON watches (provider_seq, due_at)",
    "DROP TABLE provider_breakers",
    "ALTER TABLE watches DROP COLUMN queue",
    "ALTER TABLE watches DROP COLUMN failures",
    "ALTER TABLE watches DROP COLUMN paced_due_at",
    "ALTER TABLE watches DROP COLUMN first_poll_from",
    "ALTER TABLE habits DROP COLUMN wait_ms",
    "ALTER TABLE habits DROP COLUMN waiting",
    "DROP TABLE payloads",
    "DROP TABLE bulk_changes",
    "CREATE TABLE replays (seq, started_at, since, until, state, url, place, last)",
)
BEFORE_RECOVERY = """
DROP TABLE endpoint_sweeps;
DROP INDEX deliveries_expiring;
ALTER TABLE deliveries DROP COLUMN is_replayed;
CREATE INDEX deliveries_expiring ON deliveries (created_at + 3 * urgency);
DROP TRIGGER endpoint_moved;
DROP INDEX endpoints_due;
DROP INDEX origins_recovering;
DROP INDEX origins_new;
DROP INDEX origins_hanging;
ALTER TABLE endpoints DROP COLUMN accepted_at;
ALTER TABLE endpoints DROP COLUMN is_hanging;
ALTER TABLE endpoints DROP COLUMN slot_class;
ALTER TABLE endpoints ADD COLUMN is_on_trial INTEGER AS (width IS 1);
ALTER TABLE origins DROP COLUMN recovering_at;
ALTER TABLE origins DROP COLUMN new_at;
ALTER TABLE origins DROP COLUMN hanging_at;
ALTER TABLE origins ADD COLUMN trial_at INTEGER;
CREATE INDEX origins_on_trial ON origins (trial_at) WHERE trial_at IS NOT NULL;
CREATE INDEX endpoints_due ON endpoints (origin_seq, is_on_trial, due_at);
CREATE TRIGGER endpoint_moved AFTER UPDATE OF due_at ON endpoints BEGIN SELECT 1; END;
"""


def cause_with(code: Code, value: str | int) -> Cause:
    return Cause(code, dict.fromkeys(parameters(code), value))


async def trouble_of(store: Store, watch: Watch) -> Trouble | None:
    found = await store.watch(watch.id)
    assert found is not None
    return found.watch.trouble


async def only_endpoint(store: Store) -> EndpointDetail:
    (detail,) = await store.endpoints(before=None, limit=9)
    return detail


async def fail(store: Store, cause: Cause, *, now: int) -> None:
    """Have the due delivery fail with this cause, and be due again at once."""
    (claimed,) = await take(store, now)
    failed = AttemptFailed(FailureScope.ENDPOINT, cause, None, MAX_PRIVATE_PROBE_MS)
    tried = attempt(claimed.number, at=now, error=cause.text())
    assert await store.record_attempt(claimed, lease(now + 20_000), tried, Retry(now), failed, now=now)


@pytest.mark.parametrize("value", [HOSTILE[0], "\u2028\x00\ud800 'x' \"y\"", 503, ""])
async def test_a_trouble_comes_back_as_it_went_in(store: Store, value: str | int) -> None:
    """Of every code, with whatever parameters."""
    await add(store, *(new_watch(code.value) for code in Code))
    troubles = {code.value: Trouble(cause_with(code, value), NOON) for code in Code}
    recording = (
        store.record_wait(each, lease(), wait(NOON, trouble=troubles[each.task_id]), now=NOON)
        for each in await claim(store)
    )
    assert all(await asyncio.gather(*recording))
    assert {each.task_id: each.trouble for each in await claim(store, NOON + 1)} == troubles


async def test_the_reason_of_a_gate_comes_back_as_it_went_in(store: Store) -> None:
    """Of every code."""
    await finished(store)
    for n, code in enumerate(Code):
        cause = cause_with(code, HOSTILE[5])
        await fail(store, cause, now=NOON + n * HOUR)
        assert (await only_endpoint(store)).health.gate.reason == cause


async def test_a_poll_that_goes_well_clears_code_and_parameters(store: Store, tmp_path: Path) -> None:
    (watch,) = await add(store)
    (claimed,) = await claim(store)
    trouble = Trouble(answered(503), NOON)
    assert await store.record_wait(claimed, lease(), wait(NOON, trouble=trouble), now=NOON)
    (claimed,) = await claim(store, NOON + 1)
    assert await store.record_wait(claimed, lease(), wait(NOON + HOUR), now=NOON + 1)
    assert await trouble_of(store, watch) is None
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as connection:
        assert connection.execute("SELECT trouble, trouble_params FROM watches").fetchall() == [(None, None)]


async def test_the_columns_hold_a_code_and_a_json_object(store: Store, tmp_path: Path) -> None:
    """Whoever looks into the file finds the code, and nothing where there is no parameter."""
    await add(store)
    (claimed,) = await claim(store)
    for cause in (SERVER_ERROR, Cause(Code.PROVIDER_THROTTLED)):
        trouble = Trouble(cause, NOON)
        assert await store.record_wait(claimed, lease(), wait(NOON, trouble=trouble), now=NOON)
        with closing(sqlite3.connect(tmp_path / "notifier.db")) as connection:
            code, params = connection.execute("SELECT trouble, trouble_params FROM watches").fetchone()
        assert code == cause.code.value
        assert (None if params is None else json.loads(params)) == (dict(cause.params) or None)
        (claimed,) = await claim(store, NOON + 1)


async def old_file(tmp_path: Path, opening: OpenStore) -> None:
    """A database of the version before causes, with a trouble and the reason of a closed gate as texts."""
    new = await opening()
    await finished(new, HOOK)
    await add(new, new_watch("task-2"))
    await new.close()
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as connection:
        connection.execute(
            "UPDATE watches SET trouble = ?, trouble_since = ? WHERE state = 'watching'", (OLD_TROUBLE, NOON)
        )
        connection.execute(
            "UPDATE endpoints SET failures = 3, closed_at = ?, reason = ?, probe_at = ?",
            (NOON, OLD_REASON, NOON + 5_000),
        )
        connection.execute("ALTER TABLE watches DROP COLUMN poll_origin")
        connection.execute("DROP TABLE completions")
        for later in SINCE_CAUSES:
            connection.execute(later)
        connection.executescript(BEFORE_RECOVERY)
        connection.execute(f"PRAGMA user_version = {BEFORE_CAUSES}")
        connection.commit()


@pytest.mark.fault(28)
async def test_an_old_file_shows_its_texts_until_the_next_poll_and_probe(
    tmp_path: Path, opening: OpenStore
) -> None:
    """An update loses no reason, takes none for a code, and the first fresh word replaces it."""
    await old_file(tmp_path, opening)
    store = await opening()
    (waiting,) = (each for each in await store.deliveries(DeliveryQuery()) if each.held)
    assert waiting.held is not None
    assert waiting.held.text.startswith(f"closed: {OLD_REASON} since ")
    before = await only_endpoint(store)
    assert before.health.gate.reason == Cause(Code.LEGACY, {"text": OLD_REASON})
    assert endpoint_body(before).gate == f"closed: {OLD_REASON}"
    (claimed,) = await claim(store)
    assert claimed.trouble == Trouble(Cause(Code.LEGACY, {"text": OLD_TROUBLE}), NOON)
    shown = watch_body(claimed, None)
    assert shown.trouble == f"{OLD_TROUBLE} since 2026-11-23T12:00:00.000Z"
    assert shown.cause is not None
    assert (shown.cause.code, shown.cause.fix) == ("legacy", "")
    fresh = Trouble(SERVER_ERROR, NOON + 1)
    assert await store.record_wait(claimed, lease(), wait(NOON + 60, trouble=fresh), now=NOON + 1)
    assert await trouble_of(store, claimed) == fresh
    await fail(store, answered(503), now=NOON + 5_000)
    assert describe_gate((await only_endpoint(store)).health) == "closed: HTTP 503"


async def test_an_old_reason_outlives_what_is_no_probe(tmp_path: Path, opening: OpenStore) -> None:
    """A pause writes the gate anew; the text is then stored under the code legacy."""
    await old_file(tmp_path, opening)
    store = await opening()
    legacy = (await only_endpoint(store)).health.gate.reason
    assert isinstance(await store.pause_endpoint((await only_endpoint(store)).id), EndpointDetail)
    assert (await only_endpoint(store)).health.gate.reason == legacy


async def test_what_is_given_up_behind_an_old_reason_keeps_its_text(
    tmp_path: Path, opening: OpenStore
) -> None:
    """The error of a dead delivery is history, and stays text."""
    await old_file(tmp_path, opening)
    store = await opening()
    assert await store.give_up_overdue(now=NOON + 100 * HOUR, limit=9) == 1
    (dead,) = await store.deliveries(DeliveryQuery())
    assert dead.last_error == f"given up after 0 attempts, its endpoint being closed: {OLD_REASON}"

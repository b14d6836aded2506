"""Watches that wait: puts them into a database by the store's own statements, many in one transaction.

The verb ``add_watches`` takes minutes for a million of them, and gives the same rows. A process of its own,
as the pages of a big database fill its memory: prints one JSON object.
"""

import random
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from benchmarks.one_commit import CALLBACK_URL, METADATA
from benchmarks.tasks import API_PATH
from notifier.core.ids import WATCH
from notifier.core.model import Callback
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.open import migrate
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import callbacks_to_json

BATCH = 10_000
CACHE_KIB = 1_000_000
MINUTE_MS = 60_000
FIRST_DUE_MS, LAST_DUE_MS = 30 * MINUTE_MS, 55 * MINUTE_MS
"""No load lasts until the first is due; what is due in more than an hour, the store takes for an error."""
DAY_MS = 86_400_000
_POLLED = """
UPDATE watches SET polls = 3, interval_ms = 60000, last_polled_at = :now, upstream_status = 'processing',
  task_created_at = :now
WHERE seq > :after
"""


class Filled(msgspec.Struct):
    """How many bytes the file has."""

    size: int


def fill(file: str, more: int) -> Filled:
    """Add so many watches to the database, which is made where there is none, each as after some polls."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA journal_mode = OFF")  # a fill that breaks off is thrown away
    connection.execute("PRAGMA synchronous = OFF")
    migrate(connection)
    now = time.time_ns() // 1_000_000
    (have,) = connection.execute("SELECT count(*) FROM watches").fetchone()
    rows = _rows(connection, random.Random(have), now)
    connection.execute("BEGIN")
    for start in range(0, more, BATCH):
        count = min(BATCH, more - start)
        connection.executemany(SQL["add_watch"], (next(rows) for _ in range(count)))
        connection.execute(_POLLED, {"now": now, "after": have + start})
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    (size,) = connection.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchone()
    connection.close()
    return Filled(size)


def _rows(connection: sqlite3.Connection, rng: random.Random, now: int) -> Iterator[dict[str, Any]]:
    """Give watches without end, due in no order."""
    mint = IdSequence(rng)
    common = {
        "provider_seq": _seq(connection, "providers", "add_provider", name="mulerouter"),
        "api_path_seq": _seq(connection, "api_paths", "add_api_path", path=API_PATH),
        "callbacks": callbacks_to_json((Callback(CALLBACK_URL),)),
        "metadata": METADATA,
        "registered_at": now,
        "expires_at": now + DAY_MS,
        "first_poll_from": None,
        "traceparent": None,
        "poll_origin": None,
    }
    while True:
        yield {
            **common,
            "id": mint(WATCH, now),
            "task_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "due_at": now + rng.randint(FIRST_DUE_MS, LAST_DUE_MS),
        }


def _seq(connection: sqlite3.Connection, table: str, adding: str, **name: str) -> int:
    """Return the number of the only row of a table of words, which is made where there is none."""
    found = connection.execute(f"SELECT seq FROM {table}").fetchone()
    return int((found or connection.execute(SQL[adding], name).fetchone())[0])


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(fill(sys.argv[1], int(sys.argv[2]))))

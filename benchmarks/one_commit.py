"""The limit of registering the obvious way: each request begins, inserts and commits under a lock.

As durable as the daemon (WAL, ``synchronous=FULL``), over the same driver. A process of its own: prints one
JSON object.
"""

import asyncio
import sys
import time
import uuid

import aiosqlite
import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS watches (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL UNIQUE,
  callbacks TEXT NOT NULL, metadata TEXT NOT NULL, due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS due ON watches (due_at);
"""
_INSERT = "INSERT INTO watches (id, task_id, callbacks, metadata, due_at) VALUES (?, ?, ?, ?, ?)"
CALLBACK_URL = "http://127.0.0.1:9001/hook"
_CALLBACKS = f'[{{"url": "{CALLBACK_URL}"}}]'
METADATA = '{"order": 42, "customer": "c-1093"}'


class OneCommit(msgspec.Struct):
    """What it came to."""

    per_s: float


async def measure(file: str, requesters: int, count: int) -> OneCommit:
    """Insert ``count`` rows, one durable transaction for each."""
    async with aiosqlite.connect(file, isolation_level=None) as connection:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.executescript(_SCHEMA)
        turn = asyncio.Lock()

        async def insert(times: int) -> None:
            for number in range(times):
                row = (str(uuid.uuid4()), str(uuid.uuid4()), _CALLBACKS, METADATA, number)
                async with turn:
                    await connection.execute("BEGIN IMMEDIATE")
                    await connection.execute(_INSERT, row)
                    await connection.execute("COMMIT")

        before = time.monotonic()
        await asyncio.gather(*(insert(count // requesters) for _ in range(requesters)))
        return OneCommit(count // requesters * requesters / (time.monotonic() - before))


if __name__ == "__main__":
    result = asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(result))

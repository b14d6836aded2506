"""A past for watches that wait in a database: so many of them end, and are called back for, by SQL alone.

A process of its own, as ``filling`` is. What the page reads (events, deliveries, attempts, what is learned)
is there afterwards as a daemon would have left it.
"""

import sqlite3
import sys
import time

from benchmarks.one_commit import CALLBACK_URL
from benchmarks.tasks import API_PATH
from notifier.core.formats.urls import url_to_endpoint, url_to_origin
from notifier.core.polling.histogram import DurationHistogram, add_duration, pack
from notifier.core.polling.learned_schedule import histogram_to_durations
from notifier.store.sqlite.queries import SQL

STEP_MS = 200
"""One ended so long after the other; the last one a second ago."""
TOOK_MS = 15_000
_END = """
UPDATE watches SET state = 'completed', due_at = NULL, registered_at = :now - seq * :step - :took,
  finished_at = :now - seq * :step - 900, ended_at = :now - seq * :step, upstream_status = 'completed',
  outputs = '["https://cdn.example/1.jpg"]', result_expires_at = :now + 86400000
WHERE seq <= :count
"""
_EVENTS = """
INSERT INTO events (id, watch_seq, round, type, at, body, result_expires_at)
SELECT 'evt' || substr(id, 4), seq, 0, 'task.completed', ended_at, :body, result_expires_at
FROM watches WHERE seq <= :count
"""
_DELIVERIES = """
INSERT INTO deliveries
  (id, event_seq, endpoint_seq, url, state, urgency, created_at, give_up_at, ended_at, attempts)
SELECT 'dlv' || substr(id, 4), seq, :endpoint_seq, :url, 'delivered', result_expires_at, at, at + 86400000,
  at + 20, 1 FROM events
"""
_ATTEMPTS = """
INSERT INTO attempts (delivery_seq, number, at, duration_ms, status, peer, connect_ms, first_byte_ms)
SELECT seq, 1, created_at + 2, 18, 204, '127.0.0.1:9', 1, 17 FROM deliveries
"""


def end(file: str, count: int) -> None:
    """End the first ``count`` watches of a database that ``filling`` has filled."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = OFF")
    now = time.time_ns() // 1_000_000
    connection.execute("BEGIN")
    connection.execute(_END, {"now": now - 1_000, "step": STEP_MS, "took": TOOK_MS, "count": count})
    body = b'{"id": "evt", "type": "task.completed", "data": {"payload": {"images": []}}}'
    connection.execute(_EVENTS, {"body": body, "count": count})
    connection.execute(SQL["add_origin"], {"name": url_to_origin(CALLBACK_URL)})
    names = {"id": "ep_01KAQ7W3G0ABCDEFGHJKMNPQRW", "url": url_to_endpoint(CALLBACK_URL)}
    made = connection.execute(
        SQL["add_endpoint"], {**names, "origin": url_to_origin(CALLBACK_URL)}
    ).fetchone()
    connection.execute(_DELIVERIES, {"endpoint_seq": made["seq"], "url": CALLBACK_URL})
    connection.execute(_ATTEMPTS)
    _learn(connection, now, count)
    connection.execute("COMMIT")
    connection.close()


def _learn(connection: sqlite3.Connection, now: int, count: int) -> None:
    sketch = DurationHistogram()
    for _ in range(100):
        sketch = add_duration(sketch, TOOK_MS)
    durations = histogram_to_durations(sketch, count)
    quantiles = {"p5_ms": durations.p5_ms, "p50_ms": durations.p50_ms, "p90_ms": durations.p90_ms}
    names = {"provider": "mulerouter", "api_path": API_PATH, "finishes": count, "now": now}
    connection.execute(SQL["record_durations"], {**names, **quantiles, "sketch": pack(sketch), "wait_ms": 0})


if __name__ == "__main__":
    end(sys.argv[1], int(sys.argv[2]))

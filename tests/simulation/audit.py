"""Reading what is committed, beside the daemon's own connections."""

import sqlite3
from pathlib import Path
from typing import Any

from tests.store.test_invariants import AGREE, NOT_NARROW

DELIVERY = """
SELECT d.seq, d.state, d.owner, d.leased_until, d.attempts, d.is_forced, d.is_late, d.urgency, d.created_at,
  d.refusals, d.endpoint_seq, e.body, e.type, e.round, w.id AS watch_id, w.round AS watch_round, ep.closed_at,
  ep.probes, json_extract(ep.reason_params, '$.status') AS gate_status
FROM watches w
JOIN events e ON e.watch_seq = w.seq JOIN deliveries d ON d.event_seq = e.seq
JOIN endpoints ep ON ep.seq = d.endpoint_seq
WHERE w.id = ? AND e.id = ? AND d.url = ?
"""
MORE_URGENT = """
SELECT url FROM deliveries
WHERE endpoint_seq = ? AND due_at IS NOT NULL AND due_at <= ? AND urgency < ? LIMIT 1
"""
WATCH_OF_TASK = "SELECT * FROM watches WHERE task_id = ?"
EVENTS = "SELECT e.* FROM events e JOIN watches w ON w.seq = e.watch_seq WHERE w.id = ?"
FINAL = """
SELECT d.id, d.url, d.state, d.last_error, d.attempts, e.id AS event_id, e.type, w.id AS watch_id,
  (SELECT status FROM attempts a WHERE a.delivery_seq = d.seq ORDER BY number DESC LIMIT 1) AS last_status
FROM deliveries d JOIN events e ON e.seq = d.event_seq JOIN watches w ON w.seq = e.watch_seq
"""
_BOUND = {"as many attempts as are counted", "ids sort as the rows came"}
"""Not promised over many attempts, nor over a clock that was set back while the daemon was down."""


class Audit:
    """A read-only connection that sees what would be there after a crash."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """What is committed now; nothing while there is no database yet."""
        if self._connection is None:
            if not self._file.exists():
                return []
            self._connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "no such column" in str(error):
                return []
            raise

    def row(self, sql: str, *values: object) -> Any:
        """The first of them, or None."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def disagreements(self, now: int) -> list[str]:
        """Which figures do not fit the rows that they come from."""
        found = []
        for rule, sql in AGREE.items():
            if rule not in _BOUND:
                text = sql.format(not_narrow=NOT_NARROW).replace(":now", str(now))
                found += [f"{rule}: {tuple(row)}" for row in self.rows(text)]
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()

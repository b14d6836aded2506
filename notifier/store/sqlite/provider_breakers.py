"""What the polling of a provider must know after a restart: breakers that block, and deferred watches."""

import sqlite3

from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import CircuitBreaker
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import cause_to_columns, columns_to_cause
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import DeferredPath, PollingState, ProviderBreaker

PROVIDER_ITSELF = ""  # in the column api_path; a path is never empty
MAX_DEFERRED_PATHS = 1_000  # as many as the limiter of a provider remembers (engine/provider_limiter.py)
THROTTLED = Code.PROVIDER_THROTTLED


def read_polling_state(connection: sqlite3.Connection) -> PollingState:
    """See ``Store.polling_state``."""
    limits = {"limit": MAX_DEFERRED_PATHS, "trouble": THROTTLED}
    deferred = connection.execute(SQL["deferred_paths"], limits)
    return PollingState(
        breakers=tuple(map(_row_to_breaker, connection.execute(SQL["list_breakers"]))),
        deferred=tuple(
            DeferredPath(row["provider"], row["api_path"], bool(row["is_throttled"])) for row in deferred
        ),
    )


def record_breaker(transaction: Transaction, breaker: ProviderBreaker) -> None:
    """See ``Store``."""
    names = {"provider": breaker.provider, "api_path": breaker.api_path or PROVIDER_ITSELF}
    state = breaker.breaker
    if state.since is None:
        transaction.connection.execute(SQL["delete_breaker"], names)
        return
    reason, params = cause_to_columns(state.reason)
    values = {
        "failures": state.failures,
        "failing_since": breaker.failing_since,
        "blocked_at": state.since,
        "reason": reason,
        "reason_params": params,
        "probe_at": state.probe_at,
        "probes": state.probes,
        "paused_until": state.paused_until,
    }
    transaction.connection.execute(SQL["write_breaker"], {**names, **values})


def _row_to_breaker(row: sqlite3.Row) -> ProviderBreaker:
    breaker = CircuitBreaker(
        failures=row["failures"],
        since=row["blocked_at"],
        reason=columns_to_cause(row["reason"], row["reason_params"]),
        probe_at=row["probe_at"],
        probes=row["probes"],
        paused_until=row["paused_until"],
    )
    api_path = None if row["api_path"] == PROVIDER_ITSELF else row["api_path"]
    return ProviderBreaker(row["provider"], api_path, breaker, row["failing_since"])


def recall_deferred(transaction: Transaction, provider: str, *, api_path: str | None, limit: int) -> int:
    """See ``Store``."""
    values = {"provider": provider, "api_path": api_path, "limit": limit, "trouble": THROTTLED}
    name = "recall_throttled" if api_path is None else "recall_deferred"
    rows = transaction.connection.execute(SQL[name], values).fetchall()
    for row in rows:
        transaction.changes.polled(row["id"])
    return len(rows)

"""Endpoints: between the gate columns of a row and core's ``Endpoint``, and the verbs of those who operate them."""

import sqlite3
from typing import Any

from notifier.core.endpoint import Endpoint, Hold
from notifier.core.gate import Gate


def endpoint_of_row(row: sqlite3.Row) -> Endpoint:
    """Read the gate columns of a row of ``endpoints``."""
    gate = Gate(
        failures=row["failures"],
        since=row["closed_at"],
        reason=row["reason"],
        probe_at=row["probe_at"],
        probes=row["probes"],
        paused_until=row["paused_until"],
    )
    return Endpoint(gate, None if row["hold"] is None else Hold(row["hold"]), row["width"])


def gate_values(endpoint: Endpoint) -> dict[str, Any]:
    """Write the gate columns of a row of ``endpoints``: a value for each, by the column's name."""
    gate = endpoint.gate
    return {
        "failures": gate.failures,
        "closed_at": gate.since,
        "reason": gate.reason,
        "probe_at": gate.probe_at,
        "probes": gate.probes,
        "paused_until": gate.paused_until,
        "hold": endpoint.hold,
        "width": endpoint.width,
    }

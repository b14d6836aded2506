"""Who is measured beside notifier, and who of them can run on this machine."""

import shutil
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.processes import PEERS_PYTHON

OURS = "notifier"
SCRIPT = "a script, asyncio and httpx"
APSCHEDULER = "APScheduler, SQLAlchemyJobStore"
HUEY = "Huey, SQLite"
DBOS = "DBOS, SQLite"
CELERY = "Celery, Redis, 8 processes"
PEERS = {
    SCRIPT: "naive",
    APSCHEDULER: "apscheduler_store",
    CELERY: "celery_redis",
    HUEY: "huey_sqlite",
    DBOS: "dbos_sqlite",
}
NEEDS = {CELERY: "redis-server"}
"""Programs that a peer needs beside its Python."""


def those_there(bench: Bench, what: str) -> list[str]:
    """Return the peers that can be run here; says of those that cannot that ``what`` is without them."""
    if not Path(PEERS_PYTHON).exists():
        bench.say(f"{what}: left out; `make bench-peers` makes the peers' environment, and measures them")
        return []
    there = []
    for name in PEERS:
        program = NEEDS.get(name)
        if program is None or shutil.which(program):
            there.append(name)
        else:
            bench.say(f"{what}: {name} is left out, as there is no {program} here")
    return there

"""What a store was asked and answered, line by line, and whether a file keeps to it.

A line is ``did``, ``refused`` or ``unsure`` (the disk failed in the commit: either may be so), then a verb
and a task id. It goes out with one write, so that what was answered is told even if the process ends at once.
"""

import random
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from notifier.errors import NotifierError
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import migrations, open_store
from tests.builders import DAY, MINUTE
from tests.fakes import NOON
from tests.store.steps import claim, take

T = TypeVar("T")

LATER = NOON + 30 * MINUTE
_TERMINAL = "('completed', 'failed', 'cancelled', 'expired', 'lost')"


class Account:
    """Writes the lines. ``tell`` gets each; ``pause`` says whether the disk is well for a while."""

    def __init__(self, tell: Callable[[str], None], pause: Callable[[bool], None] = lambda _: None) -> None:
        self.tell = tell
        self._pause = pause

    @contextmanager
    def a_good_disk(self) -> Iterator[None]:
        """For as long as the block."""
        self._pause(True)
        try:
            yield
        finally:
            self._pause(False)

    async def of(self, verb: str, task_id: str, doing: Awaitable[T]) -> T | None:
        """Do it and tell how it went; None where it was refused."""
        try:
            result = await doing
        except NotifierError as fault:
            word = "unsure" if "not known" in fault.cause else "refused"
            self.tell(f"{word} {verb} {task_id}")
            return None
        self.tell(f"did {verb} {task_id}")
        return result


async def complaints(folder: Path, lines: list[str]) -> list[str]:
    """What is wrong with the file, given what was answered: nothing, if the promises hold."""
    path = folder / "notifier.db"
    try:
        store = await open_store(
            path, owner="check", now=LATER, rng=random.Random(1), open_driver=InlineDriver.open
        )
    except NotifierError as fault:
        return [f"it cannot be opened: {fault.cause}"]
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = [*_of_the_file(connection), *_of_answers(connection, lines)]
            waiting = connection.execute("SELECT count(*) FROM watches WHERE state = 'watching'").fetchone()[
                0
            ]
            unsent = connection.execute("SELECT count(*) FROM deliveries WHERE state = 'pending'").fetchone()[
                0
            ]
        if len(await claim(store, LATER + DAY, limit=1_000, owner="check")) != waiting:
            found.append("a watch that waits is handed to nobody")
        if len(await take(store, LATER + DAY, limit=1_000)) != unsent:
            found.append("a delivery that waits is handed to nobody")
    finally:
        await store.close()
    return found


def _of_the_file(connection: sqlite3.Connection) -> Iterator[str]:
    """What no file of ours may ever be, whatever was asked of it."""
    state = connection.execute("PRAGMA integrity_check").fetchall()
    if state != [("ok",)]:
        yield f"it is damaged: {state}"
    if connection.execute("PRAGMA foreign_key_check").fetchall():
        yield "a row belongs to nothing"
    if connection.execute("PRAGMA user_version").fetchone()[0] != len(migrations()):
        yield "it is of no whole version"
    half = {
        "an outcome without its event": f"""SELECT id FROM watches w WHERE state IN {_TERMINAL}
            AND NOT EXISTS (SELECT 1 FROM events WHERE watch_seq = w.seq AND round = w.round)""",
        "an event without its outcome": f"""SELECT e.id FROM events e JOIN watches w ON w.seq = e.watch_seq
            WHERE e.round = w.round AND w.state NOT IN {_TERMINAL}""",
        "an event that is not delivered to all": """SELECT e.id FROM events e
            JOIN watches w ON w.seq = e.watch_seq
            WHERE json_array_length(w.callbacks)
                != (SELECT count(*) FROM deliveries WHERE event_seq = e.seq)""",
        "an end of a delivery without its attempt": """SELECT id FROM deliveries d WHERE state = 'delivered'
            AND NOT EXISTS (SELECT 1 FROM attempts WHERE delivery_seq = d.seq)""",
    }
    for what, query in half.items():
        for (row,) in connection.execute(query):
            yield f"{what}: {row}"


_KEPT = {
    "add": "SELECT 1 FROM watches WHERE task_id = ?",
    "wait": "SELECT 1 FROM watches WHERE task_id = ? AND polls > 0",
    "end": "SELECT 1 FROM watches WHERE task_id = ? AND state = 'completed'",
    "stop": "SELECT 1 FROM watches WHERE task_id = ? AND state = 'stopped'",
    "retry": """SELECT 1 FROM watches w JOIN events e ON e.watch_seq = w.seq JOIN deliveries d
        ON d.event_seq = e.seq WHERE w.task_id = ? AND d.attempts > 0""",
    "deliver": """SELECT 1 FROM watches w JOIN events e ON e.watch_seq = w.seq JOIN deliveries d
        ON d.event_seq = e.seq WHERE w.task_id = ? AND d.state = 'delivered'""",
}


def _of_answers(connection: sqlite3.Connection, lines: list[str]) -> Iterator[str]:
    """What was answered is there; what was refused is not, unless it was done later or is not known."""
    done = {line.removeprefix("did ") for line in lines if line.startswith("did ")}
    unsure = {line.removeprefix("unsure ") for line in lines if line.startswith("unsure ")}
    refused = {line.removeprefix("refused ") for line in lines if line.startswith("refused ")}
    for deed in sorted(done | refused - unsure):
        verb, task_id = deed.split()
        if verb not in _KEPT:
            continue
        is_there = connection.execute(_KEPT[verb], (task_id,)).fetchone() is not None
        if deed in done and not is_there:
            yield f"answered and lost: {deed}"
        if deed not in done and is_there:
            yield f"refused and kept: {deed}"

"""The schema of the database is what it was."""

from contextlib import closing
from pathlib import Path

from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.open import migrate
from tests.golden import check


def test_the_schema_of_the_database(tmp_path: Path) -> None:
    """Every table and index as an empty database gets it."""
    with closing(connect_writer(str(tmp_path / "notifier.db"))) as connection:
        migrate(connection)
        rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
        check("schema.sql", "\n\n".join(str(row[0]) for row in rows) + "\n")

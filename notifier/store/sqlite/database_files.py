"""The files beside a database: those of SQLite, the lock, and the copies.

Each name is the whole name of the database with a suffix, so that two databases share no file.
"""

import glob
from pathlib import Path

from notifier.config.model import SECRET_SUFFIX

_LOG, _INDEX, _JOURNAL, _LOCK = "-wal", "-shm", "-journal", ".lock"


def log_path(database: Path) -> Path:
    """Return the write-ahead log. It holds commits that are not in the database yet."""
    return _beside(database, _LOG)


def index_path(database: Path) -> Path:
    """Return the shared index of the log."""
    return _beside(database, _INDEX)


def journal_path(database: Path) -> Path:
    """Return the rollback journal of a database that is not in WAL mode."""
    return _beside(database, _JOURNAL)


def lock_path(database: Path) -> Path:
    """Return the file whose lock says that a daemon has the database."""
    return _beside(database, _LOCK)


def files_in_use(database: Path) -> tuple[Path, ...]:
    """Return the database and all files that a daemon or SQLite may have beside it."""
    return (database, *(_beside(database, suffix) for suffix in (_LOG, _INDEX, _JOURNAL, _LOCK)))


def secret_of_backup(backup: Path) -> Path:
    """Return where the signing secrets of a backup are stored."""
    return _beside(backup, SECRET_SUFFIX)


def migration_copy(database: Path, version: int) -> Path:
    """Return where the copy from before a migration is stored; ``version`` is that of its schema."""
    return _beside(database, f".v{version}.backup")


def migration_copies(database: Path) -> list[Path]:
    """List the existing copies from before migrations, by name."""
    return sorted(database.parent.glob(f"{glob.escape(database.name)}.v*.backup"))


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)

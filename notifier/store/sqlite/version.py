"""The SQLite that notifier needs, and another driver where Python has an older one (RHEL 9: 3.34)."""

import sqlite3
import sys
from importlib import import_module

MIN_SQLITE = (3, 37, 0)  # the schema has STRICT tables: https://sqlite.org/stricttables.html
DRIVER = "pysqlite3"  # of the package pysqlite3-binary, which contains a SQLite of its own


def use_newer_driver() -> None:
    """Replace the module ``sqlite3`` by ``pysqlite3`` if it is too old and the other one is installed.

    Call it before any other module imports ``sqlite3``.
    """
    if sqlite3.sqlite_version_info >= MIN_SQLITE:
        return
    try:
        driver, dbapi2 = import_module(DRIVER), import_module(f"{DRIVER}.dbapi2")
    except ImportError:
        return
    sys.modules["sqlite3"], sys.modules["sqlite3.dbapi2"] = driver, dbapi2


def explain_old_sqlite() -> tuple[str, str] | None:
    """Return why this SQLite cannot be used and what to do about it; None if it is new enough."""
    current = sys.modules["sqlite3"]
    if current.sqlite_version_info >= MIN_SQLITE:
        return None
    needed = ".".join(map(str, MIN_SQLITE))
    return (
        f"SQLite {current.sqlite_version} is too old: notifier needs {needed} or later",
        "install pysqlite3-binary beside notifier (pip install pysqlite3-binary), or use a newer Python",
    )

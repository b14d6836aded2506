"""The files that stand beside a database: named in one place, and all of them known there."""

import ast
import re
from pathlib import Path

import notifier
from notifier.store.sqlite.database_files import files_in_use
from tests.store.conftest import OpenStore

PACKAGE = Path(notifier.__file__).parent
SUFFIX = re.compile(r"-wal|-shm|-journal|\.lock|\.secret|(.*)\.backup")


def test_no_other_file_names_a_suffix() -> None:
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SUFFIX.fullmatch(node.value)
    }
    assert users == {"store/sqlite/database_files.py", "config/model.py"}, "the latter has .secret"


async def test_an_open_store_keeps_no_file_that_is_not_known(tmp_path: Path, opening: OpenStore) -> None:
    """A backup must replace none of them: it asks this list."""
    store = await opening()
    assert set(tmp_path.iterdir()) <= set(files_in_use(store.file))

"""The signing secret that is made when the configuration names none."""

import stat
from pathlib import Path

import pytest

from notifier.core.signature import key_of
from notifier.daemon.signing import SecretUnusable, keep_secret, secret_path


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    """The second start reads what the first made: receivers keep the secret that they were told."""
    path = tmp_path / "notifier.secret"
    made, is_new = keep_secret(path)
    assert is_new
    assert keep_secret(path) == (made, False)
    assert len(key_of(made)) >= 24
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Mode 0600."""
    path = tmp_path / "notifier.secret"
    keep_secret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_stands_beside_the_database() -> None:
    """Its name is the database's with another ending."""
    assert secret_path("/var/lib/notifier/notifier.db") == Path("/var/lib/notifier/notifier.secret")


def test_a_damaged_one_is_not_replaced_behind_the_receivers_backs(tmp_path: Path) -> None:
    """The start ends with cause and fix, and the file stays as it is."""
    path = tmp_path / "notifier.secret"
    path.write_text("whsec_short")
    with pytest.raises(SecretUnusable, match="holds no signing secret") as caught:
        keep_secret(path)
    assert caught.value.exit_status == 78
    assert path.read_text() == "whsec_short"


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The operator reads where, and what to do instead."""
    with pytest.raises(SecretUnusable, match="cannot keep the signing secret in") as caught:
        keep_secret(tmp_path / "missing" / "notifier.secret")
    assert "callbacks.secrets" in caught.value.fix

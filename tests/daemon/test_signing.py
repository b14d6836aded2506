"""The signing secrets that are kept when the configuration names none."""

import os
import stat
from pathlib import Path

import pytest

from notifier.core.delivery.signature import key_of
from notifier.core.secret import Secret
from notifier.daemon.signing_secrets import (
    MAX_SECRETS,
    SecretUnusable,
    load_or_make_secrets,
    make_new_secret,
    read_secrets,
    secret_path,
    write_secrets,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notifier.secret"


def test_one_is_made_once_and_kept(path: Path) -> None:
    """The second start reads what the first made: receivers keep the secret that they were told."""
    made, is_new = load_or_make_secrets(path)
    assert (len(made), is_new) == (1, True)
    assert load_or_make_secrets(path) == (made, False)
    assert len(key_of(made[0])) >= 24
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.threat(13)
def test_nobody_else_may_read_it(path: Path) -> None:
    """Mode 0600, when it is made and when it is replaced."""
    load_or_make_secrets(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    write_secrets(path, [make_new_secret()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_several_are_one_a_line_newest_first(path: Path) -> None:
    secrets = tuple(make_new_secret() for _ in range(MAX_SECRETS))
    write_secrets(path, secrets)
    assert path.read_text().splitlines() == [secret.reveal() for secret in secrets]
    assert read_secrets(path) == secrets
    path.write_text("\n" + path.read_text().replace("\n", " \r\n\n"))
    assert read_secrets(path) == secrets, "as an editor may leave them"


def test_they_stand_beside_the_database() -> None:
    """Its name is the database's with another ending."""
    assert secret_path("/var/lib/notifier/notifier.db") == Path("/var/lib/notifier/notifier.secret")


GOOD = "whsec_" + "A" * 44


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"whsec_short", "line 1: "),
        (f"{GOOD}\nplain\n".encode(), "line 2: "),
        (b"", "not 0"),
        (f"{GOOD}\n".encode() * 6, "not 6"),
        (b"\xff\xfe", "it is not text"),
    ],
)
def test_a_damaged_file_is_not_replaced_behind_the_receivers_backs(
    path: Path, content: bytes, why: str
) -> None:
    """The start ends with cause and fix, quotes nothing of it, and the file stays as it is."""
    path.write_bytes(content)
    with pytest.raises(SecretUnusable, match="contains no signing secret") as caught:
        load_or_make_secrets(path)
    assert caught.value.exit_status == 78
    assert why in caught.value.cause
    assert "short" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_write_that_fails_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all, and no draft stays behind."""
    kept, _ = load_or_make_secrets(path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SecretUnusable, match="No space left") as caught:
        write_secrets(path, [Secret(GOOD), *kept])
    assert caught.value.fix == "free some space on that disk"
    assert read_secrets(path) == kept
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a file away")
def test_a_file_that_root_replaces_stays_its_owners(path: Path) -> None:
    """`sudo notifier secret rotate`: the service's user must be able to read it at its next start."""
    kept, _ = load_or_make_secrets(path)
    os.chown(path, 65534, 65533)
    write_secrets(path, [Secret(GOOD), *kept])
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, 0o600)
    assert len(read_secrets(path)) == 2


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The operator reads where, and what to do instead."""
    with pytest.raises(SecretUnusable, match="cannot keep the signing secret in") as caught:
        load_or_make_secrets(tmp_path / "missing" / "notifier.secret")
    assert "callbacks.secrets" in caught.value.fix

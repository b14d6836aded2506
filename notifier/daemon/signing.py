"""The signing secret where the configuration names none: made at first start, kept beside the database."""

import os
from pathlib import Path

from notifier.core.secret import Secret
from notifier.core.signature import key_of, make_secret
from notifier.errors import NotifierError


class SecretUnusable(NotifierError):
    """The kept secret cannot be read or made."""

    code = "secret_unusable"
    exit_status = 78


def secret_path(store_url: str) -> Path:
    """Where the secret of the database at ``store_url`` is kept."""
    return Path(store_url).with_suffix(".secret")


def keep_secret(path: Path) -> tuple[Secret, bool]:
    """Read the secret at ``path``, or make one there (mode 0600); says whether it is new.

    It is on the disk before anything is signed with it: a receiver that was told a secret must not find
    another one after a power cut. Raises SecretUnusable.
    """
    try:
        if path.exists():
            return _read(path), False
        secret = make_secret(os.urandom(32))
        _write(path, secret.reveal() + "\n")
        return secret, True
    except OSError as fault:
        raise SecretUnusable(
            f"cannot keep the signing secret in {path}: {fault.strerror}",
            "make its directory writable, or name secrets in callbacks.secrets",
        ) from fault


def _read(path: Path) -> Secret:
    secret = Secret(path.read_text(encoding="utf-8").strip())
    try:
        key_of(secret)
    except ValueError as fault:
        fix = "put back the secret that the receivers know, or remove the file to have a new one made"
        raise SecretUnusable(f"{path} holds no signing secret: {fault}", fix) from fault
    return secret


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    private = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(private, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

"""Store signing secrets beside the database, one per line, newest first, unless the configuration has them.

The first start makes the first one. With several secrets every callback has a signature by each, so that
receivers can change from one to the next at any time.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from notifier.atomic_file import write_file
from notifier.config.model import SECRET_SUFFIX
from notifier.core.delivery.signature import key_of, make_secret
from notifier.core.secret import Secret
from notifier.errors import NotifierError

MAX_SECRETS = 5  # bounds the signatures of a callback; no record of why; changing it needs a measurement

Secrets = tuple[Secret, ...]


class SecretUnusable(NotifierError):
    """The stored secrets cannot be read or written."""

    code = "secret_unusable"
    exit_status = 78


def secret_path(store_url: str) -> Path:
    """Return the path of the secrets of the database at ``store_url``."""
    return Path(store_url).with_suffix(SECRET_SUFFIX)


def load_or_make_secrets(path: Path) -> tuple[Secrets, bool]:
    """Read the secrets at ``path``, or make one there with mode 0600. Return whether it is new.

    A new secret is on disk before it signs anything. Otherwise a power cut could replace a secret that a
    receiver already knows. Raise SecretUnusable.
    """
    try:
        if path.exists():
            return read_secrets(path), False
    except OSError as error:
        raise _not_writable(path, error) from error
    secrets = (make_new_secret(),)
    write_secrets(path, secrets)
    return secrets, True


def make_new_secret() -> Secret:
    """Make a random secret."""
    return make_secret(os.urandom(32))


def read_secrets(path: Path) -> Secrets:
    """Read the stored secrets, newest first. Raise SecretUnusable."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise _not_writable(path, error) from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is not text") from error
    secrets = [
        _parse_secret(path, number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise _damaged(path, f"it must contain 1 to {MAX_SECRETS} lines of whsec_…, not {len(secrets)}")
    return tuple(secrets)


def write_secrets(path: Path, secrets: Sequence[Secret]) -> None:
    """Replace the stored secrets completely or not at all. Raise SecretUnusable."""
    try:
        text = "".join(secret.reveal() + "\n" for secret in secrets)
        write_file(path, text.encode(), may_replace=True, owner=_owner(path))
    except OSError as error:
        raise _not_writable(path, error) from error


def _parse_secret(path: Path, number: int, text: str) -> Secret:
    secret = Secret(text)
    try:
        key_of(secret)
    except ValueError as error:
        raise _damaged(path, f"line {number}: {error}") from error
    return secret


def _damaged(path: Path, why: str) -> SecretUnusable:
    fix = "restore the secret that the receivers use, or remove the file, and the next start makes a new one"
    return SecretUnusable(f"{path} contains no signing secret: {why}", fix)


def _not_writable(path: Path, error: OSError) -> SecretUnusable:
    return SecretUnusable(
        f"cannot keep the signing secret in {path}: {error.strerror}",
        "free some space on that disk"
        if error.errno in (errno.ENOSPC, errno.EDQUOT)
        else "make it and its directory readable and writable for this user, "
        "or name secrets in callbacks.secrets",
    )


def _owner(path: Path) -> tuple[int, int] | None:
    """Return the owner of a file that root replaces: the daemon must be able to read it at its next start."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return None if status.st_uid == os.geteuid() else (status.st_uid, status.st_gid)

"""The signing secrets where the configuration names none: kept beside the database, one a line, newest first.

The first is made at the first start. While several are there every callback carries a signature by each, so
that receivers can change from one to the next in their own time.
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

MAX_SECRETS = 5

Secrets = tuple[Secret, ...]


class SecretUnusable(NotifierError):
    """The kept secrets cannot be read or written."""

    code = "secret_unusable"
    exit_status = 78


def secret_path(store_url: str) -> Path:
    """Where the secrets of the database at ``store_url`` are kept."""
    return Path(store_url).with_suffix(SECRET_SUFFIX)


def keep_secrets(path: Path) -> tuple[Secrets, bool]:
    """Read the secrets at ``path``, or make one there (mode 0600); says whether it is new.

    It is on the disk before anything is signed with it: a receiver that was told a secret must not find
    another one after a power cut. Raises SecretUnusable.
    """
    try:
        if path.exists():
            return read_secrets(path), False
    except OSError as fault:
        raise _cannot_keep(path, fault) from fault
    secrets = (new_secret(),)
    write_secrets(path, secrets)
    return secrets, True


def new_secret() -> Secret:
    """Make one."""
    return make_secret(os.urandom(32))


def read_secrets(path: Path) -> Secrets:
    """Read what is kept, newest first; raises SecretUnusable."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as fault:
        raise _cannot_keep(path, fault) from fault
    except UnicodeDecodeError as fault:
        raise _damaged(path, "it is not text") from fault
    secrets = [_checked(path, number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise _damaged(path, f"it is to hold 1 to {MAX_SECRETS} lines of whsec_…, not {len(secrets)}")
    return tuple(secrets)


def write_secrets(path: Path, secrets: Sequence[Secret]) -> None:
    """Replace what is kept, whole or not at all; raises SecretUnusable."""
    try:
        text = "".join(secret.reveal() + "\n" for secret in secrets)
        write_file(path, text.encode(), may_replace=True, owner=_owner(path))
    except OSError as fault:
        raise _cannot_keep(path, fault) from fault


def _checked(path: Path, number: int, text: str) -> Secret:
    secret = Secret(text)
    try:
        key_of(secret)
    except ValueError as fault:
        raise _damaged(path, f"line {number}: {fault}") from fault
    return secret


def _damaged(path: Path, why: str) -> SecretUnusable:
    fix = "put back the secret that the receivers know, or remove the file to have a new one made"
    return SecretUnusable(f"{path} holds no signing secret: {why}", fix)


def _cannot_keep(path: Path, fault: OSError) -> SecretUnusable:
    return SecretUnusable(
        f"cannot keep the signing secret in {path}: {fault.strerror}",
        "free some space on that disk"
        if fault.errno in (errno.ENOSPC, errno.EDQUOT)
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

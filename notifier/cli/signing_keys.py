"""Which secrets a command works with: given ones, else what the daemon of this configuration signs with."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from notifier.cli.options import CommandContext
from notifier.core.delivery.signature import BadSecret, key_of
from notifier.core.secret import Secret
from notifier.daemon.signing_secrets import read_secrets, secret_path
from notifier.errors import NotifierError


class SecretNotFound(NotifierError):
    """There is no secret to be had."""

    code = "no_secret"
    exit_status = 78


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Secrets, newest first, and where they are from."""

    secrets: tuple[Secret, ...]
    origin: str


def find_keys(given: CommandContext, texts: tuple[str, ...] = (), file: Path | None = None) -> SigningKeys:
    """Those that are given as text or in a file, else the daemon's; raises NoSecret."""
    if texts or file is not None:
        named = [Secret(text) for text in texts] + ([] if file is None else _in_file(file))
        return SigningKeys(_checked(named), "the given secret")
    config = given.load()
    if config.callbacks.secrets:
        return SigningKeys(config.callbacks.secrets, "callbacks.secrets")
    path = secret_path(config.store.url).absolute()
    if not _is_file(path):
        raise SecretNotFound(
            f"there is no signing secret at {path}",
            "run this in the daemon's folder, or name its --config or a --secret; the daemon makes it at its "
            "first start (`notifier run`)",
        )
    return SigningKeys(read_secrets(path), str(path))


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)  # from Python 3.14 on, is_file says no of what is hidden
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as fault:
        raise SecretNotFound(f"{path} cannot be read: {fault.strerror}", "give --secret") from fault


def _in_file(file: Path) -> list[Secret]:
    """One a line, as the daemon keeps them."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else "it is not text"
        raise SecretNotFound(f"{file} cannot be read: {said}", "name a file that holds whsec_…") from fault
    return [Secret(line.strip()) for line in lines if line.strip()] or [Secret("")]


def _checked(secrets: Sequence[Secret]) -> tuple[Secret, ...]:
    for secret in secrets:
        try:
            key_of(secret)
        except BadSecret as wrong:
            raise click.UsageError(str(wrong)) from None
    return tuple(secrets)

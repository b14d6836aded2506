"""Find the secrets to sign or verify with: those of the options, else those of the daemon."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from notifier.cli.options import CommandContext
from notifier.core.delivery.endpoint_settings import find_endpoint_settings
from notifier.core.delivery.signature import BadSecret, key_of
from notifier.core.secret import Secret
from notifier.daemon.signing_secrets import read_secrets, secret_path
from notifier.errors import NotifierError


class SecretMissing(NotifierError):
    """There is no readable secret."""

    code = "no_secret"
    exit_status = 78


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Secrets, newest first, and their file or setting."""

    secrets: tuple[Secret, ...]
    origin: str


def find_keys(
    context: CommandContext, texts: tuple[str, ...] = (), file: Path | None = None, url: str | None = None
) -> SigningKeys:
    """Return the secrets of ``texts`` and ``file``, else the daemon's for the endpoint of ``url``.

    Raise SecretMissing.
    """
    if texts or file is not None:
        secrets = [Secret(text) for text in texts] + ([] if file is None else _read_file(file))
        return SigningKeys(_validate(secrets), "the given secret")
    config = context.load_config()
    match = None if url is None else find_endpoint_settings(config.callbacks.endpoints, url)
    if match is not None and match[1].secrets:
        return SigningKeys(match[1].secrets, f'callbacks.endpoints."{match[0]}".secrets')
    if config.callbacks.secrets:
        return SigningKeys(config.callbacks.secrets, "callbacks.secrets")
    path = secret_path(config.store.url).absolute()
    if not _is_file(path):
        raise SecretMissing(
            f"there is no signing secret at {path}",
            "run this in the daemon's directory, or give its --config or a --secret; the daemon creates it "
            "at its first start (`notifier run`)",
        )
    return SigningKeys(read_secrets(path), str(path))


def find_all_keys(context: CommandContext, texts: tuple[str, ...], file: Path | None) -> SigningKeys:
    """Return the secrets of the options, else all of the daemon's, for a receiver of every path."""
    keys = find_keys(context, texts, file)
    if texts or file is not None:
        return keys
    endpoints = context.load_config().callbacks.endpoints
    own = [secret for settings in endpoints.values() for secret in settings.secrets]
    return SigningKeys(
        (*keys.secrets, *own), f"{keys.origin} and callbacks.endpoints" if own else keys.origin
    )


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)  # Path.is_file hides a PermissionError from Python 3.14 on
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SecretMissing(f"{path} cannot be read: {error.strerror}", "give --secret") from error


def _read_file(file: Path) -> list[Secret]:
    """Read one secret from each line, the format of the daemon's file."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretMissing(
            f"{file} cannot be read: {reason}", "give a file of lines with whsec_…"
        ) from error
    return [Secret(line.strip()) for line in lines if line.strip()] or [Secret("")]


def _validate(secrets: Sequence[Secret]) -> tuple[Secret, ...]:
    for secret in secrets:
        try:
            key_of(secret)
        except BadSecret as error:
            raise click.UsageError(str(error)) from None
    return tuple(secrets)

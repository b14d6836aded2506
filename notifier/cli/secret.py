"""The command secret: print and rotate the secrets that sign callbacks."""

from pathlib import Path

import click
import msgspec

from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.cli.signing_keys import SigningKeys, find_keys
from notifier.core.formats.urls import InvalidUrl, check_callback_url
from notifier.core.secret import Secret
from notifier.daemon.signing_secrets import MAX_SECRETS, make_new_secret, write_secrets
from notifier.errors import NotifierError

_RELOAD_HINT = "`notifier reload`, `systemctl reload notifier`, or SIGHUP to the daemon"


class SecretsConfigured(NotifierError):
    """The secrets stand in the configuration, which only the operator changes."""

    code = "secrets_configured"
    exit_status = 78


class TooManySecrets(NotifierError):
    """The maximum number of secrets sign already."""

    code = "too_many_secrets"
    exit_status = 1


def _check_endpoint(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    try:
        return None if text is None else check_callback_url(text)
    except InvalidUrl as error:
        raise click.BadParameter(str(error)) from None


@click.group(
    "secret",
    short_help="Show or rotate the secrets that sign callbacks.",
    epilog=format_example(
        "notifier secret show", "notifier secret rotate", "notifier secret rotate --drop-old"
    ),
)
@add_shared_options("--url", "--token")
def secret() -> None:
    """Show the secrets that sign callbacks, or rotate them."""


@secret.command(
    "show",
    short_help="Print the signing secrets.",
    epilog=format_example(
        "notifier secret show", "notifier secret show --endpoint http://127.0.0.1:9001/hook"
    ),
)
@click.option("--endpoint", metavar="URL", callback=_check_endpoint, help="Print those of this callback URL.")
@add_shared_options("--url", "--token")
@pass_context
def show(context: CommandContext, *, endpoint: str | None) -> int:
    """Print the secrets that sign callbacks, newest first. Anyone who has one can forge callbacks.

    An endpoint may have secrets of its own: callbacks.endpoints in the configuration.
    """
    keys = find_keys(context, url=endpoint)
    _print_secrets(context, keys.secrets, keys.origin)
    return 0


@secret.command(
    "rotate",
    short_help="Add a new signing secret, or drop the old ones.",
    epilog=format_example("notifier secret rotate", "notifier secret rotate --drop-old"),
)
@click.option("--drop-old", is_flag=True, help="Keep only the newest secret; add none.")
@add_shared_options("--url", "--token")
@pass_context
def rotate(context: CommandContext, *, drop_old: bool) -> int:
    """Add a new signing secret. The old ones sign callbacks too, until they are dropped.

    First rotate and reload the daemon; then give the new secret to every receiver; then rotate --drop-old and
    reload again. In this order no callback is refused.
    """
    keys = _load_changeable_keys(context)
    path = Path(keys.origin)
    if drop_old:
        return _drop_old(context, path, keys.secrets)
    if len(keys.secrets) >= MAX_SECRETS:
        raise TooManySecrets(
            f"{len(keys.secrets)} secrets sign already",
            "drop the old ones with `notifier secret rotate --drop-old`",
        )
    new = make_new_secret()
    write_secrets(path, (new, *keys.secrets))
    _print_secrets(context, (new,), str(path))
    print_note(f"it signs beside the old secrets after a reload: {_RELOAD_HINT}")
    print_note(
        "when every receiver has the new one, `notifier secret rotate --drop-old` removes the old ones"
    )
    return 0


def _drop_old(context: CommandContext, path: Path, secrets: tuple[Secret, ...]) -> int:
    newest, *old = secrets
    if old:
        write_secrets(path, (newest,))
        print_note(f"dropped {len(old)}; they sign until a reload: {_RELOAD_HINT}")
    else:
        print_note("there is no older secret to drop")
    _print_secrets(context, (newest,), str(path))
    return 0


def _load_changeable_keys(context: CommandContext) -> SigningKeys:
    if context.load_config().callbacks.secrets:
        raise SecretsConfigured(
            "callbacks.secrets has the secrets; only those that notifier has created are rotated",
            "put a new secret first in callbacks.secrets, keep the old one behind it for a while, and reload",
        )
    return find_keys(context)


def _print_secrets(context: CommandContext, secrets: tuple[Secret, ...], origin: str) -> None:
    texts = [secret.reveal() for secret in secrets]
    if context.is_json:
        print_json(msgspec.json.encode({"secrets": texts, "origin": origin}))
        return
    for text in texts:
        print_data(escape(text))
    print_note(f"from {escape(origin)}")

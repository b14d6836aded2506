"""The command check: list the errors of the configuration, and try the keys of the providers."""

import asyncio
import stat
from pathlib import Path

import click
import msgspec

from notifier.cli.check_descriptions import list_description_notes
from notifier.cli.check_providers import KeyCheck, check_keys
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, format_fields, print_data, print_json, print_note
from notifier.cli.progress import Progress
from notifier.config.errors import ConfigError, InvalidConfig
from notifier.config.model import Config
from notifier.daemon.signing_secrets import secret_path
from notifier.store.sqlite.version import explain_old_sqlite


@click.command(
    "check",
    short_help="Check the configuration and the API keys.",
    epilog=format_example(
        "notifier check",
        "notifier check --config ./config.toml --online",
    ),
)
@click.option("--online", is_flag=True, help="Poll each provider to check its API key.")
@add_shared_options("--url", "--token")
@pass_context
def check(context: CommandContext, *, online: bool) -> int:
    """Read the configuration and list all its errors. The exit code is 78 if there are any.

    The expressions of each provider run on an empty reply and on the golden replies of the catalogue. With
    --online each provider is polled in its own way for a task that does not exist, which costs nothing: the
    reply shows whether the API key is accepted, or that it does not show it. The exit code is 1 if polls
    would fail.
    """
    try:
        config = context.load_config()
        _refuse_old_sqlite()
    except InvalidConfig as invalid:
        _print_errors(context, invalid)
        return invalid.exit_status
    key_checks = _check_online(config) if online else []
    (_print_json_report if context.is_json else _print_report)(config, key_checks)
    return 1 if any(each.is_ok is False for each in key_checks) else 0


def _refuse_old_sqlite() -> None:
    """Raise InvalidConfig if `notifier run` would end because of the SQLite of this Python."""
    if (why := explain_old_sqlite()) is not None:
        raise InvalidConfig([ConfigError("sqlite", None, "", "; ".join(why))])


def _check_online(config: Config) -> list[KeyCheck]:
    with Progress() as progress:
        progress.show(f"polling {', '.join(config.providers)} …")
        return asyncio.run(check_keys(config))


def _print_errors(context: CommandContext, invalid: InvalidConfig) -> None:
    if context.is_json:
        print_json(msgspec.json.encode({"ok": False, "notes": invalid.notes, "faults": invalid.errors}))
        return
    for error in invalid.errors:
        print_data(escape(str(error)))
    for note in invalid.notes:
        print_data(f"note: {escape(note)}")
    count = len(invalid.errors)
    noun = "error" if count == 1 else "errors"
    print_note(f"notifier: {invalid.code}: {count} {noun}; config.example.toml lists every key")


def _print_json_report(config: Config, key_checks: list[KeyCheck]) -> None:
    report = {
        "ok": all(each.is_ok is not False for each in key_checks),
        "file": config.source,
        "summary": _summarize(config),
        "notes": _list_notes(config),
        "faults": (),
        "online": {
            each.provider: {"ok": each.is_ok, "text": each.text, "fix": each.fix or None}
            for each in key_checks
        },
    }
    print_json(msgspec.json.encode(report))


def _print_report(config: Config, key_checks: list[KeyCheck]) -> None:
    source = str(Path(config.source).absolute()) if config.source else "defaults, without a file"
    print_data(f"configuration ok: {escape(source)}")
    for line in format_fields(list(_summarize(config).items())):
        print_data(f"  {line}")
    for note in _list_notes(config):
        print_data(f"note: {escape(note)}")
    for each in key_checks:
        label = {True: "ok", False: "FAILED", None: "unknown"}[each.is_ok]
        print_data(f"{label}: {escape(each.provider)}: {escape(each.text)}")
        if each.fix:
            print_data(f"  fix: {escape(each.fix)}")


def _list_notes(config: Config) -> tuple[str, ...]:
    """List what is allowed in the configuration and yet keeps the daemon or its polls from working."""
    folder = Path(config.store.url).absolute().parent
    notes = [*config.notes]
    if not _is_directory(folder):
        notes.append(f"store.url: there is no directory {folder}; `notifier run` cannot start without it")
    for name, provider in config.providers.items():
        if provider.api_key is None:
            setting = "MULEROUTER_API_KEY" if name == "mulerouter" else f"providers.{name}.api_key"
            setting = provider.key_variable or setting
            notes.append(f"{name} has no key; set {setting}, if it wants one")
    return (*notes, *list_description_notes(config))


def _is_directory(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(folder.stat().st_mode)  # Path.is_dir hides a PermissionError from Python 3.14 on
    except PermissionError:  # the folder may belong to the daemon's user
        return True
    except OSError:
        return False


def _summarize(config: Config) -> dict[str, str | list[str]]:
    """Describe the configuration in effect. Of secrets it has only the number."""
    callbacks = config.callbacks
    secret_file = secret_path(config.store.url).absolute()
    count = len(callbacks.secrets)
    signed_with = f"{count} {'secret' if count == 1 else 'secrets'}" if count else secret_file
    return {
        "listen": config.server.listen,
        "tokens": str(len(config.server.tokens) or "none"),
        "database": str(Path(config.store.url).absolute()),
        "providers": [
            f"{provider.name}  {provider.base_url}  {'with a key' if provider.api_key else 'without a key'}"
            for provider in config.providers.values()
        ],
        "signed with": str(signed_with),
        "callbacks to": ", ".join(callbacks.allow),
        "log": f"{config.log.level}, {config.log.format}",
    }

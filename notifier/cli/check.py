"""The command check: all that is wrong with the configuration, and whether providers take their keys."""

import asyncio
import stat
from pathlib import Path

import click
import msgspec

from notifier.cli.check_providers import KeyCheck, ask_providers
from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import escape, format_fields, print_data, print_json, print_note
from notifier.cli.progress import Progress
from notifier.config.errors import InvalidConfig
from notifier.config.model import Config
from notifier.daemon.signing_secrets import secret_path


@click.command(
    "check",
    short_help="Check the configuration, and the keys.",
    epilog=example(
        "notifier check",
        "notifier check --config ./config.toml --online",
    ),
)
@click.option("--online", is_flag=True, help="Ask each provider whether it accepts its key.")
@shared("--url", "--token")
@pass_given
def check(given: CommandContext, *, online: bool) -> int:
    """Read the configuration and list all that is wrong with it; ends with 78 if anything is.

    With --online each provider is asked for a made-up task, which costs nothing: its refusal tells whether
    the key is accepted. Ends with 1 if polls would not get through.
    """
    try:
        config = given.load()
    except InvalidConfig as bad:
        _tell_faults(given, bad)
        return bad.exit_status
    findings = _asked(config) if online else []
    (_tell_json if given.is_json else _tell_lines)(config, findings)
    return 0 if all(each.is_ok for each in findings) else 1


def _asked(config: Config) -> list[KeyCheck]:
    with Progress() as progress:
        progress.show(f"asking {', '.join(config.providers)} …")
        return asyncio.run(ask_providers(config))


def _tell_faults(given: CommandContext, bad: InvalidConfig) -> None:
    if given.is_json:
        print_json(msgspec.json.encode({"ok": False, "notes": bad.notes, "faults": bad.faults}))
        return
    for fault in bad.faults:
        print_data(escape(str(fault)))
    for note in bad.notes:
        print_data(f"note: {escape(note)}")
    count = len(bad.faults)
    print_note(
        f"notifier: {bad.code}: {count} fault{'s' if count > 1 else ''}; config.example.toml shows every key"
    )


def _tell_json(config: Config, findings: list[KeyCheck]) -> None:
    told = {
        "ok": all(each.is_ok for each in findings),
        "file": config.source,
        "summary": _summary(config),
        "notes": _notes(config),
        "faults": (),
        "online": {
            each.provider: {"ok": each.is_ok, "text": each.text, "fix": each.fix or None} for each in findings
        },
    }
    print_json(msgspec.json.encode(told))


def _tell_lines(config: Config, findings: list[KeyCheck]) -> None:
    source = str(Path(config.source).absolute()) if config.source else "defaults, there is no file"
    print_data(f"configuration ok: {escape(source)}")
    for line in format_fields(list(_summary(config).items())):
        print_data(f"  {line}")
    for note in _notes(config):
        print_data(f"note: {escape(note)}")
    for each in findings:
        print_data(f"{'ok' if each.is_ok else 'FAILED'}: {escape(each.provider)}: {escape(each.text)}")
        if each.fix:
            print_data(f"  fix: {escape(each.fix)}")


def _notes(config: Config) -> tuple[str, ...]:
    """With what the configuration allows, and the daemon cannot work with as things are."""
    folder = Path(config.store.url).absolute().parent
    notes = [*config.notes]
    if not _is_there(folder):
        notes.append(f"store.url: there is no directory {folder}; `notifier run` cannot start without it")
    for name, provider in config.providers.items():
        if provider.api_key is None:
            setting = "MULEROUTER_API_KEY" if name == "mulerouter" else f"providers.{name}.api_key"
            notes.append(f"{name} has no key; set {setting}, if it wants one")
    return tuple(notes)


def _is_there(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(folder.stat().st_mode)  # from Python 3.14 on, is_dir says no of what is hidden
    except PermissionError:  # it may well be the daemon's own
        return True
    except OSError:
        return False


def _summary(config: Config) -> dict[str, str | list[str]]:
    """What holds now, in words; of secrets only how many."""
    callbacks = config.callbacks
    kept = secret_path(config.store.url).absolute()
    count = len(callbacks.secrets)
    signers = f"{count} {'secret' if count == 1 else 'secrets'}" if count else kept
    return {
        "listen": config.server.listen,
        "tokens": str(len(config.server.tokens) or "none"),
        "database": str(Path(config.store.url).absolute()),
        "providers": [
            f"{provider.name}  {provider.base_url}  {'with a key' if provider.api_key else 'without a key'}"
            for provider in config.providers.values()
        ],
        "signed with": str(signers),
        "callbacks to": ", ".join(callbacks.allow),
        "log": f"{config.log.level}, {config.log.format}",
    }

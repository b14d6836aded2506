"""The commands about the daemon itself: run, check, reload, status, demo, version."""

import platform
import sqlite3
from pathlib import Path

import click
import msgspec

from notifier import __version__
from notifier.cli.client import ApiProblem
from notifier.cli.options import Given, example, pass_given, shared
from notifier.cli.output import facts, safe, tell, tell_json, tree
from notifier.cli.views import advised
from notifier.config.faults import BadConfig
from notifier.config.model import Config
from notifier.daemon.signing import secret_path


class Done(msgspec.Struct, frozen=True):
    """What the daemon answers when it has done something."""

    status: str


@click.command(
    "run",
    short_help="Run the daemon in the foreground.",
    epilog=example("notifier run --config ./config.toml"),
)
@shared("--url", "--token", "--json")
@pass_given
def run(given: Given) -> int:
    """Run the daemon in the foreground; SIGTERM and Ctrl-C end it, SIGHUP reads the configuration again."""
    from notifier.daemon.run import run as run_daemon  # noqa: PLC0415 - the whole daemon, which clients do without

    return run_daemon(given.load)


@click.command(
    "check", short_help="Check the configuration.", epilog=example("notifier check --config ./config.toml")
)
@shared("--url", "--token")
@pass_given
def check(given: Given) -> int:
    """Read the configuration and list all that is wrong with it; ends with 78 if anything is."""
    try:
        config = given.load()
    except BadConfig as bad:
        _tell_faults(given, bad)
        return bad.exit_status
    summary = _summary(config)
    if given.is_json:
        told = {"ok": True, "file": config.source, "summary": summary, "notes": config.notes, "faults": ()}
        tell_json(msgspec.json.encode(told))
        return 0
    source = str(Path(config.source).absolute()) if config.source else "defaults, there is no file"
    tell(f"configuration ok: {safe(source)}")
    for line in facts(list(summary.items())):
        tell(f"  {line}")
    for note in config.notes:
        tell(f"note: {safe(note)}")
    return 0


def _tell_faults(given: Given, bad: BadConfig) -> None:
    if given.is_json:
        tell_json(msgspec.json.encode({"ok": False, "notes": (), "faults": bad.faults}))
        return
    for fault in bad.faults:
        tell(safe(str(fault)))


def _summary(config: Config) -> dict[str, str | list[str]]:
    """What holds now, in words; of secrets only how many."""
    callbacks = config.callbacks
    kept = secret_path(config.store.url).absolute()
    signers = f"{len(callbacks.secrets)} secrets" if callbacks.secrets else kept
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


@click.command(
    "reload", short_help="Have the daemon read its configuration again.", epilog=example("notifier reload")
)
@shared()
@pass_given
def reload(given: Given) -> int:
    """Have the daemon read its configuration again, and say whether it did.

    A configuration with a fault changes nothing; its faults are listed, and the command ends with 1. As
    systemd's ExecReload it asks by signal, and needs no address and no token.
    """
    from notifier.daemon import hangup  # noqa: PLC0415 - only this command needs it

    if given.url is None and hangup.asks_here(given.environ):
        return _say_outcome(hangup.ask(given.environ))
    try:
        answer = given.api().request("POST", "/v1/reload")
    except ApiProblem as problem:
        if problem.problem.code != "bad_configuration":
            raise
        fix = "correct that and reload again; until then the old configuration holds"
        raise ApiProblem(problem.status, problem.problem, fix) from None
    if given.is_json:
        tell_json(answer.raw)
    else:
        tell(safe(answer.read(Done).status))
    return 0


def _say_outcome(faults: tuple[str, ...]) -> int:
    """In the journal, where nobody reads it but in need: the faults as errors."""
    from notifier.daemon import log  # noqa: PLC0415 - only this command needs it

    if faults:
        log.complain(*faults, "the old configuration holds; correct that and reload again")
        return 1
    tell("reloaded")
    return 0


@click.command("status", short_help="How the daemon is doing.", epilog=example("notifier status"))
@shared()
@pass_given
def status(given: Given) -> int:
    """Show how many watches and deliveries there are, and each provider's condition."""
    answer = given.api().request("GET", "/v1/status")
    if given.is_json:
        tell_json(answer.raw)
        return 0
    for line in tree(_with_advice(answer.read(object))):
        tell(line)
    return 0


def _with_advice(known: object) -> object:
    providers = known.get("providers") if isinstance(known, dict) else None
    if not isinstance(known, dict) or not isinstance(providers, dict):
        return known
    told = {name: advised(said, name) if isinstance(said, str) else said for name, said in providers.items()}
    return {**known, "providers": told}


@click.command("demo", short_help="See it work, with no API key.", epilog=example("notifier demo"))
@shared("--url", "--token", "--json", "--config")
def demo() -> int:
    """Start a simulated provider, a daemon and a receiver, and show tasks end and callbacks arrive."""
    from notifier.cli.demo import main  # noqa: PLC0415 - web servers, which other commands do without

    return main()


@click.command("version", short_help="Print the version.", epilog=example("notifier version"))
@shared("--url", "--token", "--config")
@pass_given
def version(given: Given) -> int:
    """Print the version."""
    if given.is_json:
        versions = {
            "notifier": __version__,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        }
        tell_json(msgspec.json.encode(versions))
    else:
        tell(f"notifier {__version__}")
    return 0

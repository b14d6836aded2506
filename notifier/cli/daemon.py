"""The commands that start the daemon, and have it reload: run, demo, reload, version."""

import platform
import sqlite3
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from notifier import __version__
from notifier.cli.client import ApiProblem, Unreachable
from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.config.model import Config


class ReloadResult(msgspec.Struct, frozen=True):
    """What the daemon answers to a reload: the file that it read, and the keys that do not hold yet."""

    status: str
    file: str = ""
    needs_restart: list[str] = []


@click.command(
    "run",
    short_help="Run the daemon in the foreground.",
    epilog=example("notifier run --config ./config.toml"),
)
@shared("--url", "--token", "--json")
@pass_given
def run(given: CommandContext) -> int:
    """Run the daemon in the foreground; SIGTERM and Ctrl-C end it, SIGHUP reads the configuration again."""
    from notifier.daemon.run import run as run_daemon  # noqa: PLC0415 - the whole daemon, which clients do without

    return run_daemon(rereading(given))


def rereading(given: CommandContext) -> Callable[[], Config]:
    """Return what reads the configuration, at the start and at each reload: the file that it found first.

    One that is gone by then is a fault: with another, or the defaults, tokens and providers would go too.
    """
    from notifier.config.load import load  # noqa: PLC0415 - most commands do without it

    file: Path | None = None

    def read() -> Config:
        nonlocal file
        file = file or given.config_file()
        return load(file, given.environ)

    return read


@click.command(
    "reload", short_help="Have the daemon read its configuration again.", epilog=example("notifier reload")
)
@shared()
@pass_given
def reload(given: CommandContext) -> int:
    """Have the daemon read its configuration again, and say whether it did.

    A configuration with a fault changes nothing; its faults are listed, and the command ends with 1.
    Changes of server.listen and store.url wait for a restart; the answer names them. As systemd's ExecReload
    it asks by signal, and needs no address and no token.
    """
    from notifier.daemon import reload_mailbox  # noqa: PLC0415 - only this command needs it

    if given.url is None and reload_mailbox.is_exec_reload(given.environ):
        return _say_outcome(reload_mailbox.request_reload(given.environ))
    try:
        answer = given.api().request("POST", "/v1/reload")
    except ApiProblem as problem:
        if problem.problem.code != "bad_configuration":
            raise
        fix = "correct that and reload again; until then the old configuration holds"
        raise ApiProblem(problem.status, problem.problem, fix) from None
    except Unreachable as gone:
        if given.url is not None or given.environ.get("NOTIFIER_URL"):
            raise
        moved = "if server.listen was changed, the daemon still listens at the old address: restart it"
        raise Unreachable(gone.cause, f"{gone.fix}; {moved}, or give that address by --url") from None
    if given.is_json:
        print_json(answer.raw)
        return 0
    done = answer.read(ReloadResult)
    waiting = f"; these need a restart: {', '.join(done.needs_restart)}" if done.needs_restart else ""
    print_data(escape(done.status + waiting))
    if done.file:
        print_note(f"the daemon at {escape(answer.origin)} has read {escape(done.file)}")
    return 0


def _say_outcome(faults: tuple[str, ...]) -> int:
    """In the journal, where nobody reads it but in need: the faults as errors."""
    from notifier.daemon import log_setup  # noqa: PLC0415 - only this command needs it

    if faults:
        log_setup.complain(*faults, "the old configuration holds; correct that and reload again")
        return 1
    print_data("reloaded")
    return 0


@click.command("demo", short_help="See it work, with no API key.", epilog=example("notifier demo"))
@shared("--url", "--token", "--json", "--config")
def demo() -> int:
    """Start a simulated provider, a daemon and a receiver, and show tasks end and callbacks arrive."""
    from notifier.cli.demo import main  # noqa: PLC0415 - web servers, which other commands do without

    return main()


@click.command("version", short_help="Print the version.", epilog=example("notifier version"))
@shared("--url", "--token", "--config")
@pass_given
def version(given: CommandContext) -> int:
    """Print the version."""
    if given.is_json:
        versions = {
            "notifier": __version__,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        }
        print_json(msgspec.json.encode(versions))
    else:
        print_data(f"notifier {__version__}")
    return 0

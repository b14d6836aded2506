"""The commands run, demo, reload and version: start the daemon, or make it reload."""

import platform
import sqlite3
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from notifier import __version__
from notifier.cli.client import ApiProblem, Unreachable
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.config.model import Config


class ReloadResult(msgspec.Struct, frozen=True):
    """The response to a reload: the file that was read, and the keys that need a restart to take effect."""

    status: str
    file: str = ""
    needs_restart: list[str] = []


@click.command(
    "run",
    short_help="Run the daemon in the foreground.",
    epilog=format_example("notifier run --config ./config.toml"),
)
@add_shared_options("--url", "--token", "--json")
@pass_context
def run(context: CommandContext) -> int:
    """Run the daemon in the foreground. SIGTERM and Ctrl-C end it, SIGHUP reloads the configuration."""
    from notifier.daemon.run import run as run_daemon  # noqa: PLC0415 - the whole daemon, which clients do without

    return run_daemon(make_config_reader(context))


def make_config_reader(context: CommandContext) -> Callable[[], Config]:
    """Return a function that reads the configuration at the start and at each reload.

    It keeps to the file that it found first. If that file is removed, a reload fails: another file, or the
    defaults, would be a configuration without its tokens and providers.
    """
    from notifier.config.load import load, refuse_stream  # noqa: PLC0415 - most commands do without it

    file: Path | None = None

    def read() -> Config:
        nonlocal file
        refuse_stream(file)
        file = file or context.find_config_file()
        return load(file, context.environ)

    return read


@click.command(
    "reload",
    short_help="Make the daemon read its configuration again.",
    epilog=format_example("notifier reload"),
)
@add_shared_options()
@pass_context
def reload(context: CommandContext) -> int:
    """Make the daemon read its configuration again, and print the result.

    A configuration with errors changes nothing: the errors are listed, and the exit code is 1. Changes of
    server.listen and store.url need a restart, and are listed too. As ExecReload= of systemd the command
    signals the daemon, and needs no address and no token.
    """
    from notifier.daemon import reload_mailbox  # noqa: PLC0415 - only this command needs it

    if context.url is None and reload_mailbox.is_exec_reload(context.environ):
        return _print_outcome(reload_mailbox.request_reload(context.environ))
    try:
        response = context.connect().request("POST", "/v1/reload")
    except ApiProblem as problem:
        if problem.problem.code != "bad_configuration":
            raise
        fix = "correct the errors and reload again; until then the old configuration stays in effect"
        raise ApiProblem(problem.status, problem.problem, fix) from None
    except Unreachable as error:
        if context.url is not None or context.environ.get("NOTIFIER_URL"):
            raise
        hint = "if server.listen was changed, the daemon still listens on the old address: restart it"
        raise Unreachable(error.cause, f"{error.fix}; {hint}, or give that address with --url") from None
    if context.is_json:
        print_json(response.raw)
        return 0
    result = response.read(ReloadResult)
    waiting = f"; these need a restart: {', '.join(result.needs_restart)}" if result.needs_restart else ""
    print_data(escape(result.status + waiting))
    if result.file:
        print_note(f"the daemon at {escape(response.origin)} has read {escape(result.file)}")
    return 0


def _print_outcome(errors: tuple[str, ...]) -> int:
    """Print the result of a reload by systemd: errors go to the journal with the priority of errors."""
    from notifier.daemon import log_setup  # noqa: PLC0415 - only this command needs it

    if errors:
        log_setup.print_error(
            *errors, "the old configuration stays in effect; correct the errors and reload again"
        )
        return 1
    print_data("reloaded")
    return 0


@click.command(
    "demo",
    short_help="Watch simulated tasks end, without an API key.",
    epilog=format_example("notifier demo"),
)
@add_shared_options("--url", "--token", "--json", "--config")
def demo() -> int:
    """Start a simulated provider, a daemon and a receiver, and show tasks end and callbacks arrive."""
    from notifier.cli.demo import main  # noqa: PLC0415 - web servers, which other commands do without

    return main()


@click.command("version", short_help="Print the version.", epilog=format_example("notifier version"))
@add_shared_options("--url", "--token", "--config")
@pass_context
def version(context: CommandContext) -> int:
    """Print the version."""
    if context.is_json:
        versions = {
            "notifier": __version__,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        }
        print_json(msgspec.json.encode(versions))
    else:
        print_data(f"notifier {__version__}")
    return 0

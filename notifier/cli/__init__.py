"""The command ``notifier``: a client of the daemon's HTTP API, and the way to start the daemon.

A script pays the start-up time at each call. So a module that only some commands need (the daemon, web
servers) is imported inside those. The exit codes are the contract's.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from notifier import __version__
from notifier.cli import streams
from notifier.cli.backup import backup
from notifier.cli.check import check
from notifier.cli.daemon import demo, reload, run, version
from notifier.cli.deliveries import deliveries, give_up, redeliver, replay
from notifier.cli.endpoints import endpoints
from notifier.cli.exit_codes import EX_INTERRUPTED, EX_PIPE, EX_SOFTWARE, EX_USAGE
from notifier.cli.explain import explain
from notifier.cli.init import init
from notifier.cli.listen import listen
from notifier.cli.open import open_
from notifier.cli.options import add_shared_options, format_example
from notifier.cli.output import escape, print_error, print_note
from notifier.cli.providers import providers
from notifier.cli.secret import secret
from notifier.cli.send_ping import test_callback
from notifier.cli.simulator import simulator
from notifier.cli.status import status
from notifier.cli.systemd import systemd
from notifier.cli.try_provider import try_
from notifier.cli.watch_changes import resume, stop
from notifier.cli.watches import ls, poll, show, wait, watch
from notifier.core.formats.json_text import scrub
from notifier.errors import NotifierError

_COMPLETION_VARIABLE = "_NOTIFIER_COMPLETE"  # set by a shell that completes words


_HINTS = {
    "timeline": "`notifier explain ID` shows the history of a watch",
    "completion": (
        'for bash, add eval "$(_NOTIFIER_COMPLETE=bash_source notifier)" to ~/.bashrc; for other shells use '
        "zsh_source or fish_source"
    ),
}


class OrderedGroup(click.Group):
    """A group that lists its commands in the order in which a new user needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raise UsageError with a hint for a name that users try and that is no command."""
        if args and args[0] in _HINTS:
            raise click.UsageError(f"No such command {args[0]!r}; {_HINTS[args[0]]}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    "notifier",
    cls=OrderedGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=format_example("notifier demo", "notifier init", "notifier run", "notifier status"),
)
@click.version_option(__version__, prog_name="notifier", message="%(prog)s %(version)s")
@add_shared_options()
def commands() -> None:
    """Poll tasks of generation APIs, and send signed callbacks when they end.

    --url, --token, --config and --json may stand before or after the command.
    """


for _command in (
    demo, init, check, providers, try_, run, reload, watch, ls, show, explain, wait, stop, resume, poll,
    deliveries, redeliver, give_up, replay, endpoints, secret, test_callback, listen, simulator, status,
    open_, backup, systemd, version,
):  # fmt: skip
    commands.add_command(_command)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    streams.prepare_streams()
    try:
        return _run(sys.argv[1:] if args is None else list(args))
    except BrokenPipeError:  # the reader of our output or messages ended
        return streams.release_streams()


def _run(args: list[str]) -> int:
    try:
        result = commands.main(args=args, prog_name="notifier", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EX_USAGE
    except click.Abort:
        return EX_INTERRUPTED
    except NotifierError as error:
        print_error(error)
        return error.exit_status
    except SystemExit:
        if _COMPLETION_VARIABLE in os.environ:
            raise
        return EX_PIPE  # click exits with 1, which would say that a task did not complete
    except Exception as error:
        return _report_unexpected(error, args)
    return result if isinstance(result, int) else 0


def _report_unexpected(error: Exception, args: Sequence[str]) -> int:
    bad_argument = next((each for each in args if each != scrub(each)), None)
    if isinstance(error, UnicodeEncodeError) and bad_argument is not None:
        text = f"{escape(bad_argument)!r} is not text, in this locale's encoding or in UTF-8"
        print_note(f"notifier: no_text: {text}")
        return EX_USAGE
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        print_note("notifier: no_folder: the working directory does not exist any more")
        print_note("  fix: change to an existing directory, and run the command again")
        return EX_USAGE
    traceback.print_exception(error)
    return EX_SOFTWARE


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True

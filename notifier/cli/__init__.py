"""The command ``notifier``: a client of the daemon's HTTP API, and the way to start it.

A command's start is CPU time that a script pays each time, so what only some commands need (the daemon, web
servers) is imported by those. The exit codes are the contract's.
"""

import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper

import click

from notifier import __version__
from notifier.cli.backup import backup
from notifier.cli.check import check
from notifier.cli.daemon import demo, reload, run, version
from notifier.cli.deliveries import deliveries, redeliver, replay
from notifier.cli.endpoints import endpoints
from notifier.cli.explain import explain
from notifier.cli.init import init
from notifier.cli.listen import listen
from notifier.cli.open import open_
from notifier.cli.options import example, shared
from notifier.cli.output import say_fault
from notifier.cli.ping import test_callback
from notifier.cli.secret import secret
from notifier.cli.status import status
from notifier.cli.units import systemd
from notifier.cli.watches import ls, poll, resume, show, stop, wait, watch
from notifier.errors import NotifierError

WRONG_USAGE = 64
INTERNAL = 70
INTERRUPTED = 130


class InOrder(click.Group):
    """A group that lists its commands in the order of a first acquaintance."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)


@click.group(
    "notifier",
    cls=InOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("notifier demo", "notifier init", "notifier run", "notifier status"),
)
@click.version_option(__version__, prog_name="notifier", message="%(prog)s %(version)s")
@shared()
def commands() -> None:
    """Turn tasks of poll-only APIs into signed callbacks.

    --url, --token, --config and --json may stand before or after the command.
    """


for _command in (
    demo, init, check, run, reload, watch, ls, show, explain, wait, stop, resume, poll,
    deliveries, redeliver, replay, endpoints, secret, test_callback, listen, status, open_,
    backup, systemd, version,
):  # fmt: skip
    commands.add_command(_command)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _let_nothing_be_unprintable()
    try:
        result = commands.main(
            args=None if args is None else list(args), prog_name="notifier", standalone_mode=False
        )
    except click.UsageError as wrong:
        wrong.show()
        return WRONG_USAGE
    except click.Abort:
        return INTERRUPTED
    except NotifierError as fault:
        say_fault(fault)
        return fault.exit_status
    except Exception:
        # 1 would say that a task failed; this says that we did.
        traceback.print_exc()
        return INTERNAL
    return result if isinstance(result, int) else 0


def _let_nothing_be_unprintable() -> None:
    """Where the locale is not UTF-8, show … and its like as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

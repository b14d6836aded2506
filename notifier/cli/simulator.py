"""The command simulator: run a simulated MuleRouter."""

import asyncio

import click

from notifier.cli.listen import PortUnavailable
from notifier.cli.options import add_shared_options, format_example


class PromptHelpCommand(click.Command):
    """A command whose help ends with the words that a prompt may have."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table of words from ``simulator/script.py``."""
        from notifier.simulator.script import describe_words  # noqa: PLC0415 - only this help needs it

        formatter.write_paragraph()
        for line in describe_words():
            formatter.write(f"{line}\n")
        super().format_epilog(ctx, formatter)


@click.command(
    "simulator",
    cls=PromptHelpCommand,
    short_help="Play MuleRouter, to try things without a key.",
    epilog=format_example("notifier simulator --port 8001"),
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8001, show_default=True, help="0 = any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--key", metavar="KEY", help="The only key accepted; without it any is.")
@add_shared_options("--url", "--token", "--json", "--config")
def simulator(*, port: int, host: str, key: str | None) -> int:
    """Play MuleRouter: take submissions, and answer polls of their tasks in its exact shapes.

    Prints where it is as one line of JSON. Set MULEROUTER_BASE_URL to that, MULEROUTER_API_KEY to anything,
    and submit there. A word in the prompt (fail, forbidden, cancel, never, vanish, slow) says what becomes of
    the task. Ends on Ctrl-C.
    """
    from notifier.simulator.__main__ import run  # noqa: PLC0415 - a web server; other commands need none

    try:
        asyncio.run(run(host, port, key))
    except OSError as error:
        cause = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise PortUnavailable(cause, "give another --port or --host") from error
    return 0

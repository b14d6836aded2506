"""The command simulator: run a simulated MuleRouter."""

import asyncio

import click

from notifier.cli.listen import PortUnavailable
from notifier.cli.options import add_shared_options, format_example
from notifier.cli.output import escape
from notifier.providers.catalogue import list_presets


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
    short_help="Run a simulated provider, for trials without a key.",
    epilog=format_example("notifier simulator --port 8001", "notifier simulator --provider fal"),
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8001, show_default=True, help="0 = any free port."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--key", metavar="KEY", help="The only accepted key; by default any key is accepted.")
@click.option("--provider", metavar="NAME", default="mulerouter", help="Another provider of the catalogue.")
@add_shared_options("--url", "--token", "--json", "--config")
def simulator(*, port: int, host: str, key: str | None, provider: str) -> int:
    """Run a simulated MuleRouter: accept submissions, and reply to polls in the format of the real one.

    It prints its address as one line of JSON. Set MULEROUTER_BASE_URL to the address, MULEROUTER_API_KEY to
    any text, and submit tasks there. A word in the prompt (fail, forbidden, cancel, never, vanish, slow)
    decides how the task ends. With --provider it is another provider of the catalogue, by its golden replies;
    set base_url of its table to the address. Ctrl-C ends the command.
    """
    from notifier.simulator.__main__ import run  # noqa: PLC0415 - a web server; other commands need none

    if provider not in list_presets():
        hint = "`notifier providers` lists those of the catalogue"
        raise click.UsageError(f"there is no provider {escape(provider)!r}; {hint}")

    try:
        asyncio.run(run(host, port, key, provider))
    except OSError as error:
        cause = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise PortUnavailable(cause, "give another --port or --host") from error
    return 0

"""What the commands of bulk changes share: replay, and stop and resume without an ID."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from notifier.cli.client import ApiProblem
from notifier.cli.options import INSTANT, CommandContext
from notifier.cli.output import print_data, print_json, print_note
from notifier.cli.registrations import describe_as_options

F = TypeVar("F", bound=Callable[..., Any])

MATCH_ALL = "--since 3650d matches all."


@dataclass(frozen=True, slots=True)
class BulkTexts:
    """What is printed about a bulk change: the names of one row and of many, and the next steps."""

    one: str
    many: str
    after_dry_run: str
    after_start: str


def add_span_options(event: str) -> Callable[[F], F]:
    """Give a command --since and --until; ``event`` is what happened to a row then."""

    def add(command: F) -> F:
        since_help = f"{event} at T or later: an instant, or a time before now (6h)."
        command = click.option("--until", type=INSTANT, metavar="T", help=f"{event} before T.")(command)
        return click.option("--since", type=INSTANT, metavar="T", help=since_help)(command)

    return add


def add_dry_run(rows: str) -> Callable[[F], F]:
    """Give a command --dry-run."""
    return click.option("--dry-run", is_flag=True, help=f"Only count the matching {rows}.")


def drop_missing(options: Mapping[str, str | float | None]) -> dict[str, str | float]:
    """Return the options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def start_bulk_change(
    context: CommandContext,
    path: str,
    criteria: Mapping[str, str | float],
    texts: BulkTexts,
    *,
    dry_run: bool,
) -> int:
    """Start a bulk change, or count its matches; print their number and the next step."""
    try:
        response = context.connect().request("POST", path, body={**criteria, "dry_run": dry_run})
    except ApiProblem as problem:
        raise describe_as_options(problem, {"/api_path": "--api-path"}) from None
    if context.is_json:
        print_json(response.raw)
        return 0
    matched = response.member("matched", int)
    print_data(f"{matched} {texts.one if matched == 1 else texts.many}")
    if dry_run:
        print_note(texts.after_dry_run)
    elif matched:
        print_note(texts.after_start)
    return 0

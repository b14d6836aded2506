"""The commands stop and resume, for one watch or for all that match."""

from collections.abc import Mapping

import click

from notifier.cli.bulk import (
    MATCH_ALL,
    BulkTexts,
    add_dry_run,
    add_span_options,
    drop_missing,
    start_bulk_change,
)
from notifier.cli.client import ApiProblem
from notifier.cli.options import (
    DURATION,
    WATCH_ID,
    CommandContext,
    add_shared_options,
    format_example,
    pass_context,
)
from notifier.cli.registrations import describe_as_options
from notifier.cli.watches import RESUMABLE, print_watch

_STATES = sorted(each.value for each in RESUMABLE)
_STOP_TEXTS = BulkTexts(
    one="watch",
    many="watches",
    after_dry_run="nothing was stopped; without --dry-run these are stopped",
    after_start="they are stopped, 100 a second; `notifier ls --state watching` lists those that are live",
)
_RESUME_TEXTS = BulkTexts(
    one="watch",
    many="watches",
    after_dry_run="nothing was resumed; without --dry-run these are resumed",
    after_start="they are resumed, 100 a second; `notifier ls --state watching` lists those that are live",
)


@click.command(
    "stop",
    short_help="End one watch, or all that match, without a callback.",
    epilog=format_example(
        "notifier stop wch_1…",
        "notifier stop --provider mulerouter --since 2h --dry-run",
    ),
)
@click.argument("watch_id", metavar="[ID]", required=False, type=WATCH_ID)
@add_span_options("Registered")
@click.option("--provider", metavar="NAME", help="Only those of this provider.")
@click.option("--api-path", metavar="PATH", help="Only those of this api_path.")
@add_dry_run("watches")
@add_shared_options()
@pass_context
def stop(
    context: CommandContext,
    *,
    watch_id: str | None,
    since: str | None,
    until: str | None,
    provider: str | None,
    api_path: str | None,
    dry_run: bool,
) -> int:
    """End a watch without a callback. The task itself continues at its provider.

    Without an ID, end all live watches that match. At least one of --since, --until, --provider and
    --api-path is then needed. It goes on after a restart of the daemon.
    """
    filters = drop_missing({"since": since, "until": until, "provider": provider, "api_path": api_path})
    _check_selection(watch_id, filters, "--since, --until, --provider or --api-path", dry_run=dry_run)
    if watch_id is None:
        return start_bulk_change(context, "/v1/watches/stop", filters, _STOP_TEXTS, dry_run=dry_run)
    print_watch(context, context.connect().request("DELETE", f"/v1/watches/{watch_id}"))
    return 0


@click.command(
    "resume",
    short_help="Resume one ended watch, or all that match.",
    epilog=format_example(
        "notifier resume wch_1… --expire-after 2h",
        "notifier resume --state lost --since 6h --dry-run",
    ),
)
@click.argument("watch_id", metavar="[ID]", required=False, type=WATCH_ID)
@click.option("--expire-after", type=DURATION, metavar="D", help="The new deadline, such as 2h.")
@add_span_options("Ended")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--provider", metavar="NAME", help="Only those of this provider.")
@click.option("--api-path", metavar="PATH", help="Only those of this api_path.")
@add_dry_run("watches")
@add_shared_options()
@pass_context
def resume(
    context: CommandContext,
    *,
    watch_id: str | None,
    expire_after: str | float | None,
    since: str | None,
    until: str | None,
    state: str | None,
    provider: str | None,
    api_path: str | None,
    dry_run: bool,
) -> int:
    """Poll the task of an expired, lost or stopped watch again.

    Without an ID, resume all such watches that match. At least one of --since, --until, --state, --provider
    and --api-path is then needed. It goes on after a restart of the daemon.
    """
    filters = drop_missing(
        {"since": since, "until": until, "state": state, "provider": provider, "api_path": api_path}
    )
    deadline = drop_missing({"expire_after": expire_after})
    _check_selection(
        watch_id, filters, "--since, --until, --state, --provider or --api-path", dry_run=dry_run
    )
    if watch_id is None:
        criteria = {**filters, **deadline}
        return start_bulk_change(context, "/v1/watches/resume", criteria, _RESUME_TEXTS, dry_run=dry_run)
    try:
        response = context.connect().request("POST", f"/v1/watches/{watch_id}/resume", body=deadline or None)
    except ApiProblem as problem:
        raise describe_as_options(problem) from None
    print_watch(context, response)
    return 0


def _check_selection(
    watch_id: str | None, filters: Mapping[str, object], names: str, *, dry_run: bool
) -> None:
    """Raise UsageError unless there is either an ID or a filter: a bare command never means all watches."""
    if watch_id is None and not filters:
        raise click.UsageError(f"Give an ID, or {names}; {MATCH_ALL}")
    if watch_id is not None and (filters or dry_run):
        raise click.UsageError(f"Give either an ID, or {names} with --dry-run if you like.")

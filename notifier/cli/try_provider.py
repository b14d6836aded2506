"""The command try: show what the table of a provider makes of a reply, before it is used."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec

from notifier.cli.check_descriptions import judge_answer, list_places, name_state
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, format_fields, print_data, print_json
from notifier.cli.sample_tasks import find_sample_task, send_request
from notifier.clock import wall_ms
from notifier.config.model import Config, ProviderSettings
from notifier.core.exchange import HttpReply, NoReply
from notifier.core.formats.json_reading import JsonReading
from notifier.core.formats.text import format_duration, one_line
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import InvalidUrl
from notifier.core.model import Watch, WatchState
from notifier.core.nearest import find_nearest
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import decide_poll
from notifier.core.polling.decision import EndWatch, PollDecision
from notifier.core.polling.poll_request import (
    PollRequest,
    TaskAddress,
    build_poll_request,
    build_result_request,
)
from notifier.core.polling.provider_reply import ProviderReply, hide_secrets
from notifier.core.polling.verdict import (
    Finished,
    ResultPending,
    Running,
    Verdict,
    describe_verdict,
)
from notifier.providers.catalogue import list_presets

MAX_TEXT_CHARS = 500  # of a header or a text, on a few lines of a terminal


@click.command(
    "try",
    short_help="Show what the table of a provider makes of a reply.",
    epilog=format_example(
        "notifier try replicate --task aaaa1bbbb2cccc3dddd4eeee5f",
        "notifier try runway --task T-1 --answer /dev/null --http 202",
    ),
)
@click.argument("provider")
@click.option("--task", "task_id", metavar="ID", help="The task; polled once, unless --answer is given.")
@click.option("--api-path", metavar="PATH", help="Its api_path, where the provider has one.")
@click.option("--answer", type=click.Path(exists=True, dir_okay=False), help="A file with a reply to judge.")
@click.option("--http", type=click.IntRange(100, 599), default=200, help="The HTTP code of --answer.")
@click.option("--result", "is_result", is_flag=True, help="--answer is the reply to the second GET.")
@add_shared_options("--url", "--token")
@pass_context
def try_(
    context: CommandContext,
    *,
    provider: str,
    task_id: str | None,
    api_path: str | None,
    answer: str | None,
    http: int,
    is_result: bool,
) -> int:
    """Print the request that a table makes, and what it makes of the reply. Nothing is stored or sent on.

    PROVIDER is a provider of the configuration or of the catalogue. Without --task and --answer only the
    request is printed, for a made-up task. The exit code is 1 if the reply says nothing about the task.
    """
    settings = find_provider(context, provider)
    address = _find_address(settings, task_id, api_path)
    try:
        request = build_poll_request(settings.base_url, settings.description, address, settings.api_key)
    except InvalidUrl as error:
        raise click.UsageError(f"no request can be made of this task: {error}") from None
    report: dict[str, Any] = _describe_request(settings, request)
    verdict = None
    if answer is not None:
        reply = HttpReply(http, {}, Path(answer).read_bytes())
        verdict = judge_answer(settings, reply, address.task_id, is_result=is_result)
        report |= _describe_reply(settings, reply, verdict, is_result=is_result)
    elif task_id is not None:
        verdict = asyncio.run(_poll(settings, address, request, report))
    _print_report(context, report)
    return 0 if verdict is None or isinstance(verdict, Running | Finished | ResultPending) else 1


def find_provider(context: CommandContext, name: str) -> ProviderSettings:
    """Return a provider of the configuration, else of the catalogue. Raise UsageError for another name."""
    config = context.load_config()
    if name in config.providers:
        return config.providers[name]
    if name in list_presets():
        return replace(_load_preset(context, name), name=name)
    names = [*config.providers, *list_presets()]
    near = find_nearest(name, names)
    hint = f"did you mean {near}?" if near else "`notifier providers` lists those of the catalogue"
    raise click.UsageError(f"there is no provider {escape(name)!r}; {hint}")


def _load_preset(context: CommandContext, name: str) -> ProviderSettings:
    from notifier.config.load import load  # noqa: PLC0415 - most commands do without it

    variable = f"NOTIFIER_PROVIDERS__{name.upper().replace('-', '_')}__PRESET"
    config: Config = load(context.find_config_file(), {**context.environ, variable: name})
    return config.providers[name.replace("-", "_")]


def _find_address(settings: ProviderSettings, task_id: str | None, api_path: str | None) -> TaskAddress:
    sample = find_sample_task(settings)
    if settings.description.needs_api_path and task_id is not None and api_path is None:
        raise click.UsageError(f"{settings.name} has an api_path; give --api-path PATH beside --task")
    return TaskAddress(api_path or sample.api_path, task_id or sample.task_id)


async def _poll(
    settings: ProviderSettings, address: TaskAddress, request: PollRequest, report: dict[str, Any]
) -> Verdict:
    """Poll the task once. Ask for the result of a completed task too."""
    from notifier.daemon.client_factory import make_poll_client  # noqa: PLC0415 - an HTTP library; other commands need none

    client = make_poll_client(Config(providers={settings.name: settings}))
    try:
        exchange = await send_request(client, settings, request, settings.description.max_body)
        if isinstance(exchange, NoReply):
            report["reply"] = f"none: {hide_secrets(exchange.detail, settings.secrets)}"
            return judge_answer(settings, exchange, address.task_id, is_result=False)
        verdict = judge_answer(settings, exchange, address.task_id, is_result=False)
        report |= _describe_reply(settings, exchange, verdict, is_result=False)
        result = settings.description.result
        if not isinstance(verdict, ResultPending) or verdict.failure is not None or result is None:
            return verdict
        second = build_result_request(
            settings.base_url, settings.description, address, verdict.values, settings.api_key
        )
        report["second request"] = f"{second.method} {second.url}"
        max_body = result.max_body or settings.description.max_body
        exchange = await send_request(client, settings, second, max_body)
        if isinstance(exchange, HttpReply):
            verdict = judge_answer(settings, exchange, address.task_id, is_result=True)
            report |= _describe_reply(settings, exchange, verdict, is_result=True)
        return verdict
    finally:
        await client.close()


def _describe_request(settings: ProviderSettings, request: PollRequest) -> dict[str, Any]:
    """Describe a request. Secrets are masked."""
    headers = [
        one_line(hide_secrets(f"{name}: {value}", settings.secrets), MAX_TEXT_CHARS)
        for name, value in request.headers.items()
    ]
    body = {} if request.body is None else {"body": request.body.decode()}
    return {"request": f"{request.method} {request.url}", "headers": headers, **body}


def _describe_reply(
    settings: ProviderSettings, reply: HttpReply, verdict: Verdict, *, is_result: bool
) -> dict[str, Any]:
    """Describe what a reply means, and which expressions found nothing in it."""
    report: dict[str, Any] = {
        "reply": f"HTTP {reply.status}, {len(reply.body)} bytes",
        "state": name_state(verdict),
        "meaning": describe_verdict(verdict),
    }
    decision = _decide(settings, verdict)
    if isinstance(decision, EndWatch):
        error, expires_at = decision.error, decision.result_expires_at
        report |= {
            "outputs": list(decision.outputs),
            "error": None if error is None else [error.code, error.title, error.detail],
            "expires": None if expires_at is None else format_instant(expires_at),
            "notes": [note.text() for note in decision.notes],
        }
    else:
        report["next poll"] = f"in {format_duration(max(0, decision.due_at - wall_ms()))}"
    if not is_result:
        report["nothing found by"] = _list_empty_places(settings, reply)
    return report


def _decide(settings: ProviderSettings, verdict: Verdict) -> PollDecision:
    """Decide as the daemon would for a task that was registered just now."""
    now, polling = wall_ms(), settings.polling
    watch = Watch(
        id="",
        provider=settings.name,
        api_path="",
        task_id="",
        state=WatchState.WATCHING,
        callbacks=(),
        metadata="{}",
        registered_at=now,
        expires_at=now + polling.expire_after_ms,
        due_at=now,
    )
    schedule = AgeSchedule(polling.min_interval_ms, polling.max_interval_ms, polling.growth)
    ttl_ms = settings.result_ttl_ms
    return decide_poll(watch, verdict, schedule=schedule, result_ttl_ms=ttl_ms, now=now, jitter=0.0)


def _list_empty_places(settings: ProviderSettings, reply: HttpReply) -> list[str]:
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ["every expression: the reply is no JSON"]
    parsed = ProviderReply(JsonReading(None, document))
    return [
        f"{key} = {one_line(place, MAX_TEXT_CHARS)!r}"
        for key, place in list_places(settings.description)
        if parsed.at_or_none(place, []) in (None, [], "")
    ]


def _print_report(context: CommandContext, report: dict[str, Any]) -> None:
    if context.is_json:
        print_json(msgspec.json.encode(report))
        return
    fields = []
    for name, value in report.items():
        if value is None or value == []:
            continue
        values = value if isinstance(value, list) else [value]
        fields.append((name, [str(each) for each in values if each is not None]))
    for line in format_fields(fields):
        print_data(line)

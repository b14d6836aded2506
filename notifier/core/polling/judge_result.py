"""Judge the second GET of a provider, which has the result of a task that completed.

The task is completed whatever this GET returns, unless the description gives its HTTP code another meaning.
Anything else says nothing yet: the GET is repeated until the deadline of the watch.
"""

from dataclasses import replace

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, HttpReply, NoReply
from notifier.core.model import WatchState
from notifier.core.polling.judge_poll import judge_failure, judge_status, judge_unreadable
from notifier.core.polling.judge_reply import parse_any, read_outcome_error, read_outputs
from notifier.core.polling.payload_notes import PayloadNote
from notifier.core.polling.poll_context import PollContext, make_context
from notifier.core.polling.provider import ProviderDescription, ResultDescription
from notifier.core.polling.provider_message import read_error
from notifier.core.polling.provider_reply import (
    UnreadableReply,
    parse_reply,
)
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret

ResultVerdict = Finished | AccountRefused | Throttled | Inconclusive

_ENDS = {
    "completed": WatchState.COMPLETED,
    "failed": WatchState.FAILED,
    "cancelled": WatchState.CANCELLED,
}


def judge_result(
    exchange: Exchange,
    first: Finished,
    *,
    task_id: str,
    description: ProviderDescription,
    key: Secret | None,
    now: int,
) -> ResultVerdict:
    """Return the verdict of the second GET. ``first`` is that of the poll. It never raises."""
    result = description.result
    if result is None:
        raise AssertionError("only a provider with a result table has a second GET")
    context = make_context(task_id, description, key, now)
    match exchange:
        case NoReply():
            return _wait(judge_failure(exchange, context))
        case HttpReply():
            try:
                return _judge(exchange, first, result, context)
            except UnreadableReply as error:
                return _wait(judge_unreadable(exchange, error, context))


def _judge(
    http: HttpReply, first: Finished, result: ResultDescription, context: PollContext
) -> ResultVerdict:
    state = result.http.get(http.status)
    if state in _ENDS or (state is None and 200 <= http.status <= 299):
        return _finish(http, first, _ENDS[state or "completed"], result, context)
    if state is None:
        verdict = judge_status(http, context)
        return _wait(verdict) if isinstance(verdict, Inconclusive | TaskUnknown) else verdict
    message = read_error(http, context.secrets).message
    reason = f"HTTP {http.status}"
    match state:
        case "refused":
            return context.refuse(http, reason, message)
        case "throttled":
            return context.throttle(http, reason, message)
        case _:
            cause = Cause(Code.PROVIDER_HTTP_STATUS, {"status": http.status})
            return _wait(Inconclusive(cause, InconclusiveKind.STATUS, *context.retry_after(http)))


def _finish(
    http: HttpReply, first: Finished, state: WatchState, result: ResultDescription, context: PollContext
) -> Finished:
    is_free = context.description.body_kind == "any" or http.status in result.http
    max_body = result.max_body or context.description.max_body
    reply = parse_any(http, context, max_body) if is_free else parse_reply(http, max_body, context.secrets)
    notes: list[PayloadNote] = []
    message = "" if reply.payload_note is None else read_error(http, context.secrets).message
    return replace(
        first,
        state=state,
        outputs=read_outputs(reply, result, state, notes),
        error=read_outcome_error(reply, result, state, notes, message),
        payload=reply.payload(notes),
        notes=tuple(notes),
    )


def _wait(verdict: Inconclusive | TaskUnknown) -> Inconclusive:
    """Say of what a reply is missing. A 404 too is no loss of the task: it has completed."""
    cause = Cause(Code.RESULT_UNAVAILABLE, {"reason": verdict.cause.text()})
    if isinstance(verdict, TaskUnknown):
        return Inconclusive(cause, InconclusiveKind.STATUS)
    return replace(verdict, cause=cause)

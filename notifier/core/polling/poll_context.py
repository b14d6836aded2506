"""Define what a reply is judged with: the task, the description of its provider, the secrets, the time."""

from dataclasses import dataclass

from notifier.core.causes.cause import MULEROUTER_KEY, QUOTE, Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import HttpReply
from notifier.core.formats.retry_after import MAX_POLL_RETRY_AFTER_MS, parse_retry_after
from notifier.core.formats.text import one_line
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_reply import Secrets, hide_secrets
from notifier.core.polling.verdict import AccountRefused, Throttled
from notifier.core.secret import Secret

# CONTRACT P5: bounded. No record of why at these numbers; changing one needs a measurement.
MAX_ORIGIN_CHARS = 300  # of a key, in a trouble
MAX_RETRY_AFTER_CHARS = 60  # a date has 29 characters; what is longer is quoted in part


@dataclass(slots=True, eq=False)  # a frozen one costs a microsecond of each poll
class PollContext:
    """What a reply is judged with. ``secrets`` are all that the request carried, the key included."""

    task_id: str
    description: ProviderDescription
    key: Secret | None
    now: int
    secrets: Secrets

    def retry_after(self, reply: HttpReply) -> tuple[int | None, str]:
        """Return how long the provider asks to wait; and the header's value, if it cannot be read."""
        value = reply.headers.get("retry-after")
        if value is None:
            return None, ""
        wait_ms = parse_retry_after(
            value, now=self.now, cap_ms=MAX_POLL_RETRY_AFTER_MS, date=reply.headers.get("date")
        )
        if wait_ms is not None:
            return wait_ms, ""
        return None, one_line(hide_secrets(value, self.secrets), MAX_RETRY_AFTER_CHARS)

    def refuse(self, reply: HttpReply, reason: str, message: str) -> AccountRefused:
        """Return the verdict where the description says that the account is refused, and by what."""
        params = {"reason": reason, **quote_message(message)}
        if self.key is not None and self.key.origin not in {"", MULEROUTER_KEY}:
            params["key_origin"] = one_line(self.key.origin, MAX_ORIGIN_CHARS)
        return AccountRefused(reply.status, Cause(Code.PROVIDER_ACCOUNT_REFUSED, params))

    def throttle(self, reply: HttpReply, reason: str, message: str) -> Throttled:
        """Return the verdict where the description says that too many requests were sent, and by what."""
        wait_ms, ignored = self.retry_after(reply)
        cause = Cause(Code.PROVIDER_LIMIT_REACHED, {"reason": reason, **quote_message(message)})
        return Throttled(wait_ms, cause, ignored)


def make_context(task_id: str, description: ProviderDescription, key: Secret | None, now: int) -> PollContext:
    """Make the context of a poll."""
    secrets = description.header_secrets if key is None else (key, *description.header_secrets)
    return PollContext(task_id, description, key, now, secrets)


def quote_message(message: str) -> dict[str, str | int]:
    """Return the parameter of a cause that has a peer's own words."""
    return {QUOTE: message} if message else {}

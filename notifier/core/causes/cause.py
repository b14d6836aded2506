"""Define a cause as a value: a code with parameters. Text and remedy are made when they are needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from notifier.core.causes.attempt_fixes import HTTP_REDIRECT, STATUS_FIXES
from notifier.core.causes.table import CAUSES, Code
from notifier.core.formats.text import fill_template
from notifier.core.formats.times import format_instant

MULEROUTER_KEY = "MULEROUTER_API_KEY"
"""The environment variable with the key of the built-in provider."""

Params = Mapping[str, str | int]

QUOTE = "message"
"""The parameter with a peer's own words. They may differ each time, for example by the id of a request."""

_NONE: Params = MappingProxyType({})


class Audience(Enum):
    """The reader of a text: the operator of this daemon, or a receiver of its callbacks."""

    OPERATOR = "operator"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class ProviderSubject:
    """A provider and its watches; without a name, the daemon itself."""

    name: str = ""

    @property
    def key(self) -> str:
        """The setting or variable that has the key of this provider."""
        return MULEROUTER_KEY if self.name == "mulerouter" else f"api_key of {self.name or 'the provider'}"

    @property
    def table(self) -> str:
        """The table of the configuration that has this provider."""
        return f"providers.{self.name}" if self.name else "the provider's table"


@dataclass(frozen=True, slots=True)
class EndpointSubject:
    """An endpoint that is held back. Where the id is not known, the URL takes its place."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class AttemptSubject:
    """One attempt of a delivery."""


Subject = ProviderSubject | EndpointSubject | AttemptSubject
DAEMON = ProviderSubject()
ATTEMPT = AttemptSubject()


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """Why something does not work. Causes with the same code and parameters except the quote are equal.

    Parameters may be words of a foreign server. So whoever makes a cause cleans and shortens them.
    """

    code: Code
    params: Params = field(default_factory=lambda: _NONE)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cause) or self.code is not other.code:
            return False
        return self.params == other.params or _without_quote(self.params) == _without_quote(other.params)

    def __hash__(self) -> int:
        return hash(self.code)

    def text(self, audience: Audience = Audience.OPERATOR) -> str:
        """Return the cause in words. The text for receivers leaves out private parameters."""
        template = CAUSES[self.code]
        hidden = template.private if audience is Audience.RECEIVER else frozenset()
        visible = {name: value for name, value in self.params.items() if name not in hidden}
        return fill_template(template.text, visible)

    def fix(self, subject: Subject = DAEMON) -> str:
        """Return what to do about it; empty if nothing is known."""
        template = CAUSES[self.code]
        match subject:
            case ProviderSubject():
                key = self.params.get("key_origin", subject.key)
                return fill_template(template.fix, {**self.params, "key": key, "table": subject.table})
            case EndpointSubject():
                return fill_template(template.endpoint_fix, {"id": subject.id, "url": subject.url})
            case AttemptSubject():
                return template.attempt_fix or self._status_fix()

    def _status_fix(self) -> str:
        status = self.params.get("status")
        if self.code is Code.RECEIVER_REDIRECT:
            status = HTTP_REDIRECT
        elif self.code is not Code.RECEIVER_HTTP_STATUS:
            return ""
        if not isinstance(status, int):
            return ""
        return next((text for first, last, text in STATUS_FIXES if first <= status <= last), "")


@dataclass(frozen=True, slots=True)
class Condition:
    """A cause that lasts, and since when, if that is known.

    ``is_of_path``: it concerns one api_path, and not its provider as a whole.
    """

    cause: Cause
    since: int | None = None
    is_of_path: bool = False

    def text(self, audience: Audience = Audience.OPERATOR) -> str:
        """Return the cause in words, with the time since when."""
        text = self.cause.text(audience)
        if self.is_of_path:
            text = f"its api_path is held back: {text}"
        return text if self.since is None else f"{text} since {format_instant(self.since)}"


def _without_quote(params: Params) -> Params:
    return {name: value for name, value in params.items() if name != QUOTE}

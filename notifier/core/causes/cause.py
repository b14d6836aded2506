"""A cause as a value: a code with parameters. Its text and its remedy are made when somebody reads them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from notifier.core.causes.table import CAUSES, STATUS_FIXES, Code
from notifier.core.formats.times import format_instant

MULEROUTER_KEY = "MULEROUTER_API_KEY"
"""The variable that the key of the built-in provider is set by."""

Params = Mapping[str, str | int]

_NONE: Params = MappingProxyType({})
_PLACE = re.compile(r"\{(\w+)\}|\{([^{}\[\]]*)\[(\w+)\]([^{}\[\]]*)\}")


class Audience(Enum):
    """Who reads a text: the operator of this daemon, or the receivers of its callbacks."""

    OPERATOR = "operator"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class ProviderSubject:
    """The remedy is for a provider's watches, or for the daemon itself where there is no name."""

    name: str = ""

    @property
    def key(self) -> str:
        """What sets the key of this provider."""
        return MULEROUTER_KEY if self.name == "mulerouter" else f"api_key of {self.name or 'the provider'}"


@dataclass(frozen=True, slots=True)
class EndpointSubject:
    """The remedy is for an endpoint that is held back. Where the id is not at hand, the URL is one too."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class AttemptSubject:
    """The remedy is for one attempt to deliver."""


Subject = ProviderSubject | EndpointSubject | AttemptSubject
DAEMON = ProviderSubject()
ATTEMPT = AttemptSubject()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something does not work. Two are the same where code and parameters are equal.

    The parameters are plain values, cleaned and cut where they are made: they may be a stranger's words.
    """

    code: Code
    params: Params = field(default_factory=lambda: _NONE, hash=False)

    def text(self, audience: Audience = Audience.OPERATOR) -> str:
        """Return the cause in words; those for a receiver hold no private parameter."""
        template = CAUSES[self.code]
        hidden = template.private if audience is Audience.RECEIVER else frozenset()
        visible = {name: value for name, value in self.params.items() if name not in hidden}
        return _fill(template.text, visible)

    def fix(self, subject: Subject = DAEMON) -> str:
        """Return what to do about it; empty where nothing is known."""
        template = CAUSES[self.code]
        match subject:
            case ProviderSubject():
                return _fill(template.fix, {**self.params, "key": self.params.get("key_origin", subject.key)})
            case EndpointSubject():
                return _fill(template.endpoint_fix, {"id": subject.id, "url": subject.url})
            case AttemptSubject():
                return template.attempt_fix or self._status_fix()

    def _status_fix(self) -> str:
        status = self.params.get("status")
        if self.code is not Code.RECEIVER_HTTP_STATUS or not isinstance(status, int):
            return ""
        return next((text for first, last, text in STATUS_FIXES if first <= status <= last), "")


@dataclass(frozen=True, slots=True)
class Condition:
    """A cause that lasts, and since when, where that is known."""

    cause: Cause
    since: int | None = None

    def text(self, audience: Audience = Audience.OPERATOR) -> str:
        """Return the cause in words, with since when."""
        text = self.cause.text(audience)
        return text if self.since is None else f"{text} since {format_instant(self.since)}"


def _fill(pattern: str, values: Params) -> str:
    """Put the values into their places, in one pass: a value that holds braces is not expanded again."""

    def value_at(place: re.Match[str]) -> str:
        plain, before, optional, after = place.groups()
        if plain is not None:
            return str(values.get(plain, ""))
        value = values.get(optional, "")
        return "" if value == "" else f"{before}{value}{after}"

    return _PLACE.sub(value_at, pattern)

"""Describe a provider as data: the request of a poll, and the places of values in the reply.

Places are JMESPath expressions on the decoded reply. Words are compared case-folded. The default of each
field is MuleRouter's (source: MuleRouter's "Get Generation Task" page, and the seven words that its official
CLI accepts). Another provider is a file of ``notifier/providers`` or a table of the configuration, and no
code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from notifier.core.secret import Secret

DEFAULT_MAX_BODY = 16 * 1024 * 1024  # docs/CONFIGURATION.md, max_body; no record of why 16 MiB

MULEROUTER_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "running": ("pending", "queued", "processing", "running"),
        "completed": ("completed", "succeeded"),
        "failed": ("failed",),
        "cancelled": ("cancelled", "canceled"),
    }
)
_MULEROUTER_SUBMIT: Mapping[str, str] = MappingProxyType(
    {"task_id": "task_id || task_info.id", "api_path": "api_path"}
)
_MULEROUTER_HINT: Mapping[str, str] = MappingProxyType({"id": "data.payload.task_info.id"})
_NO_CODES: Mapping[int, str] = MappingProxyType({})
_NO_VALUES: Mapping[str, str] = MappingProxyType({})


class OutcomePlaces(Protocol):
    """Where a reply has outputs and error: of a poll, or of the second GET."""

    @property
    def outputs(self) -> str:
        """The place of the outputs."""
        ...

    @property
    def error_code(self) -> str:
        """The place of the code of an error."""
        ...

    @property
    def error_title(self) -> str:
        """The place of its short description."""
        ...

    @property
    def error_detail(self) -> str:
        """The place of its long description."""
        ...


@dataclass(frozen=True, slots=True)
class ResultDescription:
    """The second GET of a provider, made when a poll has reported success.

    ``path`` follows the base URL. It may contain the names of ``values``, which are places in the reply to
    the poll. ``http`` maps codes of the reply to states. ``max_body`` None is that of the poll.
    """

    path: str
    values: Mapping[str, str] = field(default_factory=lambda: _NO_VALUES)
    outputs: str = ""
    error_code: str = ""
    error_title: str = ""
    error_detail: str = ""
    http: Mapping[int, str] = field(default_factory=lambda: _NO_CODES)
    max_body: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderDescription:
    """How tasks of a provider are polled, and how its replies are read.

    ``task_path`` is appended to the base URL; ``auth_value`` is sent in ``auth_header``. Poll URLs may be on
    ``hosts`` too, and ids may hold ``id_signs``. ``outputs`` returns a string or an array; its strings are
    the outputs. Times without an offset are ``utc_offset_ms`` ahead of UTC. ``max_body`` is the longest reply
    that is read, in bytes. ``http`` maps HTTP codes to states, before ``status`` is read. ``submit`` has the
    places in the reply to a submission, ``hint`` those in the provider's own webhooks.
    ``states`` maps the words, case-folded, to their states. ``header_secrets`` are those of ``headers``.
    ``has_own_task_path``: a user wrote it, so an error in it may be why no task is known.
    """

    task_path: str = "{api_path}/{task_id}"
    method: str = "GET"
    body: str = ""
    hosts: tuple[str, ...] = ()
    id_signs: str = ""
    auth_header: str = "Authorization"
    auth_value: str = "Bearer {key}"
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    http: Mapping[int, str] = field(default_factory=lambda: _NO_CODES)
    status: str = "task_info.status"
    failed_if: str = ""
    id: str = "task_info.id"
    created_at: str = "task_info.created_at"
    finished_at: str = "task_info.updated_at"
    expires_at: str = ""
    outputs: str = "[images || `[]`, videos || `[]`, audios || `[]`][] || [image, video, audio]"
    error_code: str = "task_info.error.code"
    error_title: str = "task_info.error.title"
    error_detail: str = "task_info.error.detail"
    utc_offset_ms: int = 0
    max_body: int = DEFAULT_MAX_BODY
    body_kind: str = "json"
    words: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MULEROUTER_WORDS)
    submit: Mapping[str, str] = field(default_factory=lambda: _MULEROUTER_SUBMIT)
    hint: Mapping[str, str] = field(default_factory=lambda: _MULEROUTER_HINT)
    result: ResultDescription | None = None
    has_own_task_path: bool = False
    states: Mapping[str, str] = field(init=False, repr=False, compare=False)
    header_secrets: tuple[Secret, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        states = {word.strip().casefold(): state for state, words in self.words.items() for word in words}
        object.__setattr__(self, "states", MappingProxyType(states))
        secrets = tuple(value for value in self.headers.values() if isinstance(value, Secret))
        object.__setattr__(self, "header_secrets", secrets)

    @property
    def needs_api_path(self) -> bool:
        """Return whether a registration must give an api_path, because a request contains it."""
        texts = (self.task_path, self.body, self.result.path if self.result else "")
        return any("{api_path}" in text for text in texts)

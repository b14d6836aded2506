"""Describe a provider as data: the URL and headers of a poll, and the places of values in the reply.

Places are JMESPath expressions on the decoded reply. Words are compared case-folded. The default of each
field is MuleRouter's (source: MuleRouter's "Get Generation Task" page, and the seven words that its official
CLI accepts). Another provider is a table of these fields in the configuration, and no code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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

BUILT_IN_TASK_PATH = "{api_path}/{task_id}"


@dataclass(frozen=True, slots=True)
class ProviderDescription:
    """How tasks of a provider are polled, and how its replies are read.

    ``task_path`` is appended to the base URL; ``auth_value`` is sent in ``auth_header``. ``outputs`` returns
    a string or an array; its strings are the outputs. Times without an offset are ``utc_offset_ms`` ahead of
    UTC. ``max_body`` is the longest reply that is read, in bytes.
    """

    task_path: str = BUILT_IN_TASK_PATH
    auth_header: str = "Authorization"
    auth_value: str = "Bearer {key}"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: str = "task_info.status"
    id: str = "task_info.id"
    created_at: str = "task_info.created_at"
    finished_at: str = "task_info.updated_at"
    outputs: str = "[images || `[]`, videos || `[]`, audios || `[]`][] || [image, video, audio]"
    error_code: str = "task_info.error.code"
    error_title: str = "task_info.error.title"
    error_detail: str = "task_info.error.detail"
    utc_offset_ms: int = 0
    max_body: int = DEFAULT_MAX_BODY
    words: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MULEROUTER_WORDS)

    @property
    def has_own_task_path(self) -> bool:
        """Return whether ``task_path`` is a user's own: with an error in it every task is unknown."""
        return self.task_path != BUILT_IN_TASK_PATH


def build_poll_headers(description: ProviderDescription, key: Secret | None) -> dict[str, str]:
    """Build the headers of a poll, with the key in one of them."""
    headers = {"accept": "application/json", **description.headers}
    if key is not None:
        headers[description.auth_header] = description.auth_value.replace("{key}", key.reveal())
    return headers

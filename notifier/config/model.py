"""Hold every setting with its default. A test keeps ``config.example.toml`` equal."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.core.delivery.endpoint_settings import EndpointSettings, find_endpoint_settings
from notifier.core.event_body import DEFAULT_MAX_PAYLOAD
from notifier.core.polling.provider import ProviderDescription
from notifier.core.secret import Secret

SECOND = 1_000  # milliseconds, the unit of all durations
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SECRET_SUFFIX = ".secret"  # noqa: S105 - the suffix of the file of signing secrets, beside the database


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The local HTTP API. ``listen`` is ``host:port`` or ``unix:/path``."""

    listen: str = "127.0.0.1:8484"
    tokens: tuple[Secret, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_watches: int = 1_000_000


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The store. ``url`` is the path of a SQLite file."""

    url: str = "notifier.db"


@dataclass(frozen=True, slots=True)
class PollingSettings:
    """When to poll a task: interval = growth × age of the task, between minimum and maximum."""

    first_after_ms: int = 2_500
    min_interval_ms: int = 2_500
    growth: float = 0.1
    max_interval_ms: int = 60 * SECOND
    learn: bool = True
    expire_after_ms: int = 1 * HOUR
    request_timeout_ms: int = 15 * SECOND


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One provider. ``result_ttl_ms`` 0 means that the lifetime of its result URLs is unknown.

    ``preset`` is the file of the catalogue that it is based on, ``key_variable`` where such keys usually are.
    ``ca_file`` contains certificates to trust beside the system's; empty for none.
    """

    name: str = "mulerouter"
    base_url: str = "https://api.mulerouter.ai"
    api_key: Secret | None = None
    max_in_flight: int = 32
    max_rate_per_s: float = 50.0
    result_ttl_ms: int = 24 * HOUR
    ca_file: str = ""
    polling: PollingSettings = PollingSettings()
    description: ProviderDescription = ProviderDescription()
    preset: str = ""
    key_variable: str = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets that its polls carry, so that its replies can be cleaned of them."""
        key = () if self.api_key is None else (self.api_key,)
        return (*key, *self.description.header_secrets)


@dataclass(frozen=True, slots=True)
class ClientCertificateSettings:
    """The files of our certificate for receivers that require one, and of its key. Empty: there is none.

    Without ``key`` the key is in the file of the certificate.
    """

    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """How deliveries are signed, sent and given up. Without ``secrets`` the first start makes one.

    ``ca_file`` contains certificates to trust beside the system's; empty for none. ``endpoints`` maps
    patterns of URLs to the settings of these endpoints. A rate of 0 is no limit.
    """

    secrets: tuple[Secret, ...] = ()
    timeout_ms: int = 15 * SECOND
    give_up_after_ms: int = 72 * HOUR
    max_in_flight: int = 32
    max_in_flight_per_origin: int = 4
    max_rate_per_origin_s: float = 0.0
    allow: tuple[str, ...] = ("loopback", "private", "public")
    ca_file: str = ""
    tls: ClientCertificateSettings = ClientCertificateSettings()
    max_payload: int = DEFAULT_MAX_PAYLOAD
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)

    def find_secrets(self, url: str) -> tuple[Secret, ...]:
        """Return the secrets that sign callbacks to a canonical URL."""
        match = find_endpoint_settings(self.endpoints, url)
        return self.secrets if match is None else match[1].secrets or self.secrets

    def find_headers(self, url: str) -> Mapping[str, str | Secret]:
        """Return the headers that go with callbacks to a canonical URL."""
        match = find_endpoint_settings(self.endpoints, url)
        return {} if match is None else match[1].headers


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long ended watches are kept: with all deliveries delivered, or with a dead one."""

    delivered_ms: int = 7 * DAY
    dead_ms: int = 30 * DAY


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log. ``level`` is a name of ``logging``; ``format`` is auto, console or json."""

    level: str = "info"
    format: str = "auto"


def _built_in_providers() -> Mapping[str, ProviderSettings]:
    return {"mulerouter": ProviderSettings()}


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. ``source`` is its file, None without a file.

    ``notes`` lists likely mistakes for the operator; they do not stop the start.
    """

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    providers: Mapping[str, ProviderSettings] = field(default_factory=_built_in_providers)
    polling: PollingSettings = PollingSettings()
    callbacks: CallbackSettings = CallbackSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    source: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def all_secrets(self) -> tuple[Secret, ...]:
        """Return every secret, so that the log can hide them."""
        of_providers = (secret for provider in self.providers.values() for secret in provider.secrets)
        of_endpoints = (
            secret for endpoint in self.callbacks.endpoints.values() for secret in endpoint.all_secrets
        )
        return (*of_providers, *self.server.tokens, *self.callbacks.secrets, *of_endpoints)

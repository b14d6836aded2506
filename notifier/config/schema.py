"""List every key of the configuration with its place, its field and its parser."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from notifier.config import parsers, provider_parsers
from notifier.config.parsers import Reader
from notifier.core.delivery.endpoint_settings import check_endpoint_pattern
from notifier.core.formats.urls import InvalidUrl

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SettingKey:
    """One setting: the field of its dataclass, and the parser of its value."""

    field: str
    read: Reader


@dataclass(frozen=True, slots=True)
class NamedTables:
    """Tables whose names are free within ``rule``. ``has_variables``: a variable can contain such a name."""

    schema: "SettingTable"
    rule: str
    is_name: Callable[[str], bool]
    has_variables: bool = True


@dataclass(frozen=True, slots=True)
class SettingTable:
    """One table: its keys, its tables, and ``named``: tables whose names are free."""

    keys: Mapping[str, SettingKey] = field(default_factory=dict)
    tables: Mapping[str, "SettingTable"] = field(default_factory=dict)
    named: NamedTables | None = None

    def table(self, name: str) -> "SettingTable | None":
        """Return the schema of the table of that name, None without one."""
        if self.named is not None:
            return self.named.schema if self.named.is_name(name) else None
        return self.tables.get(name)

    def names(self) -> Iterator[str]:
        """Yield all fixed names."""
        yield from self.keys
        yield from self.tables


def _is_provider_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _is_endpoint_pattern(text: str) -> bool:
    try:
        check_endpoint_pattern(text)
    except InvalidUrl:
        return False
    return True


_COUNT = parsers.integer_between(1, 1_024)

POLLING = SettingTable(
    {
        "first_after": SettingKey("first_after_ms", parsers.duration_up_to("7d")),
        "min_interval": SettingKey("min_interval_ms", parsers.duration_up_to("1d")),
        "growth": SettingKey("growth", parsers.number_between(0, 10)),
        "max_interval": SettingKey("max_interval_ms", parsers.duration_up_to("7d")),
        "learn": SettingKey("learn", parsers.parse_flag),
        "expire_after": SettingKey("expire_after_ms", parsers.duration_up_to("365d")),
        "request_timeout": SettingKey("request_timeout_ms", parsers.duration_up_to("10m")),
    }
)


def _expressions(*names: str) -> dict[str, SettingKey]:
    return {name: SettingKey(name, provider_parsers.parse_expression) for name in names}


_MAX_BODY = SettingKey("max_body", parsers.size_between("64KiB", "256MiB"))
_ERROR_KEYS = _expressions("error_code", "error_title", "error_detail")

DESCRIPTION_KEYS = {
    "method": SettingKey("method", provider_parsers.parse_method),
    "task_path": SettingKey("task_path", provider_parsers.parse_task_path),
    "body": SettingKey("body", provider_parsers.parse_body),
    "hosts": SettingKey("hosts", provider_parsers.parse_hosts),
    "id_signs": SettingKey("id_signs", provider_parsers.parse_id_signs),
    "auth_header": SettingKey("auth_header", provider_parsers.parse_header_name),
    "auth_value": SettingKey("auth_value", provider_parsers.parse_auth_value),
    "headers": SettingKey("headers", provider_parsers.parse_poll_headers),
    "max_body": _MAX_BODY,
    "body_kind": SettingKey("body_kind", parsers.one_of("json", "any")),
    "http": SettingKey("http", provider_parsers.parse_http),
    "utc_offset": SettingKey("utc_offset_ms", provider_parsers.parse_offset),
    "status": SettingKey("status", provider_parsers.parse_required_expression),
    **_expressions("failed_if", "id", "created_at", "finished_at", "expires_at", "outputs"),
    **_ERROR_KEYS,
}

WORDS = SettingTable(
    {name: SettingKey(name, provider_parsers.parse_words) for name in provider_parsers.STATES},
)
SUBMIT = SettingTable(_expressions("task_id", "api_path", "poll_url"))
HINT = SettingTable(_expressions("id"))
RESULT = SettingTable(
    {
        "path": SettingKey("path", provider_parsers.parse_result_path),
        "values": SettingKey("values", provider_parsers.parse_values),
        "http": SettingKey("http", provider_parsers.parse_http),
        "max_body": _MAX_BODY,
        **_expressions("outputs"),
        **_ERROR_KEYS,
    }
)

PROVIDER = SettingTable(
    {
        "preset": SettingKey("preset", provider_parsers.parse_preset),
        "base_url": SettingKey("base_url", parsers.parse_base_url),
        "api_key": SettingKey("api_key", parsers.parse_secret_reference),
        "max_in_flight": SettingKey("max_in_flight", _COUNT),
        "max_rate": SettingKey("max_rate_per_s", parsers.parse_rate),
        "result_ttl": SettingKey("result_ttl_ms", parsers.duration_up_to("3650d", is_zero_allowed=True)),
        "ca_file": SettingKey("ca_file", parsers.parse_certificate_file),
        **DESCRIPTION_KEYS,
    },
    {"polling": POLLING, "words": WORDS, "submit": SUBMIT, "hint": HINT, "result": RESULT},
)

PROVIDERS = NamedTables(
    PROVIDER, "a provider's name is a small letter, then up to 31 of a-z 0-9 _ -", _is_provider_name
)

ENDPOINTS = NamedTables(
    SettingTable(
        {
            "secrets": SettingKey("secrets", parsers.parse_secret_references),
            "headers": SettingKey("headers", provider_parsers.parse_headers),
        }
    ),
    'an endpoint is a callback URL without its query, or a prefix that ends in /*: "http://127.0.0.1:9001/*"',
    _is_endpoint_pattern,
    has_variables=False,
)

CLIENT_CERTIFICATE = SettingTable(
    {
        "cert": SettingKey("cert", parsers.parse_certificate_file),
        "key": SettingKey("key", parsers.parse_key_file),
    }
)

ROOT = SettingTable(
    tables={
        "server": SettingTable(
            {
                "listen": SettingKey("listen", parsers.parse_listen),
                "tokens": SettingKey("tokens", parsers.parse_secret_references),
                "allowed_hosts": SettingKey(
                    "allowed_hosts", parsers.list_of(parsers.parse_host, '["notifier.lan"]')
                ),
                "max_watches": SettingKey("max_watches", parsers.integer_between(1, 100_000_000)),
            }
        ),
        "store": SettingTable({"url": SettingKey("url", parsers.parse_store_path)}),
        "providers": SettingTable(named=PROVIDERS),
        "polling": POLLING,
        "callbacks": SettingTable(
            {
                "secrets": SettingKey("secrets", parsers.parse_secret_references),
                "timeout": SettingKey("timeout_ms", parsers.duration_up_to("10m")),
                "give_up_after": SettingKey("give_up_after_ms", parsers.duration_up_to("365d")),
                "max_payload": SettingKey("max_payload", parsers.size_between("1KiB", "16MiB")),
                "max_in_flight": SettingKey("max_in_flight", _COUNT),
                "max_in_flight_per_origin": SettingKey("max_in_flight_per_origin", _COUNT),
                "max_rate_per_origin": SettingKey("max_rate_per_origin_s", parsers.parse_optional_rate),
                "allow": SettingKey(
                    "allow", parsers.list_of(parsers.parse_allowed_target, '["loopback", "private"]')
                ),
                "ca_file": SettingKey("ca_file", parsers.parse_certificate_file),
            },
            {"tls": CLIENT_CERTIFICATE, "endpoints": SettingTable(named=ENDPOINTS)},
        ),
        "retention": SettingTable(
            {
                "delivered": SettingKey("delivered_ms", parsers.duration_up_to("3650d")),
                "dead": SettingKey("dead_ms", parsers.duration_up_to("3650d")),
            }
        ),
        "log": SettingTable(
            {
                "level": SettingKey("level", parsers.one_of("debug", "info", "warning", "error", "critical")),
                "format": SettingKey("format", parsers.one_of("auto", "console", "json")),
            }
        ),
    }
)

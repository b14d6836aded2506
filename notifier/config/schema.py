"""Every key of the configuration: where it stands, which field it fills, who reads it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from notifier.config import parsers as readers
from notifier.config import provider_parsers as dialects
from notifier.config.parsers import Reader

NAME_RULE = "a provider's name is a small letter, then up to 31 of a-z 0-9 _ -"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: the dataclass field that it fills, and the reader of its value."""

    field: str
    read: Reader


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its keys, the tables in it, and ``named``: what each table of a free name looks like."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    tables: Mapping[str, "Table"] = field(default_factory=dict)
    named: "Table | None" = None

    def table(self, name: str) -> "Table | None":
        """Return the table of that name, None if there can be none."""
        if self.named is not None:
            return self.named if _NAME.fullmatch(name) else None
        return self.tables.get(name)

    def names(self) -> Iterator[str]:
        """All names that are known beforehand."""
        yield from self.keys
        yield from self.tables


_COUNT = readers.whole(1, 1_024)

POLLING = Table(
    {
        "first_after": Key("first_after_ms", readers.duration("7d")),
        "min_interval": Key("min_interval_ms", readers.duration("1d")),
        "growth": Key("growth", readers.number(0, 10)),
        "max_interval": Key("max_interval_ms", readers.duration("7d")),
        "learn": Key("learn", readers.flag),
        "expire_after": Key("expire_after_ms", readers.duration("365d")),
        "request_timeout": Key("request_timeout_ms", readers.duration("10m")),
    }
)

DIALECT_KEYS = {
    "task_path": Key("task_path", dialects.task_path),
    "auth_header": Key("auth_header", dialects.header_name),
    "auth_value": Key("auth_value", dialects.auth_value),
    "headers": Key("headers", dialects.headers),
    "status": Key("status", dialects.needed_place),
    **{
        name: Key(name, dialects.place)
        for name in (
            "id",
            "created_at",
            "finished_at",
            "outputs",
            "error_code",
            "error_title",
            "error_detail",
        )
    },
}

WORDS = Table(
    {name: Key(name, dialects.words) for name in ("running", "completed", "failed", "cancelled")},
)

PROVIDER = Table(
    {
        "base_url": Key("base_url", readers.base_url),
        "api_key": Key("api_key", readers.reference),
        "max_in_flight": Key("max_in_flight", _COUNT),
        "max_rate": Key("max_rate_per_s", readers.rate),
        "result_ttl": Key("result_ttl_ms", readers.duration("3650d", is_zero_allowed=True)),
        **DIALECT_KEYS,
    },
    {"polling": POLLING, "words": WORDS},
)

ROOT = Table(
    tables={
        "server": Table(
            {
                "listen": Key("listen", readers.listen),
                "tokens": Key("tokens", readers.references),
                "allowed_hosts": Key("allowed_hosts", readers.list_of(readers.host, '["notifier.lan"]')),
                "max_watches": Key("max_watches", readers.whole(1, 100_000_000)),
            }
        ),
        "store": Table({"url": Key("url", readers.store_path)}),
        "providers": Table(named=PROVIDER),
        "polling": POLLING,
        "callbacks": Table(
            {
                "secrets": Key("secrets", readers.references),
                "timeout": Key("timeout_ms", readers.duration("10m")),
                "give_up_after": Key("give_up_after_ms", readers.duration("365d")),
                "max_in_flight": Key("max_in_flight", _COUNT),
                "max_in_flight_per_origin": Key("max_in_flight_per_origin", _COUNT),
                "allow": Key("allow", readers.list_of(readers.allowed_target, '["loopback", "private"]')),
                "ca_file": Key("ca_file", readers.certificates),
            }
        ),
        "retention": Table(
            {
                "delivered": Key("delivered_ms", readers.duration("3650d")),
                "dead": Key("dead_ms", readers.duration("3650d")),
            }
        ),
        "log": Table(
            {
                "level": Key("level", readers.one_of("debug", "info", "warning", "error", "critical")),
                "format": Key("format", readers.one_of("auto", "console", "json")),
            }
        ),
    }
)

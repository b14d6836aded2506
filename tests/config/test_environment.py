"""Every key can be set by a variable, and a variable that means nothing is told."""

import dataclasses
from collections.abc import Iterator

import certifi
import pytest

from notifier.config.environment import variable_name
from notifier.config.model import Config
from notifier.config.schema import ROOT, SettingKey, SettingTable
from notifier.config.toml_lines import KeyPath
from notifier.core.secret import Secret
from tests.config.conftest import Read, Refuse


def keys(table: SettingTable, path: KeyPath = ()) -> Iterator[tuple[KeyPath, SettingKey]]:
    """Every key of the schema; the built-in provider stands for all."""
    for name, key in table.keys.items():
        yield (*path, name), key
    for name, inner in table.tables.items():
        yield from keys(inner, (*path, name))
    if table.named is not None and table.named.has_variables:
        yield from keys(table.named.schema, (*path, "mulerouter"))


VALUES = {
    "listen": ("127.0.0.1:1", "127.0.0.1:1"),
    "tokens": ('[{ env = "SECRET" }]', (Secret("whsec_" + "a" * 40),)),
    "secrets": ('[{ env = "SECRET" }]', (Secret("whsec_" + "a" * 40),)),
    "api_key": ('{ env = "SECRET" }', Secret("whsec_" + "a" * 40)),
    "allowed_hosts": ('["n.lan"]', ("n.lan",)),
    "max_watches": ("7", 7),
    "url": ("12345", "12345"),
    "base_url": ("https://h.example", "https://h.example"),
    "max_in_flight": ("7", 7),
    "max_in_flight_per_origin": ("7", 7),
    "max_rate": ("7/s", 7.0),
    "max_rate_per_origin": ("7/s", 7.0),
    "result_ttl": ("0", 0),
    "max_body": ("1MiB", 1 << 20),
    "max_payload": ("2MiB", 2 << 20),
    "utc_offset": ("+08:00", 28_800_000),
    "growth": ("1", 1.0),
    "learn": ("false", False),
    "allow": ('["public"]', ("public",)),
    "cert": ("", ""),  # test_client_certificate.py: it needs its key, and a key its certificate
    "key": ("", ""),
    "ca_file": (certifi.where(), certifi.where()),
    "level": ("debug", "debug"),
    "format": ("json", "json"),
    "headers": ('{ X-Version = "1" }', {"x-version": "1"}),
    "task_path": ("/tasks/{task_id}", "/tasks/{task_id}"),
    "auth_header": ("X-Key", "X-Key"),
    "auth_value": ("Key {key}", "Key {key}"),
    "running": ('["busy"]', ("busy",)),
    "completed": ('["done"]', ("done",)),
    "failed": ('["broken"]', ("broken",)),
    "cancelled": ('["off"]', ("off",)),
    "status": ("state", "state"),
    "preset": ("", ""),
    "method": ("post", "POST"),
    "body": ('{"name": "{task_id}"}', '{"name": "{task_id}"}'),
    "hosts": ('["*.H.example"]', ("*.h.example",)),
    "id_signs": ("/=", "/="),
    "body_kind": ("any", "any"),
    "http": ('{ 202 = "running" }', {202: "running"}),
    "lost": ('["gone"]', ("gone",)),
    "refused": ('["1004"]', ("1004",)),
    "throttled": ('["1002"]', ("1002",)),
    "path": ("/results/{task_id}", "/results/{task_id}"),
    "values": ('{ file_id = "file.id" }', {"file_id": "file.id"}),
}
NEEDED = {
    "body": {"NOTIFIER_PROVIDERS__MULEROUTER__METHOD": "POST"},
    "result": {"NOTIFIER_PROVIDERS__MULEROUTER__RESULT__PATH": "/results/{task_id}"},
}
"""Keys that are refused without another one."""


@pytest.mark.parametrize(
    ("path", "key"), [pytest.param(path, key, id=".".join(path)) for path, key in keys(ROOT)]
)
def test_every_key_can_be_set_by_its_variable(read: Read, path: KeyPath, key: SettingKey) -> None:
    is_duration = key.field.endswith("_ms") and path[-1] not in {"result_ttl", "utc_offset"}
    text, wanted = ("30s", 30_000) if is_duration else VALUES.get(path[-1], ("a.b", "a.b"))
    needed = NEEDED.get(path[-1], {}) | (NEEDED.get(path[2], {}) if len(path) == 4 else {})
    environ = {**needed, variable_name(path): text, "SECRET": "whsec_" + "a" * 40}
    found: object = read("", environ)
    for name in path[:-1]:
        found = found[name] if isinstance(found, dict) else getattr(found, name, found)
    if path[0] == "providers" and path[2] != "polling":
        inner = getattr(found, "description", None)
        if len(path) == 4:
            found = getattr(inner, path[2])
        elif not hasattr(found, key.field):
            found = inner
    found = found[path[-1]] if isinstance(found, dict) else getattr(found, key.field)
    assert found == wanted


def test_a_variable_wins_over_the_file(read: Read) -> None:
    text = "[polling]\ngrowth = 1\n[providers.mulerouter]\npolling.growth = 2\n"
    config = read(text, {"NOTIFIER_PROVIDERS__MULEROUTER__POLLING__GROWTH": "3"})
    assert (config.polling.growth, config.providers["mulerouter"].polling.growth) == (1.0, 3.0)
    config = read(text, {"NOTIFIER_POLLING__GROWTH": "3"})
    assert (config.polling.growth, config.providers["mulerouter"].polling.growth) == (3.0, 2.0)


def test_a_variable_can_bring_a_provider_and_reach_one_with_a_hyphen(read: Read) -> None:
    config = read(
        "[providers.my-one]\nbase_url = 'https://one.example'",
        {
            "NOTIFIER_PROVIDERS__MY_ONE__MAX_IN_FLIGHT": "3",
            "NOTIFIER_PROVIDERS__TWO__BASE_URL": "https://two.example",
        },
    )
    assert {name: provider.max_in_flight for name, provider in config.providers.items()} == {
        "mulerouter": 32,
        "my-one": 3,
        "two": 32,
    }


def test_a_variable_mends_what_is_wrong_in_the_file(read: Read) -> None:
    assert read("[log]\nlevel = 'loud'", {"NOTIFIER_LOG__LEVEL": "error"}).log.level == "error"


@pytest.mark.parametrize(
    ("variable", "text", "fault"),
    [
        ("NOTIFIER_SERVR__LISTEN", "x", 'unknown section; did you mean "NOTIFIER_SERVER__LISTEN"?'),
        ("NOTIFIER_SERVER__LISTN", "x", 'unknown key; did you mean "NOTIFIER_SERVER__LISTEN"?'),
        ("NOTIFIER_XYZ__ABC", "x", "unknown section"),
        ("NOTIFIER___LISTEN", "x", "unknown section"),
        ("NOTIFIER___", "x", "unknown section"),
        ("NOTIFIER_SERVER__", "x", "unknown key"),
        (
            "NOTIFIER_PROVIDERS__MULEROUTER__POLING__GROWTH",
            "1",
            'unknown section; did you mean "NOTIFIER_PROVIDERS__MULEROUTER__POLLING__GROWTH"?',
        ),
        ("NOTIFIER_PROVIDERS__MULEROUTER", "x", "names a section; add __ and one of its keys"),
        ("NOTIFIER_PROVIDERS__MULEROUTER__POLLING", "x", "names a section; add __ and one of its keys"),
        ("NOTIFIER_PROVIDERS__1A__BASE_URL", "x", "unknown section; a provider's name is a small letter"),
        (
            "NOTIFIER_PROVIDERS__MULEROUTER__API_KEY__ENV",
            "X",
            "unknown key; api_key is one value, set it as a whole by NOTIFIER_PROVIDERS__MULEROUTER__API_KEY",
        ),
        ("NOTIFIER_LOG__LEVEL", "5", "must be one of debug, info"),
        ("NOTIFIER_LOG__LEVEL", "", "must be one of debug, info"),
        ("NOTIFIER_POLLING__GROWTH", "fast", "must be a number, not text"),
        ("NOTIFIER_POLLING__GROWTH", "11", "must be from 0 to 10"),
        ("NOTIFIER_POLLING__GROWTH", "1\nx = 2", "must be a number, not text"),
        ("NOTIFIER_POLLING__LEARN", "yes", "must be true or false, not text"),
        ("NOTIFIER_POLLING__LEARN", "[" * 9_000, "must be true or false, not text"),
        ("NOTIFIER_CALLBACKS__ALLOW", "public", "must be a list such as"),
        ("NOTIFIER_SERVER__LISTEN", "8484", 'must be "host:port"'),
        ("NOTIFIER_PROVIDERS__NEW__MAX_RATE", "5/s", "NOTIFIER_PROVIDERS__NEW__BASE_URL: is needed"),
        ("NOTIFIER_POLLING__MIN_INTERVAL", "2m", "is longer than max_interval"),
    ],
)
def test_a_variable_that_means_nothing_is_told(refuse: Refuse, variable: str, text: str, fault: str) -> None:
    [told] = refuse("", {variable: text})
    assert told.startswith("environment: NOTIFIER_")
    assert fault in told


def test_a_secret_that_stands_in_a_variable_by_mistake_is_not_quoted(refuse: Refuse) -> None:
    environ = {
        "NOTIFIER_SERVER__TOKENS": "canary-1",
        "NOTIFIER_PROVIDERS__MULEROUTER__API_KEY": "canary-2",
        "NOTIFIER_CALLBACKS__SECRETS": '["canary-3"]',
    }
    told = refuse("", environ)
    assert len(told) == 3
    assert "canary" not in "".join(told)


def test_what_has_no_double_underscore_is_not_ours(read: Read) -> None:
    environ = {"NOTIFIER_TOKEN": "x", "NOTIFIER_LISTEN": "x", "OTHER__KEY": "x", "notifier_log__level": "x"}
    assert dataclasses.replace(read("", environ), source=None) == Config()


def test_a_value_where_a_table_belongs_is_told_of_the_file(refuse: Refuse) -> None:
    [told] = refuse("polling = 3", {"NOTIFIER_POLLING__GROWTH": "1"})
    assert told == "config.toml:1: polling: must be a table: [polling]"


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("NOTIFIER_POLLING_GROWTH", "NOTIFIER_POLLING__GROWTH"),
        ("NOTIFIER_STORE_URL", "NOTIFIER_STORE__URL"),
        ("NOTIFIER_PROVIDERS_MULEROUTER_API_KEY", "NOTIFIER_PROVIDERS__MULEROUTER__API_KEY"),
        ("NOTIFIER_PROVIDERS_RUNWAY_POLLING_GROWTH", "NOTIFIER_PROVIDERS__RUNWAY__POLLING__GROWTH"),
    ],
)
def test_a_variable_with_too_few_underscores_is_noted(read: Read, variable: str, meant: str) -> None:
    """Nobody reads it, so it is no fault; but whoever set it meant something."""
    config = read('[providers.runway]\nbase_url = "https://r.example"\n', {variable: "1"})
    assert config.notes == (f"{variable} is not read; did you mean {meant}?",)


def test_other_variables_of_ours_are_not_noted(read: Read) -> None:
    """The commands have variables of their own."""
    environ = {f"NOTIFIER_{name}": "x" for name in ("URL", "TOKEN", "CONFIG", "SOMETHING")}
    assert read("", environ).notes == ()


def test_a_slip_in_a_kind_of_address_is_noted(read: Read) -> None:
    """A host may have any name; one that nearly is a kind is more likely a slip."""
    config = read('[callbacks]\nallow = ["loopbak", "public", "localhost", "printer.lan"]\n')
    assert config.notes == (
        'callbacks.allow: "loopbak" is read as the name of a host; did you mean "loopback"?',
    )

"""A configuration is taken whole or refused with everything that is wrong with it."""

import dataclasses
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.config.errors import ConfigError
from notifier.config.load import InvalidConfig, find_file, load
from notifier.config.model import Config, PollingSettings, ProviderSettings
from notifier.core.secret import Secret
from tests.config.conftest import Read, Refuse

WHSEC = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="


def test_without_file_and_variables_the_defaults_apply() -> None:
    assert load(None, {}) == Config()
    assert (
        load(None, {"NOTIFIER_URL": "x", "NOTIFIER_TOKEN": "x", "NOTIFIER_CONFIG": "", "HOME": "/"})
        == Config()
    )


def test_an_empty_file_is_the_defaults_and_their_source(read: Read, tmp_path: Path) -> None:
    assert read("") == dataclasses.replace(Config(), source=str(tmp_path / "config.toml"))


def test_every_section_reaches_its_fields(read: Read) -> None:
    config = read(
        """
        server = { listen = "unix:/run/n.sock", allowed_hosts = ["N.lan", "[::2]"], max_watches = 5 }
        store.url = "/var/lib/n.db"
        callbacks.secrets = [{ env = "SIGN" }, { env = "SIGN" }]
        callbacks.allow = ["loopback", "10.0.0.0/8", "*.example.com", "fd00::/8"]
        [server-less]
        """.replace("[server-less]", "")
        + """
        [polling]
        first_after = 1
        growth = 2
        learn = false
        [retention]
        delivered = "1h30m"
        [log]
        level = "WARNING"
        format = "json"
        """,
        {"SIGN": WHSEC},
    )
    assert config.server.listen == "unix:/run/n.sock"
    assert config.server.allowed_hosts == ("n.lan", "[::2]")
    assert config.server.max_watches == 5
    assert config.store.url == "/var/lib/n.db"
    assert config.callbacks.secrets == (Secret(WHSEC), Secret(WHSEC))
    assert config.callbacks.allow == ("loopback", "10.0.0.0/8", "*.example.com", "fd00::/8")
    assert config.polling == PollingSettings(first_after_ms=1_000, growth=2.0, learn=False)
    assert config.retention.delivered_ms == 5_400_000
    assert (config.log.level, config.log.format) == ("warning", "json")


def test_a_provider_polls_as_all_do_but_for_what_it_says(read: Read) -> None:
    config = read(
        """
        [polling]
        growth = 0.5
        max_interval = "5m"
        [providers.other]
        base_url = "https://Other.example/v1/"
        [providers.other.polling]
        max_interval = "10m"
        """
    )
    assert config.providers["mulerouter"].polling == PollingSettings(growth=0.5, max_interval_ms=300_000)
    assert config.providers["other"].polling == PollingSettings(growth=0.5, max_interval_ms=600_000)
    assert config.providers["other"] == dataclasses.replace(
        ProviderSettings(),
        name="other",
        base_url="https://other.example/v1",
        result_ttl_ms=0,
        polling=PollingSettings(growth=0.5, max_interval_ms=600_000),
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('"64KiB"', 65_536),
        ('"16MiB"', 1 << 24),
        ('"16 MiB"', 1 << 24),
        ('"1MB"', 1_000_000),
        ('"256MiB"', 1 << 28),
        ("100000", 100_000),
        ('"100000B"', 100_000),
    ],
)
def test_a_size_has_a_unit_or_counts_bytes(read: Read, text: str, size: int) -> None:
    config = read(f"[providers.mulerouter]\nmax_body = {text}")
    assert config.providers["mulerouter"].description.max_body == size


@pytest.mark.parametrize(("text", "offset_ms"), [("+08:00", 28_800_000), ("-0530", -19_800_000), ("Z", 0)])
def test_an_offset_is_ahead_of_utc(read: Read, text: str, offset_ms: int) -> None:
    config = read(f"[providers.mulerouter]\nutc_offset = '{text}'")
    assert config.providers["mulerouter"].description.utc_offset_ms == offset_ms


def test_a_result_ttl_of_zero_is_unknown(read: Read) -> None:
    for zero in ('"0"', '"0s"', "0"):
        assert read(f"[providers.mulerouter]\nresult_ttl = {zero}").providers["mulerouter"].result_ttl_ms == 0


@pytest.mark.parametrize(
    ("rate", "per_s"), [("50/s", 50.0), ("300/min", 5.0), ("90/m", 1.5), ("3600/h", 1.0)]
)
def test_rates_are_per_second_whatever_they_are_written_in(read: Read, rate: str, per_s: float) -> None:
    config = read(f'[providers.mulerouter]\nmax_rate = "{rate}"')
    assert config.providers["mulerouter"].max_rate_per_s == per_s


def test_all_faults_are_told_at_once_each_with_its_line(refuse: Refuse) -> None:
    assert refuse(
        """\
[server]
listen = "0.0.0.0:80"

[polling]
growht = 1
min_interval = "2m"
first_after = "1ms"
[pollin]
[providers.x]
max_rate = 3
[log]
level = "inf"
""",
        {"NOTIFIER_LOG__FORMAT": "jsn", "NOTIFIER_POLLING__GROWHT": "1"},
    ) == [
        "config.toml:2: server.listen: is reachable from other machines, and there is no token; "
        'set server.tokens = [{ file = "PATH" }], or listen on 127.0.0.1',
        'config.toml:5: polling.growht: unknown key; did you mean "growth"?',
        "config.toml:6: polling.min_interval: min_interval (120s) is longer than max_interval (60s); "
        "make it at most as long",
        "config.toml:7: polling.first_after: a duration is at least 50ms",
        'config.toml:8: pollin: unknown section; did you mean "polling"?',
        'config.toml:9: providers.x.base_url: is needed; write base_url = "https://…", '
        'or preset = "NAME" of the catalogue',
        'config.toml:10: providers.x.max_rate: must be a rate such as "50/s", not a number',
        "config.toml:12: log.level: must be one of debug, info, warning, error, critical; "
        'did you mean "info"?',
        'environment: NOTIFIER_LOG__FORMAT: must be one of auto, console, json; did you mean "json"?',
        'environment: NOTIFIER_POLLING__GROWHT: unknown key; did you mean "NOTIFIER_POLLING__GROWTH"?',
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("server = 3", "config.toml:1: server: must be a table: [server]"),
        ("x = 3", "config.toml:1: x: unknown key"),
        ('[polling]\n"a\\nb" = 3', 'config.toml:2: polling."a b": unknown key'),
        ("[server]\nlisten = 8484", "config.toml:2: server.listen: must be text, not a number"),
        ("[server]\nlisten = ':80'", 'must be "host:port", "[IPv6]:port" or "unix:/path"'),
        ("[server]\nlisten = '::1:80'", 'must be "host:port", "[IPv6]:port" or "unix:/path"'),
        ("[server]\nlisten = 'localhost:65536'", "must end in a port from 0 to 65535"),
        ("[server]\nlisten = 'localhost:²'", "must end in a port from 0 to 65535"),
        ("[server]\nlisten = 'unix:run/n'", "must be unix:/absolute/path"),
        (f"[server]\nlisten = 'unix:/{'x' * 200}'", "at most 107 bytes"),
        ("[server]\nallowed_hosts = 'a'", 'must be a list such as ["notifier.lan"], not text'),
        ("[server]\nallowed_hosts = ['a', 'b:80']", "entry 2 must be a host name or address without port"),
        ("[server]\nmax_watches = 0", "must be from 1 to 100000000"),
        ("[server]\nmax_watches = 1.5", "must be a whole number"),
        ("[server]\nmax_watches = true", "must be a whole number, not true or false"),
        ("[store]\nurl = ''", "must not be empty"),
        ("[store]\nurl = 'postgres://h/db'", "must be the path of a SQLite file"),
        ("[store]\nurl = ':memory:'", "must be the path of a SQLite file"),
        ("[store]\nurl = '.'", "must name a file"),
        ("[store]\nurl = '/'", "must name a file"),
        ("[store]\nurl = '/var/lib/'", "must name a file"),
        ("[store]\nurl = '..'", "must name a file"),
        ("[store]\nurl = 'notifier.secret'", "must not end in .secret: the file of the signing secrets"),
        ('[store]\nurl = "a\\u0000b"', "must not contain line breaks or control characters"),
        ("[polling]\ngrowth = nan", "must be from 0 to 10"),
        ("[polling]\ngrowth = inf", "must be from 0 to 10"),
        ("[polling]\ngrowth = -0.1", "must be from 0 to 10"),
        ("[polling]\ngrowth = '0.1'", "must be a number, not text"),
        ("[polling]\nlearn = 1", "must be true or false, not a number"),
        ("[polling]\nlearn = 2026-11-23", "must be true or false, not a date or time"),
        ("[polling]\nfirst_after = '5'", "config.toml:2: polling.first_after: not a duration: '5'; write"),
        ("[polling]\nfirst_after = 0.01", "a duration is at least 50ms"),
        ("[polling]\nfirst_after = '0'", "a duration is at least 50ms"),
        ("[polling]\nfirst_after = true", 'must be a duration such as "2.5s", not true or false'),
        ("[polling]\nmax_interval = '8d'", 'must be at most "7d"'),
        ("[polling]\nmax_interval = '1s'", "polling.max_interval: min_interval (2.5s) is longer than"),
        ("[callbacks]\nmax_in_flight = 1025", "must be from 1 to 1024"),
        ("[callbacks]\nmax_in_flight_per_origin = 0", "must be from 1 to 1024"),
        (
            "[callbacks]\nallow = ['10.0.0.1/8']",
            "entry 1 must be loopback, private, public, a host name or a CIDR",
        ),
        (
            "[callbacks]\nallow = ['a', 'pub lic']",
            "entry 2 must be loopback, private, public, a host name or a ",
        ),
        ("[callbacks]\nallow = ['unix:/run/docker.sock']", "never that of a container engine or of systemd"),
        ("[callbacks]\nallow = ['unix:app.sock']", "or unix:/path"),
        ("[providers.Big]\nbase_url = 'https://h'", "providers.Big: a provider's name is a small letter"),
        ("[providers.1a]\nbase_url = 'https://h'", "providers.1a: a provider's name is a small letter"),
        (f"[providers.{'a' * 33}]", "a provider's name is a small letter"),
        ("[providers]\nbase_url = 'https://h'", "config.toml:2: providers.base_url: must be a table"),
        ("[providers.mulerouter]\nmax_rate = '50'", 'must be a rate such as "50/s", "300/min" or "1000/h"'),
        ("[providers.mulerouter]\nmax_rate = '0/s'", 'must be from "1/h" to "10000/s"'),
        ("[providers.mulerouter]\nmax_body = '1'", 'must be a size such as "512KiB", "16MiB" or a number'),
        ("[providers.mulerouter]\nmax_body = '16 mib'", 'must be a size such as "512KiB"'),
        ("[providers.mulerouter]\nmax_body = '63KiB'", 'must be from "64KiB" to "256MiB"'),
        ("[providers.mulerouter]\nmax_body = 268435457", 'must be from "64KiB" to "256MiB"'),
        ("[providers.mulerouter]\nmax_body = true", 'must be a size such as "16MiB", not true or false'),
        ("[providers.mulerouter]\nmax_body = 1e6", 'must be a size such as "16MiB", not a number'),
        ("[providers.mulerouter]\nutc_offset = '8'", 'must be an offset from UTC such as "+08:00" or "Z"'),
        ("[providers.mulerouter]\nutc_offset = 8", "must be text, not a number"),
        ("[providers.mulerouter]\nbase_url = 'h'", "starts with http:// or https://"),
        ("[providers.mulerouter]\nbase_url = 'ftp://h'", "starts with http:// or https://"),
        ("[providers.mulerouter]\nbase_url = 'https://h/?a=1'", "a base URL has no query"),
        ("[providers.mulerouter]\nbase_url = 'https://h:0'", "a port is 1 to 65535"),
        ("[providers.x]", 'config.toml:1: providers.x.base_url: is needed; write base_url = "https://…"'),
        (
            "[polling]\nmin_interval='1m'\n[providers.mulerouter.polling]\nmax_interval='59s'",
            "config.toml:4: providers.mulerouter.polling.max_interval: min_interval (60s) is longer than "
            "max_interval (59s); make it at most as long",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(refuse: Refuse, text: str, fault: str) -> None:
    [told] = refuse(text)
    assert fault in told


def test_every_entry_of_a_list_that_is_wrong_is_told(refuse: Refuse) -> None:
    """They are mended in one go, as all faults are."""
    [told] = refuse("[callbacks]\nallow = ['10.0.0.1/8', 'loopback', 'pub lic']")
    assert "entry 1 must be" in told
    assert "entry 3 must be" in told
    [told] = refuse("[server]\ntokens = [{ env = 'ONE' }, { env = 'TWO' }]")
    assert "entry 1 environment variable ONE is not set" in told
    assert "entry 2 environment variable TWO is not set" in told
    short = "whsec_c2hvcnQ="
    [told] = refuse("[callbacks]\nsecrets = [{ env = 'ONE' }, { env = 'TWO' }]", {"ONE": "x", "TWO": short})
    assert "entry 1 cannot sign: a signing secret starts with whsec_" in told
    assert "entry 2 cannot sign: a signing secret holds 24 to 64 bytes" in told


def test_a_url_with_a_password_is_refused_and_not_quoted(refuse: Refuse) -> None:
    [told] = refuse("[providers.mulerouter]\nbase_url = 'https://me:hunter2@h'")
    assert "no user or password" in told
    assert "hunter2" not in told


def test_one_wrong_value_brings_no_second_fault_about_what_belongs_to_it(refuse: Refuse) -> None:
    assert len(refuse("[polling]\nmin_interval = '1ms'\nmax_interval = '1s'")) == 1
    assert len(refuse("[server]\nlisten = '0.0.0.0:1'\ntokens = ['x']")) == 1
    assert len(refuse("[providers.x]\nbase_url = 3")) == 1
    assert len(refuse("[polling]\nmin_interval = '2m'\n[providers.mulerouter.polling]\nlearn = true")) == 1


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.8.8:80", "[::1]:80", "localhost:80", "unix:/run/n"])
def test_this_machine_alone_needs_no_token(read: Read, listen: str) -> None:
    assert read(f"[server]\nlisten = '{listen}'").server.listen == listen


@pytest.mark.threat(4)
@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "[::]:80", "192.168.0.1:80", "n.lan:80", "127.1:80", "[fe80::1]:80"]
)
def test_others_who_can_reach_us_need_a_token(read: Read, refuse: Refuse, listen: str) -> None:
    """To listen beyond this machine without one is a fault of the configuration."""
    [told] = refuse(f"[server]\nlisten = '{listen}'")
    assert "there is no token" in told
    config = read(f"[server]\nlisten = '{listen}'\ntokens = [{{ env = 'T' }}]", {"T": "a-token"})
    assert config.server.tokens == (Secret("a-token"),)


@pytest.mark.parametrize(
    ("base_url", "is_taken"),
    [
        ("https://api.example.com", True),
        ("http://api.example.com", False),
        ("http://8.8.8.8", False),
        ("http://[2606:4700::1]", False),
        ("http://127.0.0.1:9", True),
        ("http://localhost:9", True),
        ("http://simulator:9", True),
        ("http://box.lan", True),
        ("http://10.1.2.3", True),
        ("http://[fd00::1]", True),
    ],
)
def test_a_key_goes_over_plain_http_only_within_the_own_network(
    read: Read, refuse: Refuse, base_url: str, is_taken: bool
) -> None:
    text = f"[providers.x]\nbase_url = '{base_url}'\n"
    assert read(text).providers["x"].api_key is None
    with_key = text + "api_key = { env = 'K' }"
    if is_taken:
        assert read(with_key, {"K": "key"}).providers["x"].api_key == Secret("key")
    else:
        [told] = refuse(with_key, {"K": "key"})
        assert "config.toml:2: providers.x.base_url: would send the key over the internet" in told
        assert told.endswith("use https")


def test_mulerouters_own_variables_count_where_nothing_else_is_said(read: Read, refuse: Refuse) -> None:
    environ = {"MULEROUTER_API_KEY": "key\n", "MULEROUTER_BASE_URL": "https://proxy.example/"}
    provider = read("", environ).providers["mulerouter"]
    assert (provider.api_key, provider.base_url) == (Secret("key"), "https://proxy.example")
    text = "[providers.mulerouter]\nbase_url = 'https://file.example'\napi_key = { env = 'OTHER' }"
    provider = read(text, {**environ, "OTHER": "other"}).providers["mulerouter"]
    assert (provider.api_key, provider.base_url) == (Secret("other"), "https://file.example")
    named = {**environ, "NOTIFIER_PROVIDERS__MULEROUTER__BASE_URL": "https://named.example"}
    assert read("", named).providers["mulerouter"].base_url == "https://named.example"
    assert read("", {"MULEROUTER_API_KEY": "", "MULEROUTER_BASE_URL": ""}).providers == Config().providers
    assert refuse("", {"MULEROUTER_BASE_URL": "nowhere", "MULEROUTER_API_KEY": "a b"}) == [
        "environment: MULEROUTER_API_KEY: environment variable MULEROUTER_API_KEY contains characters "
        "that no header allows; it must be one line of visible ASCII",
        'environment: MULEROUTER_BASE_URL: must be a URL such as "https://api.example.com": '
        "a URL here starts with http:// or https://",
    ]


def test_mulerouters_variables_reach_no_other_provider(read: Read) -> None:
    environ = {"MULEROUTER_API_KEY": "key", "MULEROUTER_BASE_URL": "https://proxy.example"}
    other = read("[providers.x]\nbase_url = 'https://x.example'", environ).providers["x"]
    assert (other.base_url, other.api_key) == ("https://x.example", None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[server]\nlisten = \n", "config.toml:2: Invalid value (column 10)"),
        ('a = "', "config.toml:1: Unterminated string at the end"),
        ("[polling]\na = 1\na = 2\n", "config.toml:3: Cannot overwrite a value (column 6)"),
        ("a = " + "[" * 30_000, "config.toml: is nested too deeply"),
        ("a = " + "9" * 5_000, "config.toml: Exceeds the limit"),
    ],
)
def test_what_is_no_toml_is_told_with_tomls_own_line(refuse: Refuse, text: str, fault: str) -> None:
    [told] = refuse(text)
    assert told.startswith(fault)


def test_variables_are_checked_even_when_the_file_is_no_toml(refuse: Refuse) -> None:
    assert len(refuse("x", {"NOTIFIER_LOG__LEVEL": "loud", "NOTIFIER_LOGG__LEVEL": "info"})) == 3


def test_a_file_that_is_too_large_or_no_text_is_refused(refuse: Refuse, tmp_path: Path) -> None:
    [told] = refuse("#" * 65_537)
    assert told == "config.toml: is larger than 64 KiB; is it the right file?"
    path = tmp_path / "other.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(InvalidConfig, match=r"other\.toml:2: is not UTF-8"):
        load(path, {})
    with pytest.raises(InvalidConfig, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_fault_is_one_line_whatever_it_quotes() -> None:
    assert str(ConfigError("a\nb", 1, "k\x1b[31m", "t\u2028u")) == "a b:1: k [31m: t u"


_JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("abc_", min_size=1, max_size=4), inner, max_size=3),
    ),
    max_leaves=4,
)
_PATHS = st.sampled_from(
    [
        "server",
        "server.listen",
        "server.tokens",
        "store.url",
        "polling.growth",
        "polling.first_after",
        "log.level",
    ]
    + [
        f"providers.x.{key}"
        for key in ("base_url", "api_key", "max_rate", "headers", "words", "words.failed", "status")
    ]
    + ["callbacks.allow", "callbacks.secrets", "providers", "providers.x.polling", "providers.x.task_path"]
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(sign):08X}" for sign in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return "''" if value is None else str(value)


def _told(read: Read, text: str, environ: dict[str, str]) -> list[str] | None:
    try:
        read(text, environ)
    except InvalidConfig as bad:
        return str(bad).split("\n")
    return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=_PATHS, value=_JUNK)
def test_no_value_anywhere_ends_in_anything_but_a_configuration_or_its_faults(
    read: Read, path: str, value: object
) -> None:
    for text, environ in (
        (f"{path} = {_toml(value)}", {}),
        ("", {"NOTIFIER_" + path.upper().replace(".", "__"): str(value)}),
    ):
        told = _told(read, text, environ)
        assert told is None or (told and "" not in told)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet="[]{}=\"'\n.,#ab1_-\\ \r", max_size=60))
def test_no_text_ends_in_anything_but_a_configuration_or_its_faults(read: Read, text: str) -> None:
    told = _told(read, text, {})
    assert told is None or (told and "" not in told)


def test_the_file_that_is_named_wins_then_the_nearest(tmp_path: Path) -> None:
    cwd, home, system_file = tmp_path / "cwd", tmp_path / "home", tmp_path / "etc.toml"
    at_home = home / ".config" / "notifier" / "config.toml"

    def found(flag: str | None = None, environ: dict[str, str] | None = None) -> Path | None:
        return find_file(flag, environ or {}, cwd, home, system_file=system_file)

    cwd.mkdir()
    at_home.parent.mkdir(parents=True)
    (cwd / "config.toml").mkdir()  # a folder of that name is no file
    assert found() is None
    system_file.touch()
    assert found() == system_file
    at_home.touch()
    assert found() == at_home
    (cwd / "config.toml").rmdir()
    (cwd / "config.toml").touch()
    assert found() == cwd / "config.toml"
    (cwd / "env.toml").touch()
    assert found(environ={"NOTIFIER_CONFIG": "env.toml"}) == cwd / "env.toml"
    assert found(environ={"NOTIFIER_CONFIG": ""}) == cwd / "config.toml"
    (tmp_path / "flag.toml").touch()
    assert found(str(tmp_path / "flag.toml"), {"NOTIFIER_CONFIG": "env.toml"}) == tmp_path / "flag.toml"


@pytest.mark.threat(20)
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_of_another_user_is_used_only_if_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    """The working directory may be anybody's; a link of another user to a file of ours is theirs as well."""
    stranger, file = os.geteuid() + 1, tmp_path / "config.toml"
    (tmp_path / "real.toml").touch()
    file.symlink_to("real.toml") if is_link else file.touch()
    seen = os.lstat

    def lstat(path: Path) -> os.stat_result:
        fields = list(seen(path))
        fields[4] = stranger
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(InvalidConfig, match=f"another user .uid {stranger}.; .* --config {file}"):
        find_file(None, {}, tmp_path)
    assert find_file(str(file), {}, tmp_path) == file
    assert find_file(None, {"NOTIFIER_CONFIG": str(file)}, tmp_path) == file


def test_the_home_is_that_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nowhere = tmp_path / "etc.toml"
    file = tmp_path / ".config" / "notifier" / "config.toml"
    file.parent.mkdir(parents=True)
    file.touch()
    assert find_file(None, {"HOME": str(tmp_path)}, system_file=nowhere) == file
    assert find_file(None, {}, system_file=nowhere) is None
    (tmp_path / "config.toml").touch()
    assert str(find_file(None, {}, system_file=nowhere)) == "config.toml"


def test_a_file_that_is_named_and_missing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as by_flag:
        find_file("no.toml", {}, tmp_path)
    assert str(by_flag.value) == f"{tmp_path}/no.toml: there is no such file; name another"
    with pytest.raises(
        InvalidConfig, match="there is no such file; set NOTIFIER_CONFIG to another, or unset it"
    ):
        find_file(None, {"NOTIFIER_CONFIG": "no.toml"}, tmp_path)
    with pytest.raises(InvalidConfig, match="there is no such file"):
        find_file(str(tmp_path), {}, tmp_path)


def test_a_home_that_is_hidden_is_passed_over_but_a_hidden_system_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.14 says of what it may not look at that it is not there."""
    seen = Path.stat

    def stat(path: Path, **more: Any) -> os.stat_result:
        if "hidden" in path.parts:
            raise PermissionError
        return seen(path, **more)

    def exists(path: Path) -> bool:
        with suppress(OSError):
            return bool(path.stat())
        return False

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(Path, "exists", exists)
    hidden = tmp_path / "hidden"
    assert find_file(None, {}, tmp_path, hidden, system_file=tmp_path / "none") is None
    assert find_file(None, {}, tmp_path, None, system_file=hidden) == hidden


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[server]\nlisten = "a:1"\nlisten = "b:1"\n', "; listen is set twice"),
        ("[server]\nlisten = 127.0.0.1:8484\n", 'text needs quotes: listen = "…"'),
        ("[store]\nurl = /var/x.db\n", 'text needs quotes: url = "…"'),
        ("[polling]\nfirst_after = 5s # soon\n", 'text needs quotes: first_after = "…"'),
        ('listen = "127.0.0.1:1"\n', "config.toml:1: listen: unknown key; it belongs in [server]"),
    ],
)
def test_a_slip_in_toml_is_told_by_its_key(refuse: Refuse, text: str, words: str) -> None:
    """The parser's own words name no key and no way out."""
    (fault,) = refuse(text)
    assert words in fault


@pytest.mark.parametrize("value", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZI=,", "sk_live.key-9==", "whsec_aaaa=x"])
def test_a_slip_in_toml_repeats_no_secret(refuse: Refuse, value: str) -> None:
    """A secret that stands by itself in a list, and ends in the padding of base64, is no key of ours."""
    (fault,) = refuse(f"[callbacks]\nsecrets = [\n  {value}\n]\n")
    assert "config.toml:3: Invalid value" in fault
    assert "text needs quotes" in fault
    assert value.partition("=")[0] not in fault


def test_a_quoted_text_gets_no_hint_at_quotes(refuse: Refuse) -> None:
    """It is something else there."""
    (fault,) = refuse('[server]\nlisten = "127.0.0.1:1" x\n')
    assert "quotes" not in fault

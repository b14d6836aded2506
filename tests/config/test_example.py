"""The example shows every key with its real default, and says of each what it is."""

import dataclasses
import itertools
import re
import tomllib
from pathlib import Path

import pytest

from notifier.config.load import load
from notifier.config.model import ClientCertificateSettings, Config
from notifier.config.provider_parsers import STATES
from notifier.config.schema import ROOT
from notifier.core.polling.provider import ProviderDescription, ResultDescription
from notifier.core.secret import Secret
from tests.config.test_environment import keys

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
_SWITCHED_OFF = re.compile(r"^#(?=[a-z\[])", re.MULTILINE)
_SETTING = re.compile(r"#?([a-z_]+) = ")


def test_the_example_is_exactly_the_defaults() -> None:
    assert dataclasses.replace(load(EXAMPLE, {}), source=None) == Config()


def test_the_defaults_that_are_switched_off_are_the_real_ones_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(_SWITCHED_OFF.sub("", EXAMPLE.read_text()))
    config = load(path, {"MULEROUTER_API_KEY": "key"})
    [provider] = config.providers.values()
    assert provider.api_key == Secret("key")
    provider = dataclasses.replace(provider, api_key=None)
    assert dataclasses.replace(config, source=None, providers={provider.name: provider}) == Config()


def test_the_example_names_every_key_there_is() -> None:
    content = tomllib.loads(_SWITCHED_OFF.sub("", EXAMPLE.read_text()))
    for path, _ in keys(ROOT):
        if path[0] == "providers" and path[2] == "polling":
            continue  # the keys of [polling], as the example says
        table = content
        for name in path[:-1]:
            table = table[name]
        assert path[-1] in table, ".".join(path)


def test_every_key_says_what_it_is() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if _SETTING.match(line):
            assert above.startswith("# "), f"nothing is said of {line!r}"


def fields_read() -> set[tuple[str, str]]:
    """(Table, field) of everything that the schema fills; a further provider's tables count as its own."""
    return {(path[-2], key.field) for path, key in keys(ROOT)}


@pytest.mark.parametrize("section", [one.name for one in dataclasses.fields(Config)])
def test_every_field_of_every_dataclass_has_its_key(section: str) -> None:
    if section in {"source", "notes"}:
        return  # told by us, not to us
    if section == "providers":
        named = {field for table, field in fields_read() if table == "mulerouter"}
        provider = {one.name for one in dataclasses.fields(Config().providers["mulerouter"])}
        description = {one.name for one in dataclasses.fields(ProviderDescription) if one.init}
        assert named == (provider - {"name", "polling", "description", "key_variable"}) | (
            description - {"words", "submit", "hint", "result", "has_own_task_path"}
        )
        assert {field for table, field in fields_read() if table == "words"} == set(STATES)
        result = {one.name for one in dataclasses.fields(ResultDescription)}
        assert {field for table, field in fields_read() if table == "result"} == result
        return
    wanted = {one.name for one in dataclasses.fields(getattr(Config(), section))}
    wanted.discard("endpoints")  # tables with names of their own; tests/config/test_endpoints.py reads them
    if "tls" in wanted:
        wanted.discard("tls")
        assert {field for table, field in fields_read() if table == "tls"} == {
            one.name for one in dataclasses.fields(ClientCertificateSettings)
        }
    assert {field for table, field in fields_read() if table == section} == wanted

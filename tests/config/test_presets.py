"""A provider of the catalogue is its name and a key; the user's table wins over the catalogue's."""

import subprocess
import sys

import pytest

from notifier.config.model import HOUR, ProviderSettings
from notifier.core.polling.provider import ProviderDescription
from notifier.core.secret import Secret
from notifier.providers.catalogue import list_presets, read_preset
from tests.config.conftest import Read, Refuse


@pytest.mark.parametrize("name", list_presets())
def test_every_provider_of_the_catalogue_can_be_used_by_its_name(read: Read, name: str) -> None:
    provider = read(f'[providers.{name}]\napi_key = {{ env = "K" }}', {"K": "key-1"}).providers[name]
    table = read_preset(name)["provider"]
    assert provider.base_url == table["base_url"]
    assert provider.api_key == Secret("key-1")
    assert provider.description.status == table["status"]
    assert {state: list(words) for state, words in provider.description.words.items()} == table["words"]
    assert not provider.description.has_own_task_path


def test_the_usual_variable_has_the_key(read: Read) -> None:
    config = read("[providers.replicate]", {"REPLICATE_API_TOKEN": "r8"})
    assert config.providers["replicate"].api_key == Secret("r8")
    without = read("[providers.replicate]").providers["replicate"]
    assert (without.api_key, without.key_variable) == (None, "REPLICATE_API_TOKEN")


def test_a_second_account_is_two_lines(read: Read) -> None:
    text = '[providers.mine]\npreset = "replicate"\napi_key = { env = "MINE" }'
    provider = read(text, {"MINE": "r8-2", "REPLICATE_API_TOKEN": "r8-1"}).providers["mine"]
    assert (provider.api_key, provider.preset) == (Secret("r8-2"), "replicate")
    assert provider.base_url == "https://api.replicate.com/v1"


def test_a_second_account_of_mulerouter_is_as_the_first(read: Read) -> None:
    text = '[providers.mine]\npreset = "mulerouter"\napi_key = { env = "MINE" }'
    provider = read(text, {"MINE": "sk-2", "MULEROUTER_API_KEY": "sk-1"}).providers["mine"]
    assert provider.description == ProviderDescription()
    assert (provider.base_url, provider.api_key) == ("https://api.mulerouter.ai", Secret("sk-2"))
    assert provider.result_ttl_ms == 24 * HOUR


def test_the_users_keys_win_over_the_catalogues_one_by_one(read: Read) -> None:
    provider = read(
        """
        [providers.runway]
        base_url = "https://proxy.example"
        result_ttl = "0"
        headers = { X-Team = "7" }
        words.completed = ["SUCCEEDED", "DONE"]
        polling.max_interval = "9s"
        """
    ).providers["runway"]
    assert (provider.base_url, provider.result_ttl_ms) == ("https://proxy.example", 0)
    assert provider.description.headers == {"x-runway-version": "2024-11-06", "x-team": "7"}
    assert provider.description.words["completed"] == ("SUCCEEDED", "DONE")
    assert provider.description.words["failed"] == ("FAILED",)
    assert (provider.polling.min_interval_ms, provider.polling.max_interval_ms) == (5_000, 9_000)


def test_an_empty_preset_leaves_the_catalogue_out(read: Read) -> None:
    text = """
        [providers.runway]
        preset = ""
        base_url = "https://h.example"
        status = "s"
        words.completed = ["ok"]
        """
    provider = read(text).providers["runway"]
    assert (provider.preset, provider.result_ttl_ms) == ("", 0)
    assert provider.description.words == {"completed": ("ok",)}


def test_a_task_path_of_ones_own_is_known_as_such(read: Read) -> None:
    """CONTRACT, lost: such a table is not believed before its first good reply."""
    text = "[providers.runway]\ntask_path = '/v2/tasks/{task_id}'\n[providers.luma]\nmax_rate = '1/s'"
    providers = read(text).providers
    assert providers["runway"].description.has_own_task_path
    assert not providers["luma"].description.has_own_task_path
    assert not providers["mulerouter"].description.has_own_task_path


def test_a_table_of_ones_own_has_no_words_and_no_result_life_of_mulerouter(read: Read) -> None:
    text = "[providers.acme]\nbase_url = 'https://h.example'\nstatus = 's'\nwords.completed = ['ok']"
    provider = read(text).providers["acme"]
    assert (provider.description.words, provider.result_ttl_ms) == ({"completed": ("ok",)}, 0)


def test_a_mirror_of_mulerouter_keeps_its_words(read: Read) -> None:
    """A table that describes nothing speaks as MuleRouter does; it was so before there was a catalogue."""
    provider = read("[providers.mirror]\nbase_url = 'https://h.example'").providers["mirror"]
    assert provider.description == ProviderDescription()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[providers.acme]\nbase_url = 'https://h.example'\nstatus = 's'",
            "config.toml:1: providers.acme.words: names no word for success; write [providers.acme.words] "
            'completed = ["…"]',
        ),
        (
            "[providers.acme]\npreset = 'nope'",
            "config.toml:2: providers.acme.preset: must be a provider of the catalogue; "
            "`notifier providers` lists them",
        ),
        (
            "[providers.runway]\nwords.completed = ['FAILED']",
            'config.toml:2: providers.runway.words.completed: "FAILED" is listed in completed and in failed; '
            "it can mean only one of them; failed is the list of runway: write it anew without the word",
        ),
        (
            "[providers.mulerouter]\nwords.completed = ['Failed']",
            "config.toml:2: providers.mulerouter.words.completed: "
            '"failed" is listed in completed and in failed; '
            "it can mean only one of them; failed is the list of mulerouter: write it anew without the word",
        ),
        (
            "[providers.replicate]\napi_key = { env = 'NOPE' }",
            "config.toml:2: providers.replicate.api_key: environment variable NOPE is not set or empty; "
            "set it, or name another",
        ),
        (
            "[providers.gemini]\nheaders = { X-Goog-Api-Key = 'canary' }",
            "config.toml:2: providers.gemini.headers: must not contain keys as text; "
            'write X-Goog-Api-Key = { env = "NAME" }, or api_key, and auth_header for the name of its header',
        ),
    ],
)
def test_what_cannot_work_says_what_to_write(refuse: Refuse, text: str, fault: str) -> None:
    assert refuse(text) == [fault]


def test_a_header_may_be_a_secret(read: Read) -> None:
    text = '[providers.luma]\nheaders = { X-Extra = { env = "EXTRA" }, X-Plain = "1" }'
    config = read(text, {"EXTRA": "canary-1"})
    provider = config.providers["luma"]
    assert provider.description.headers == {"x-extra": Secret("canary-1"), "x-plain": "1"}
    assert Secret("canary-1") in config.all_secrets
    assert "canary" not in repr(config)


def test_a_header_secret_that_is_not_set_is_an_error(refuse: Refuse) -> None:
    [fault] = refuse('[providers.luma]\nheaders = { X-Extra = { env = "EXTRA" } }')
    assert "environment variable EXTRA is not set or empty" in fault


def test_only_named_presets_are_parsed() -> None:
    """The start of the daemon pays for no provider that it does not use."""
    code = (
        "from notifier.config.load import load\n"
        "from notifier.providers import catalogue\n"
        "load(None, {'NOTIFIER_PROVIDERS__LUMA__MAX_RATE': '1/s'})\n"
        "assert catalogue.read_preset.cache_info().currsize == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_built_in_provider_needs_no_file() -> None:
    code = (
        "from notifier.config.load import load\n"
        "from notifier.providers import catalogue\n"
        "load(None, {})\n"
        "assert catalogue.list_presets.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_default_settings_are_mulerouters() -> None:
    table = read_preset("mulerouter")["provider"]
    assert ProviderSettings().base_url == table["base_url"]
    assert dict(ProviderDescription().submit) == table["submit"]
    assert dict(ProviderDescription().hint) == table["hint"]

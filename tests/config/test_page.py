"""docs/CONFIGURATION.md says what the code says."""

import re
from pathlib import Path

from notifier.config.load import load
from tests.configuration import BEGIN, END, EXAMPLE, PAGE, sections, tables


def test_the_tables_are_those_of_the_example() -> None:
    """Renew them with `python -m tests.configuration`; other tests hold the example against the code."""
    told = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert told.strip() == tables(EXAMPLE.read_text()).strip()


def test_every_key_is_told_in_words() -> None:
    """An empty cell helps nobody."""
    found = sections(EXAMPLE.read_text())
    assert [each.name for each in found][:3] == ["server", "store", "providers.mulerouter"]
    assert all(text for each in found for _, _, text in each.keys)


def test_the_page_s_own_provider_can_be_used(tmp_path: Path) -> None:
    """What is shown works as it is."""
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text("\n".join(blocks))
    (tmp_path / "hard.key").write_text("key-0123456789")
    config = load(tmp_path / "config.toml", {"ACME_KEY": "sk-acme-0123456789", "HARD_TEAM": "team-1"})
    assert config.providers["acme"].description.words["completed"] == ("done",)
    assert config.providers["acme"].result_ttl_ms == 0
    assert not config.providers["acme"].description.needs_api_path
    assert config.providers["hard"].description.result is not None

"""docs/PROVIDERS.md says what the catalogue says."""

from notifier.providers.catalogue import list_presets
from tests.providers_page import PAGE, page


def test_the_page_is_current() -> None:
    """Renew it with `python -m tests.providers_page`."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_provider_has_its_section() -> None:
    headings = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    assert [f"## {name}" for name in list_presets()] == headings[2:]

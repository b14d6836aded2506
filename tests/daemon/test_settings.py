"""What is made of the configuration for others."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from notifier.config.model import HOUR, Config, PollingSettings, ProviderSettings
from notifier.daemon import run
from notifier.daemon.settings import longest_interval_ms
from notifier.store.sqlite.open import open_store
from notifier.store.values import WatchAdded
from tests.builders import new_watch
from tests.fakes import NOON

RARE = PollingSettings(first_after_ms=12 * HOUR, max_interval_ms=6 * HOUR)


@pytest.mark.parametrize(
    ("polling", "longest_ms"),
    [
        (PollingSettings(), HOUR),
        (RARE, 12 * HOUR),
        (replace(RARE, max_interval_ms=20 * HOUR), 22 * HOUR),
    ],
)
def test_the_longest_interval_is_that_of_the_rarest_polls(polling: PollingSettings, longest_ms: int) -> None:
    """With its jitter; an hour at least, which a provider may ask for."""
    config = Config(providers={"often": ProviderSettings(), "rare": ProviderSettings(polling=polling)})
    assert longest_interval_ms(config) == longest_ms


async def test_a_restart_brings_no_poll_forward_that_the_settings_put_off(tmp_path: Path) -> None:
    """What is later than any setting has it is from a wrong clock, and nothing else."""
    config = Config(providers={"mulerouter": ProviderSettings(polling=RARE)})
    due_at = NOON + RARE.first_after_ms
    for _ in range(2):
        store = await open_store(
            tmp_path / "notifier.db",
            owner="test",
            now=NOON,
            rng=random.Random(1),
            max_interval_ms=longest_interval_ms(config),
        )
        (added,) = await store.add_watches([new_watch(first_poll_at=due_at)], give_up_at=NOON, max_live=1)
        await store.close()
        assert isinstance(added, WatchAdded)
        assert added.watch.due_at == due_at


def test_a_provider_without_a_key_is_told_calmly_and_mulerouters_as_a_log_notesing() -> None:
    """One may be asked without a key, and that is on purpose; MuleRouter answers nobody without one."""
    acme = ProviderSettings(name="acme", base_url="https://acme.example")
    with capture_logs() as told:
        run._log_notes(Config(providers={"acme": acme, "mulerouter": ProviderSettings()}))
    assert [(line["provider"], line["log_level"], line.get("fix")) for line in told] == [
        ("acme", "info", None),
        ("mulerouter", "warning", "set MULEROUTER_API_KEY"),
    ]

"""A key file is read again when it changes, and nothing else is."""

import os
from dataclasses import replace
from pathlib import Path

from structlog.testing import capture_logs

from notifier.config.load import load
from notifier.config.model import Config
from notifier.core.secret import Secret
from notifier.daemon.key_renewal import RENEW_INTERVAL_MS, KeyRenewal
from tests.fakes import FakeClock


class Bench:
    def __init__(self, folder: Path) -> None:
        self.key = folder / "token"
        self.write("token-one")
        file = folder / "config.toml"
        file.write_text(
            '[providers.vertex]\napi_key = { file = "token" }\n'
            'headers = { X-Extra = { file = "token" } }\n'
            "[providers.runway]\n"
        )
        self.config = load(file, {"RUNWAYML_API_SECRET": "k-runway"})
        self.adopted: list[Config] = []
        self.clock = FakeClock()
        self.renewal = KeyRenewal(clock=self.clock, config=lambda: self.config, adopt=self.adopt)

    def write(self, text: str) -> None:
        self.key.write_text(text)
        self.key.chmod(0o600)

    def adopt(self, config: Config) -> None:
        self.config = config
        self.adopted.append(config)

    @property
    def keys(self) -> tuple[object, object]:
        vertex = self.config.providers["vertex"]
        return vertex.api_key, vertex.description.headers["x-extra"]


async def test_a_changed_key_file_is_read_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert await bench.renewal.tick() == bench.clock.now() + RENEW_INTERVAL_MS
    assert bench.adopted == []
    bench.write("token-two-longer")
    with capture_logs() as logs:
        await bench.renewal.tick()
    assert bench.keys == (Secret("token-two-longer"), Secret("token-two-longer"))
    assert [entry["provider"] for entry in logs if entry["event"] == "provider.key_renewed"] == ["vertex"]
    assert Secret("token-two-longer") in bench.config.all_secrets
    await bench.renewal.tick()
    assert len(bench.adopted) == 1


async def test_a_key_file_that_is_replaced_by_a_rename_is_seen(tmp_path: Path) -> None:
    """As programs that renew tokens do."""
    bench = Bench(tmp_path)
    await bench.renewal.tick()
    fresh = tmp_path / "fresh"
    fresh.write_text("token-two")
    fresh.chmod(0o600)
    os.replace(fresh, bench.key)  # noqa: PTH105
    await bench.renewal.tick()
    assert bench.keys[0] == Secret("token-two")


async def test_a_key_file_that_cannot_be_used_leaves_the_old_key(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.renewal.tick()
    with capture_logs() as logs:
        for _ in range(3):
            bench.key.unlink(missing_ok=True)
            await bench.renewal.tick()
    assert bench.adopted == []
    warnings = [entry for entry in logs if entry["event"] == "provider.key_not_renewed"]
    assert len(warnings) == 1, "once, not at every look"
    bench.write("token-two")
    await bench.renewal.tick()
    assert bench.keys[0] == Secret("token-two")


async def test_a_key_that_changed_before_the_first_look_is_seen(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("token-two")
    await bench.renewal.tick()
    assert bench.keys[0] == Secret("token-two")


async def test_an_edited_configuration_waits_for_its_reload(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.config = replace(bench.config, source="changed")
    bench.write("token-two")
    await bench.renewal.tick()
    assert bench.config.source == "changed"
    assert bench.config.providers["runway"].api_key == Secret("k-runway")

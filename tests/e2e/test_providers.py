"""All providers of the catalogue at once: the real daemon, and a simulation of each with a key of its own."""

import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from notifier.client import AsyncNotifier
from notifier.providers.catalogue import list_presets, read_preset
from notifier.simulator.catalogue_provider import CatalogueProvider
from notifier.simulator.serving import serve
from tests.e2e.daemon import DaemonProcess

pytestmark = pytest.mark.e2e

NAMES = [name for name in list_presets() if name != "mulerouter"]
PACE = '{ first_after = "100ms", min_interval = "100ms", growth = 0 }'


async def submit(name: str, url: str, key: str, prompt: str) -> Any:
    """Submit a task as the example of the catalogue does; return the reply."""
    provider, example = read_preset(name)["provider"], read_preset(name)["example"]["submit"]
    value = provider.get("auth_value", "Bearer {key}").replace("{key}", key)
    body = {**json.loads(example["body"]), "note": prompt}
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {provider.get("auth_header", "Authorization"): value}
        reply = await client.post(f"{url}{example['path']}", json=body, headers=headers)
    assert reply.is_success, reply.text
    return reply.json()


async def test_a_task_of_every_provider_ends_and_no_key_goes_astray(tmp_path: Path) -> None:
    """25 hosts and more, each of which counts strange keys; registered by the reply to the submission."""
    keys = {name: f"key-of-{name}-0123456789" for name in NAMES}
    apps = {name: CatalogueProvider(name, key=key) for name, key in keys.items()}
    async with contextlib.AsyncExitStack() as stack:
        urls, config = {}, ""
        for name, app in apps.items():
            urls[name] = f"{await stack.enter_async_context(serve(app))}{app.base_path}"
            (tmp_path / f"{name}.key").write_text(keys[name])
            (tmp_path / f"{name}.key").chmod(0o600)
            config += f'[providers.{name}]\nbase_url = "{urls[name]}"\npolling = {PACE}\n'
            config += f'api_key = {{ file = "{name}.key" }}\n'
        (tmp_path / "config.toml").write_text(config)
        daemon = DaemonProcess(tmp_path, upstream_url="http://127.0.0.1:1")
        await daemon.start()
        try:
            notifier = AsyncNotifier(daemon.url)
            watches = {}
            for name in NAMES:
                for outcome in ("completed", "fail"):
                    reply = await submit(name, urls[name], keys[name], outcome)
                    path = read_preset(name)["example"].get("api_path")
                    watch = await notifier.watch(
                        path, reply=reply, provider=name, callback=f"http://127.0.0.1:1/{name}"
                    )
                    watches[watch.id] = (name, "failed" if outcome == "fail" else "completed")
            assert len(watches) == 2 * len(NAMES)
            ended = {each: (await notifier.wait(each, "60s")).state for each in watches}
        finally:
            await daemon.end()
    assert ended == {each: state for each, (_, state) in watches.items()}
    assert {name: app.refused for name, app in apps.items()} == dict.fromkeys(NAMES, 0)

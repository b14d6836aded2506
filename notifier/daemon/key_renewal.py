"""Read the key files of the providers again when they change, for tokens that another program renews.

Only the secrets are read: an edited configuration waits for its reload.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from notifier.config.model import Config, ProviderSettings
from notifier.config.parsers import InvalidValue
from notifier.config.secret_sources import read_secret_file
from notifier.core.secret import Secret
from notifier.ports import Clock

RENEW_INTERVAL_MS = 5_000  # tokens live an hour and are renewed minutes before; a stat costs microseconds
IDLE_MS = 86_400_000  # without a key file; a reload requests a look at once

log = structlog.get_logger()

Stamp = tuple[int, int, int]


class KeyRenewal:
    """Looks at the key files. ``adopt`` takes the configuration with the new keys into effect."""

    def __init__(
        self, *, clock: Clock, config: Callable[[], Config], adopt: Callable[[Config], None]
    ) -> None:
        self._clock = clock
        self._config = config
        self._adopt = adopt
        self._stamps: dict[str, Stamp | None] = {}

    async def tick(self) -> int:
        """Read what has changed. Return when to look again."""
        config = self._config()
        if not any(secret.file for provider in config.providers.values() for secret in provider.secrets):
            return self._clock.now() + IDLE_MS
        # In a thread, because a file may be on a mount that hangs.
        providers = await asyncio.to_thread(self._renew_all, config)
        if providers and self._config() is config:
            self._adopt(replace(config, providers={**config.providers, **providers}))
            for name in providers:
                log.info("provider.key_renewed", provider=name)
        return self._clock.now() + RENEW_INTERVAL_MS

    def _renew_all(self, config: Config) -> dict[str, ProviderSettings]:
        """Return the providers whose secrets are other ones now."""
        current = {
            secret.file: (name, secret)
            for name, provider in config.providers.items()
            for secret in provider.secrets
            if secret.file
        }
        fresh = {file: self._read(name, secret) for file, (name, secret) in current.items()}
        renewed = {name: _renew(provider, fresh) for name, provider in config.providers.items()}
        return {name: provider for name, provider in renewed.items() if provider != config.providers[name]}

    def _read(self, provider: str, secret: Secret) -> Secret:
        """Return the secret in the file now; the old one if the file is as before or cannot be used."""
        stamp = _stamp_of(secret.file)
        is_same = secret.file in self._stamps and self._stamps[secret.file] == stamp
        self._stamps[secret.file] = stamp
        if is_same:
            return secret
        try:
            return read_secret_file(secret)
        except InvalidValue as error:
            log.warning("provider.key_not_renewed", provider=provider, error=str(error))
            return secret


def _renew(provider: ProviderSettings, fresh: Mapping[str, Secret]) -> ProviderSettings:
    """Return a provider with the secrets that its files hold now."""
    description = provider.description
    headers = {
        name: fresh.get(value.file, value) if isinstance(value, Secret) else value
        for name, value in description.headers.items()
    }
    key = None if provider.api_key is None else fresh.get(provider.api_key.file, provider.api_key)
    return replace(provider, api_key=key, description=replace(description, headers=headers))


def _stamp_of(path: str) -> Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - as in secret_sources
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino

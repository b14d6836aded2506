"""Derive the settings of the API and of the store from the configuration."""

from collections.abc import Collection
from pathlib import Path

from notifier import __version__
from notifier.api.services import ApiSettings, RegistrationDefaults
from notifier.config.model import HOUR, Config
from notifier.core.formats.urls import TaskUrlTemplate
from notifier.core.polling.learned_schedule import limit_wait_ms
from notifier.daemon.client_factory import make_callback_policy
from notifier.server.access import AccessSettings


def make_api_settings(
    config: Config, own: Collection[tuple[str, int]], needs_restart: tuple[str, ...] = ()
) -> ApiSettings:
    """Return the settings of the API; ``own`` lists the addresses of our own listener."""
    return ApiSettings(
        providers={
            name: RegistrationDefaults(
                TaskUrlTemplate(provider.base_url, provider.description.task_path),
                provider.polling.first_after_ms,
                provider.polling.expire_after_ms,
                limit_wait_ms(provider.result_ttl_ms) if provider.polling.learn else None,
            )
            for name, provider in config.providers.items()
        },
        access=AccessSettings(config.server.listen, config.server.allowed_hosts, config.server.tokens),
        policy=make_callback_policy(config.callbacks, own),
        max_watches=config.server.max_watches,
        give_up_after_ms=config.callbacks.give_up_after_ms,
        version=__version__,
        source=None if config.source is None else str(Path(config.source).absolute()),
        needs_restart=needs_restart,
    )


def longest_interval_ms(config: Config) -> int:
    """Return the longest configured interval between polls, with its jitter; at least an hour."""
    pollings = [provider.polling for provider in config.providers.values()]
    asked = [max(each.first_after_ms, each.max_interval_ms * 11 // 10) for each in pollings]
    return max([HOUR, *asked])

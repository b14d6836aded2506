"""Complete the configuration that was read, and derive the settings of the API and of the store from it."""

import socket
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import structlog

from notifier import __version__
from notifier.api.services import ApiSettings, RegistrationDefaults
from notifier.config.model import HOUR, Config
from notifier.core.polling.learned_schedule import limit_wait_ms
from notifier.core.polling.poll_request import make_url_template
from notifier.daemon.client_factory import make_callback_policy
from notifier.daemon.listener import refuse_open_listener
from notifier.daemon.log_lines import hide_secrets
from notifier.daemon.signing_secrets import load_or_make_secrets, secret_path
from notifier.server.access import AccessSettings

log = structlog.get_logger()


def add_signing_secrets(config: Config) -> Config:
    """Return the configuration with the stored signing secrets, unless it has its own.

    The log hides them. Raise SecretUnusable.
    """
    if config.callbacks.secrets:
        return config
    path = secret_path(config.store.url)
    secrets, is_new = load_or_make_secrets(path)
    if is_new:
        log.info("secret.made", path=str(path))
    hide_secrets(secrets)
    return replace(config, callbacks=replace(config.callbacks, secrets=secrets))


def keep_open_resources(new: Config, current: Config, bound: socket.socket) -> tuple[Config, tuple[str, ...]]:
    """Return ``new`` with the open socket and database, which stay until a restart; log changes of them.

    Return also the keys that need the restart. Raise ListenerUnusable if the open socket needs a token.
    """
    refuse_open_listener(bound, has_token=bool(new.server.tokens))
    needs_restart: tuple[str, ...] = ()
    for key, was, now in (
        ("server.listen", current.server.listen, new.server.listen),
        ("store.url", str(Path(current.store.url).absolute()), str(Path(new.store.url).absolute())),
    ):
        if was != now:
            needs_restart += (key,)
            log.warning("config.needs_restart", key=key, used=was, configured=now)
    usable = replace(new, server=replace(new.server, listen=current.server.listen), store=current.store)
    return usable, needs_restart


def make_api_settings(
    config: Config, own: Collection[tuple[str, int]], needs_restart: tuple[str, ...] = ()
) -> ApiSettings:
    """Return the settings of the API; ``own`` lists the addresses of our own listener."""
    return ApiSettings(
        providers={
            name: RegistrationDefaults(
                make_url_template(provider.base_url, provider.description),
                provider.polling.first_after_ms,
                provider.polling.expire_after_ms,
                limit_wait_ms(provider.result_ttl_ms) if provider.polling.learn else None,
                provider.description.submit,
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

"""The clients, for polls, callbacks and pictures. They share no connections and trust different things."""

import ssl
from collections.abc import Collection

from notifier.api.outputs import AT_ONCE, MOST_BYTES, TIMEOUT_MS
from notifier.config.model import CallbackSettings, Config
from notifier.core.formats.addresses import AddressPolicy
from notifier.errors import NotifierError
from notifier.outbound.client import HttpxClient
from notifier.outbound.tls import make_tls_context

POLL_KEEPALIVE_S = 90.0
CALLBACK_KEEPALIVE_S = 2.0
MAX_POLL_BODY_BYTES = 4 * 1024 * 1024
MAX_CALLBACK_REPLY_BYTES = 64 * 1024


def count_poll_connections(config: Config) -> int:
    """How many polls may be under way at once, over all providers."""
    return sum(provider.max_in_flight for provider in config.providers.values())


def make_poll_client(config: Config) -> HttpxClient:
    """The client that asks providers, wherever they are."""
    return HttpxClient(
        connections=count_poll_connections(config), keepalive_s=POLL_KEEPALIVE_S, max_body=MAX_POLL_BODY_BYTES
    )


def make_callback_policy(settings: CallbackSettings, own: Collection[tuple[str, int]]) -> AddressPolicy:
    """Where callbacks may go; ``own`` is where we listen ourselves."""
    return AddressPolicy.of(settings.allow, own)


def load_callback_trust(settings: CallbackSettings) -> ssl.SSLContext:
    """Whom callbacks trust; the same object as long as neither ``ca_file`` nor what is in it changes.

    Raises NotifierError when the file is gone or holds no certificate.
    """
    try:
        return make_tls_context(settings.ca_file or None)
    except OSError as error:
        raise NotifierError(
            f"callbacks.ca_file: {settings.ca_file} cannot be used ({error.strerror or error})",
            "put the CA's certificates there, as PEM, and reload",
        ) from error


def longest_timeout_ms(config: Config) -> int:
    """How long an exchange of any client may take."""
    polls = (provider.polling.request_timeout_ms for provider in config.providers.values())
    return max(config.callbacks.timeout_ms, TIMEOUT_MS, *polls)


def make_callback_client(settings: CallbackSettings, own: Collection[tuple[str, int]]) -> HttpxClient:
    """The client that calls receivers."""
    return HttpxClient(
        policy=make_callback_policy(settings, own),
        connections=settings.max_in_flight,
        keepalive_s=CALLBACK_KEEPALIVE_S,
        max_body=MAX_CALLBACK_REPLY_BYTES,
        ca_file=settings.ca_file or None,
    )


def make_image_client(settings: CallbackSettings, own: Collection[tuple[str, int]]) -> HttpxClient:
    """The client that fetches results for the page: where callbacks may go, and by few connections."""
    return HttpxClient(
        policy=make_callback_policy(settings, own),
        connections=AT_ONCE,
        keepalive_s=CALLBACK_KEEPALIVE_S,
        max_body=MOST_BYTES,
        ca_file=settings.ca_file or None,
    )

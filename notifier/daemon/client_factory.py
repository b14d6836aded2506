"""Make the HTTP clients for polls, callbacks and images. They share neither connections nor certificates."""

import ssl
from collections.abc import Collection, Mapping

from notifier.config.model import CallbackSettings, Config
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.polling.provider import DEFAULT_MAX_BODY
from notifier.errors import NotifierError
from notifier.outbound.client import HttpxClient
from notifier.outbound.connection import Origin
from notifier.outbound.local_addresses import is_local_address
from notifier.outbound.tls import make_tls_context
from notifier.outbound.transport import parse_origin
from notifier.results.image_proxy import FETCH_TIMEOUT_MS, MAX_FETCHES, MAX_IMAGE_BYTES

POLL_KEEPALIVE_S = 90.0  # longer than most intervals: a poll without a TLS handshake saves 7 to 9 ms of CPU
CALLBACK_KEEPALIVE_S = 2.0  # short, because a POST lost on a connection that the peer closed is not repeated
MAX_CALLBACK_REPLY_BYTES = 64 * 1024  # an endless body must not block a worker; 4 KiB of it are stored


def count_poll_connections(config: Config) -> int:
    """Return how many polls may run at once, for all providers."""
    return sum(provider.max_in_flight for provider in config.providers.values())


def make_poll_client(config: Config) -> HttpxClient:
    """Make the client for polls; it may connect to any address."""
    return HttpxClient(
        connections=count_poll_connections(config),
        keepalive_s=POLL_KEEPALIVE_S,
        max_body=DEFAULT_MAX_BODY,
        origin_tls=load_provider_trust(config),
    )


def load_provider_trust(config: Config) -> Mapping[Origin, ssl.SSLContext]:
    """Return the TLS contexts of providers with a ``ca_file``, the same ones until the files change.

    Raise NotifierError for a missing file or one without certificates.
    """
    return {
        parse_origin(provider.base_url): _load_trust(f"providers.{name}.ca_file", provider.ca_file)
        for name, provider in config.providers.items()
        if provider.ca_file
    }


def make_callback_policy(settings: CallbackSettings, own: Collection[tuple[str, int]]) -> AddressPolicy:
    """Return the policy for addresses of callbacks; ``own`` lists the addresses of our own listener."""
    return AddressPolicy.of(settings.allow, own, is_local_address)


def load_callback_trust(settings: CallbackSettings) -> ssl.SSLContext:
    """Return the TLS context of callbacks, the same one until a file or its content changes.

    Raise NotifierError for a missing file, or one without what should be in it.
    """
    trust = _load_trust("callbacks.ca_file", settings.ca_file)
    cert, key = settings.tls.cert, settings.tls.key
    if not cert:
        return trust
    try:
        return make_tls_context(settings.ca_file or None, cert, key or None)
    except OSError as error:
        files = f"{cert} and {key}" if key else cert
        raise NotifierError(
            f"callbacks.tls: {files} cannot be used ({error.strerror or error})",
            "put a certificate and its unencrypted key there, as PEM, and reload",
        ) from error


def _load_trust(setting: str, ca_file: str) -> ssl.SSLContext:
    try:
        return make_tls_context(ca_file or None)
    except OSError as error:
        raise NotifierError(
            f"{setting}: {ca_file} cannot be used ({error.strerror or error})",
            "put the CA's certificates there, as PEM, and reload",
        ) from error


def longest_timeout_ms(config: Config) -> int:
    """Return the longest timeout of an exchange of any client."""
    polls = (provider.polling.request_timeout_ms for provider in config.providers.values())
    return max(config.callbacks.timeout_ms, FETCH_TIMEOUT_MS, *polls)


def make_callback_client(settings: CallbackSettings, own: Collection[tuple[str, int]]) -> HttpxClient:
    """Make the client for callbacks."""
    return HttpxClient(
        policy=make_callback_policy(settings, own),
        connections=settings.max_in_flight,
        keepalive_s=CALLBACK_KEEPALIVE_S,
        max_body=MAX_CALLBACK_REPLY_BYTES,
        tls=load_callback_trust(settings),
    )


def make_image_client(settings: CallbackSettings, own: Collection[tuple[str, int]]) -> HttpxClient:
    """Make the client for images on the page: for the addresses of callbacks, with few connections.

    Their hosts get no client certificate, because it is for receivers.
    """
    return HttpxClient(
        policy=make_callback_policy(settings, own),
        connections=MAX_FETCHES,
        keepalive_s=CALLBACK_KEEPALIVE_S,
        max_body=MAX_IMAGE_BYTES,
        tls=_load_trust("callbacks.ca_file", settings.ca_file),
    )

"""The two clients: one for polls, one for callbacks. They share no connections and trust different things."""

from collections.abc import Collection

from notifier.config.model import Callbacks, Config
from notifier.core.addresses import AddressPolicy
from notifier.wire.client import HttpWire

POLL_KEEPALIVE_S = 90.0
CALLBACK_KEEPALIVE_S = 2.0
POLL_BODY_LIMIT = 4 * 1024 * 1024
ANSWER_BODY_LIMIT = 64 * 1024


def poll_connections(config: Config) -> int:
    """How many polls may be under way at once, over all providers."""
    return sum(provider.max_in_flight for provider in config.providers.values())


def poll_wire(config: Config) -> HttpWire:
    """The client that asks providers, wherever they are."""
    return HttpWire(
        connections=poll_connections(config), keepalive_s=POLL_KEEPALIVE_S, max_body=POLL_BODY_LIMIT
    )


def callback_policy(settings: Callbacks, own: Collection[tuple[str, int]]) -> AddressPolicy:
    """Where callbacks may go; ``own`` is where we listen ourselves."""
    return AddressPolicy.of(settings.allow, own)


def callback_wire(settings: Callbacks, own: Collection[tuple[str, int]]) -> HttpWire:
    """The client that calls receivers."""
    return HttpWire(
        policy=callback_policy(settings, own),
        connections=settings.max_in_flight,
        keepalive_s=CALLBACK_KEEPALIVE_S,
        max_body=ANSWER_BODY_LIMIT,
        ca_file=settings.ca_file or None,
    )

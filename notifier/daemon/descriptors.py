"""Share the descriptors of the process between outgoing connections, clients and everything else."""

import contextlib
import resource

from notifier.config.model import Config
from notifier.daemon.client_factory import count_poll_connections
from notifier.results.image_proxy import MAX_FETCHES
from notifier.server.connection_limit import LimitedProtocol, limit_connections


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one: shells and containers often have a soft limit of 256 or 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # the system has a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_server_protocol(config: Config) -> type[LimitedProtocol]:
    """Return the protocol of the API, which leaves descriptors free for everything else."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    outgoing = count_poll_connections(config) + config.callbacks.max_in_flight + MAX_FETCHES
    return limit_connections(descriptors, outgoing)

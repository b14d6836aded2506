"""Where a listener can be reached on this machine: callbacks must not go there."""

import socket

from notifier.core.formats.addresses import AddressPolicy
from notifier.daemon.interfaces import find_own_addresses


def test_a_listener_on_one_address_is_that_address() -> None:
    """One pair, nothing guessed."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        assert find_own_addresses(bound) == {("127.0.0.1", bound.getsockname()[1])}


def test_a_listener_on_every_address_is_each_of_this_machine() -> None:
    """A callback to any own address at that port is refused, at another port it is not."""
    with socket.create_server(("0.0.0.0", 0)) as bound:
        port = bound.getsockname()[1]
        own = find_own_addresses(bound)
    assert ("127.0.0.1", port) in own
    policy = AddressPolicy.of(("loopback", "private", "public"), own)
    for address, _ in own - {("0.0.0.0", port)}:
        assert policy.refuse("name", address, port) is not None
    assert policy.refuse("name", "127.0.0.1", port ^ 1) is None

"""Where a listener can be reached on this machine: callbacks must not go there."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from notifier.config.model import CallbackSettings
from notifier.daemon.client_factory import make_callback_policy
from notifier.daemon.interfaces import find_own_addresses


def test_a_listener_on_one_address_is_that_address() -> None:
    """One pair, nothing guessed."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        assert find_own_addresses(bound) == {("127.0.0.1", bound.getsockname()[1])}


@pytest.mark.fault(163)
def test_a_listener_on_a_unix_socket_is_its_path(tmp_path: Path) -> None:
    """Without links; an abstract socket has no path that a callback could name."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "link" / "own.sock"))
        assert find_own_addresses(bound) == {(str((tmp_path / "real" / "own.sock").resolve()), 0)}
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"\0{tmp_path}")
        assert find_own_addresses(bound) == set()


def addresses_of_this_machine() -> set[str]:
    """By netlink, which the daemon may not use."""
    told = subprocess.run(["ip", "-json", "address"], capture_output=True, text=True, check=True).stdout
    return {entry["local"] for interface in json.loads(told) for entry in interface["addr_info"]}


@pytest.mark.fault(136)
@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_listener_on_every_address_is_each_of_this_machine(
    wildcard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback to any own address at that port is refused, at another port it is not; without netlink."""
    monkeypatch.delattr(socket, "if_nameindex")
    with socket.create_server(
        (wildcard, 0), family=socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    ) as bound:
        port = bound.getsockname()[1]
        own = find_own_addresses(bound)
    policy = make_callback_policy(CallbackSettings(), own)
    for address in {"127.0.0.1", "::1", *addresses_of_this_machine()}:
        refusal = policy.refuse("name", address, port)
        assert refusal is not None
        assert policy.refuse("name", address, port ^ 1) is None or "link-local" in refusal.text
    assert policy.refuse("name", "192.0.2.77", port) is None

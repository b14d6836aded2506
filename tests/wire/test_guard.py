"""Refused addresses are never connected to, whichever way they are written or come about.

No test here reaches beyond this machine: what is not on it stands in a resolver's answer and is refused.
"""

import socket

import pytest

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.addresses import AddressPolicy
from notifier.outbound.resolver import CachingResolver
from tests.wire.peers import LONG_MS, answer, listening, resolving, saying, wired

METADATA = "169.254.169.254"
ALL = AddressPolicy.of(("loopback", "private", "public"))
LOOPBACK = AddressPolicy.of(("loopback",))


def blocked(exchange: Exchange) -> str:
    assert isinstance(exchange, NoReply), exchange
    assert exchange.kind is FailureKind.BLOCKED
    assert exchange.peer is None, "something was connected to"
    return exchange.detail


@pytest.mark.parametrize(
    "host",
    [
        METADATA,
        "0.0.0.0",
        "[::]",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
async def test_an_address_in_the_url_is_judged_too(host: str) -> None:
    """The resolver never sees these."""
    async with wired(policy=ALL, resolver=resolving()) as wire:
        exchange = await wire.post(f"http://{host}:9/latest?token=canary", {}, b"{}", timeout_ms=LONG_MS)
    assert host.strip("[]") in blocked(exchange)
    assert "canary" not in blocked(exchange)


async def test_what_a_name_resolves_to_is_judged() -> None:
    async with wired(policy=LOOPBACK, resolver=resolving(in_example=["10.0.0.7", "93.184.216.34"])) as wire:
        detail = blocked(await wire.get("http://in.example/", {}, timeout_ms=LONG_MS))
    assert "10.0.0.7 is private" in detail
    assert "93.184.216.34 is public" in detail


@pytest.mark.threat(7)
@pytest.mark.fault(80)
async def test_a_name_that_moves_to_a_refused_address_is_refused_at_the_next_connect() -> None:
    """DNS rebinding: good at the first look, the metadata service at the second."""
    now = 0.0
    answers = [["127.0.0.1"], [METADATA]]
    resolver = CachingResolver(lambda name: answers.pop(0), monotonic=lambda: now)
    async with (
        listening(saying(answer(b"{}", "200 OK", "Connection: close"))) as peer,
        wired(policy=ALL, resolver=resolver) as wire,
    ):
        url = peer.url(host="rebind.example")
        assert isinstance(await wire.post(url, {}, b"{}", timeout_ms=LONG_MS), HttpReply)
        now = 31.0
        assert METADATA in blocked(await wire.post(url, {}, b"{}", timeout_ms=LONG_MS))
        assert peer.connections == 1


@pytest.mark.threat(7)
async def test_of_a_names_addresses_only_the_allowed_are_tried() -> None:
    """All in one answer, as an attacker would send it: the refused one first, in the middle and last."""
    names = resolving(mixed_example=[METADATA, "::ffff:169.254.169.254", "127.0.0.1", "169.254.0.1"])
    async with listening(saying(answer())) as peer, wired(policy=ALL, resolver=names) as wire:
        reply = await wire.get(peer.url(host="mixed.example"), {}, timeout_ms=LONG_MS)
    assert isinstance(reply, HttpReply)
    assert reply.peer == f"127.0.0.1:{peer.port}"


async def test_a_refused_address_beside_a_dead_one_is_no_connection() -> None:
    """Something allowed was tried and failed: that is what the operator can mend."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    async with wired(policy=ALL, resolver=resolving(half_example=[METADATA, "127.0.0.1"])) as wire:
        exchange = await wire.get(f"http://half.example:{port}/", {}, timeout_ms=LONG_MS)
    assert isinstance(exchange, NoReply)
    assert (exchange.kind, exchange.peer) == (FailureKind.CONNECT, f"127.0.0.1:{port}")


@pytest.mark.threat(7)
@pytest.mark.parametrize("host", ["127.0.0.1", "me.example", "[::ffff:127.0.0.1]"])
async def test_our_own_listener_is_refused_by_every_name(host: str) -> None:
    """By any address of this machine that leads to it."""
    async with listening(saying(answer())) as own, listening(saying(answer())) as other:
        policy = AddressPolicy.of(("loopback",), [("127.0.0.1", own.port)])
        async with wired(policy=policy, resolver=resolving(me_example=["127.0.0.1"])) as wire:
            assert "notifier itself" in blocked(
                await wire.post(own.url(host=host), {}, b"", timeout_ms=LONG_MS)
            )
            assert isinstance(await wire.post(other.url(), {}, b"", timeout_ms=LONG_MS), HttpReply)
        assert own.connections == 0


async def test_an_allowed_name_is_allowed_by_that_name_alone() -> None:
    names = resolving(good_example=["127.0.0.1"], bad_example=["127.0.0.1"])
    policy = AddressPolicy.of(("good.example",))
    async with listening(saying(answer())) as peer, wired(policy=policy, resolver=names) as wire:
        good, bad = peer.url(host="good.example"), peer.url(host="bad.example")
        assert isinstance(await wire.get(good, {}, timeout_ms=LONG_MS), HttpReply)
        blocked(await wire.get(bad, {}, timeout_ms=LONG_MS))
        blocked(await wire.get(peer.url(), {}, timeout_ms=LONG_MS))
        assert isinstance(await wire.get(good, {}, timeout_ms=LONG_MS), HttpReply)
    assert peer.connections == 1


async def test_without_a_policy_everything_may_be_tried() -> None:
    """A provider's base URL comes from the operator."""
    async with listening(saying(answer())) as peer, wired() as wire:
        assert isinstance(await wire.get(peer.url(), {}, timeout_ms=LONG_MS), HttpReply)


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the connector without the module that makes sockets."""
    monkeypatch.setattr("notifier.outbound.connector.socket", None)


@pytest.mark.usefixtures("no_sockets")
async def test_no_socket_is_made_for_a_refused_address() -> None:
    """However often the name brings it; the reason is told once."""
    names = resolving(bad_example=[METADATA, METADATA])
    async with wired(policy=ALL, resolver=names) as wire:
        for host in (METADATA, "bad.example"):
            detail = blocked(await wire.get(f"http://{host}/", {}, timeout_ms=LONG_MS))
            assert detail.count(METADATA) == 1


@pytest.mark.usefixtures("no_sockets")
async def test_a_policy_that_allows_nothing_makes_no_socket() -> None:
    """It fails closed: no entry of ``callbacks.allow``, no connection."""
    async with wired(policy=AddressPolicy.of(())) as wire:
        blocked(await wire.get("http://127.0.0.1/", {}, timeout_ms=LONG_MS))

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.allow_rules import InvalidAllowRule
from tests.core.texts import any_text


def table(rows: dict[str, str]) -> list[tuple[str, str]]:
    """Pair each spelling of a row with the row's word."""
    return [(spelling, word) for word, spellings in rows.items() for spelling in spellings.split()]


ALL = ("loopback", "private", "public")
OPEN = AddressPolicy.of([*ALL, "0.0.0.0/0", "::/0", "h", "*.example"])
NEVER = table(
    {
        "metadata": """
            169.254.169.254 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::169.254.169.254 64:ff9b::a9fe:a9fe
            64:ff9b::169.254.169.254 64:ff9b:1::a9fe:a9fe 64:ff9b:1:abcd::a9fe:a9fe 2002:a9fe:a9fe::1
            2001:0:4136:e378:8000:63bf:5601:5601 2001:0:a9fe:a9fe:: ::ffff:0:169.254.169.254
            2001:db8::5efe:169.254.169.254 2001:db8::200:5efe:a9fe:a9fe fd00:ec2::254
            fd00:0ec2:0:0:0:0:0:0254 fd20:ce::254 fd00:42::42 100.100.100.200 ::ffff:100.100.100.200
            2002:6464:64c8:: 168.63.129.16 192.0.0.192 64:ff9b::c000:c0
        """,
        "link-local": """
            fe80::5efe:a9fe:a9fe 169.254.0.0 169.254.255.255 169.254.170.2 fe80::1 fe80::1%eth0 febf::
            ::ffff:169.254.1.1
        """,
        "unspecified": """
            0.0.0.0 0.1.2.3 0.255.255.255 :: ::%1 ::ffff:0.0.0.0 ::ffff:0:0.0.0.0 64:ff9b:: 2002:: ::2
        """,
        "multicast": """
            224.0.0.1 239.255.255.250 ff02::1 ff02::1%eth0 ::ffff:224.0.0.1 2002:e000:1::
        """,
        "broadcast": """
            255.255.255.255 ::ffff:255.255.255.255 64:ff9b::ffff:ffff
        """,
    }
)
KINDS = table(
    {
        "loopback": """
            127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1
        """,
        "private": """
            10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.0 100.127.255.255
            ::ffff:10.0.0.1 fc00::1 fd12:3456::1 fdff:: fec0::1 feff:: 192.0.0.8 192.0.2.1 198.51.100.7
            203.0.113.9 198.18.0.1 198.19.255.255 240.0.0.1 255.255.255.254 192.88.99.1 2001:db8::1
            3fff::1 5f00::1 100::1 4000::1 1::1 200::1 2001:20::1
        """,
        "public": """
            1.1.1.1 9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0
            100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 223.255.255.255 169.253.255.255
            169.255.0.0 198.17.255.255 198.20.0.0 2606:4700:4700::1111 2a00:1450::1 64:ff9b::1.1.1.1
            2002:101:101::1 ::ffff:1.1.1.1 64:ff9b:1::101:101
        """,
    }
)
GATEWAYS = table(
    {
        "private": """
            64:ff9b::10.0.0.1 2002:c0a8:101::1 ::10.0.0.1 2a00::5efe:10.0.0.1
        """,
        "loopback": """
            64:ff9b::127.0.0.1 2002:7f00:1:: ::127.0.0.1 2001:0:101:101:0:0:80ff:fffe ::ffff:0:127.0.0.1
        """,
    }
)


@pytest.mark.threat(7)
@pytest.mark.parametrize(("address", "why"), NEVER)
def test_some_addresses_are_refused_whatever_is_allowed(address: str, why: str) -> None:
    """Link-local, metadata, multicast and the like, in every spelling."""
    for host in ("h", "a.example", address):
        reason = OPEN.refuse(host, address, 80)
        assert reason is not None
        assert address in reason.text
        assert why in reason.text
        assert reason.is_final


@pytest.mark.parametrize(("address", "kind"), KINDS)
def test_an_address_is_loopback_private_or_public(address: str, kind: str) -> None:
    assert AddressPolicy.of(ALL).refuse("x", address, 80) is None
    assert AddressPolicy.of([kind]).refuse("x", address, 80) is None
    reason = AddressPolicy.of([other for other in ALL if other != kind]).refuse("x", address, 80)
    assert reason is not None
    assert f"{address} is {kind}" in reason.text
    assert not reason.is_final


@pytest.mark.parametrize(("address", "inner"), GATEWAYS)
def test_an_address_that_a_gateway_unwraps_needs_both_to_be_allowed(address: str, inner: str) -> None:
    assert AddressPolicy.of(ALL).refuse("x", address, 80) is None
    assert AddressPolicy.of(["public"]).refuse("x", address, 80) is not None
    assert AddressPolicy.of([inner]).refuse("x", address, 80) is not None
    assert AddressPolicy.of(["public", inner]).refuse("x", address, 80) is None


@given(st.ip_addresses(v=4).map(str))
def test_mapping_an_address_into_ipv6_changes_no_verdict(address: str) -> None:
    for allow in ([], ["loopback"], ["private"], ["public"], ["10.0.0.0/7"]):
        policy = AddressPolicy.of(allow, own=[("127.0.0.1", 80)])
        plain, mapped = policy.refuse("x", address, 80), policy.refuse("x", f"::ffff:{address}", 80)
        assert (plain is None) == (mapped is None)


@given(st.ip_addresses())
def test_nothing_is_allowed_by_nothing_and_what_is_never_allowed_is_not_by_everything(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert AddressPolicy.of([]).refuse("x", str(address), 80)
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        assert OPEN.refuse("h", str(address), 80)


@given(any_text, any_text, st.integers())
def test_judging_never_raises(host: str, address: str, port: int) -> None:
    AddressPolicy.of(ALL).refuse(host, address, port)


@pytest.mark.parametrize(
    ("allow", "address", "is_allowed"),
    [
        ("10.0.0.0/8", "10.9.9.9", True), ("10.0.0.0/8", "11.0.0.1", False), ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False), ("127.0.0.1", "127.0.0.1", True), ("127.0.0.1", "127.0.0.2", False),
        ("fd00::/8", "fd00::1", True), ("fd00::/8", "fc00::1", False), ("0.0.0.0/0", "::1", False),
        ("::/0", "10.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True), ("::ffff:0:0/96", "::ffff:10.0.0.1", False),
        (" 10.0.0.0/8 ", "10.0.0.1", True),
    ],
)  # fmt: skip
def test_a_cidr_allows_what_is_in_it(allow: str, address: str, is_allowed: bool) -> None:
    assert (AddressPolicy.of([allow]).refuse("x", address, 80) is None) == is_allowed


@pytest.mark.parametrize(
    ("allow", "host", "is_allowed"),
    [
        ("hooks.example.com", "hooks.example.com", True), ("hooks.example.com", "HOOKS.example.com.", True),
        ("Hooks.Example.com", "hooks.example.com", True), ("hooks.example.com", "a.hooks.example.com", False),
        ("hooks.example.com", "example.com", False), ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True), ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False), ("localhost", "localhost", True),
        ("my_service", "my_service", True),
    ],
)  # fmt: skip
def test_a_name_allows_whatever_it_resolves_to(allow: str, host: str, is_allowed: bool) -> None:
    policy = AddressPolicy.of([allow])
    for address in ("10.0.0.1", "127.0.0.1", "1.1.1.1", "::1"):
        assert (policy.refuse(host, address, 80) is None) == is_allowed


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.", "10.0.0.1/8", "10.0.0.0/33", "127.1", "2130706433", "0x7f000001", "a b", "http://h",
     "h:80", "a/b", "*.a.*", "a.*", "é", "fe80::1::2", "-a", "[::1]"],
)  # fmt: skip
def test_an_entry_that_means_nothing_is_refused_and_quoted(entry: str) -> None:
    with pytest.raises(InvalidAllowRule, match="neither loopback, private, public") as refused:
        AddressPolicy.of(["public", entry])
    assert repr(entry) in str(refused.value)


@pytest.mark.parametrize(
    ("own", "address", "is_refused"),
    [
        ("127.0.0.1", "127.0.0.1", True), ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "::127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False), ("127.0.0.1", "::1", False), ("::1", "::1", True),
        ("::1", "127.0.0.1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", True), ("192.168.1.5", "192.168.1.5", True),
        ("192.168.1.5", "192.168.1.6", False),
        ("0.0.0.0", "127.0.0.1", True), ("0.0.0.0", "127.8.8.8", True), ("0.0.0.0", "::1", True),
        ("::", "127.0.0.1", True),
        ("::", "::1", True), ("::", "::ffff:127.0.0.1", True), ("0.0.0.0", "192.168.1.5", False),
        ("0.0.0.0", "1.1.1.1", False),
    ],
)  # fmt: skip
def test_our_own_listener_is_refused_at_its_port_only(own: str, address: str, is_refused: bool) -> None:
    policy = AddressPolicy.of([*ALL, "h"], own=[(own, 8484)])
    reason = policy.refuse("h", address, 8484)
    assert (reason is not None) == is_refused
    assert reason is None or ("notifier itself" in reason.text and reason.is_final)
    assert policy.refuse("h", address, 8485) is None


@pytest.mark.parametrize("address", ["192.168.1.5", "::ffff:192.168.1.5", "64:ff9b::192.168.1.5"])
def test_every_address_of_the_machine_is_ours_if_we_listen_on_all(address: str) -> None:
    """In each of its forms. It is asked at each request, because addresses come and go."""
    local: set[str] = set()
    policy = AddressPolicy.of([*ALL, "h"], own=[("0.0.0.0", 8484)], is_local=local.__contains__)
    assert policy.refuse("h", address, 8484) is None
    local.add("192.168.1.5")
    assert policy.refuse("h", address, 8484) is not None
    assert policy.refuse("h", address, 8485) is None


@pytest.mark.parametrize(
    "address", ["", "x", "127.1", "2130706433", "0177.0.0.1", "127.0.0.1/32", "[::1]", "1.1.1.1 "]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    reason = OPEN.refuse("h", address, 80)
    assert reason is not None
    assert "not an address" in reason.text

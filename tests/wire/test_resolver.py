"""A dead name delays nobody else, and no name is asked for twice at a time."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from notifier.core.exchange import HttpReply
from notifier.outbound.resolver import ADDRESSES_TTL_S, FAILURE_TTL_S, CachingResolver, system_lookup
from tests.wire.peers import answer, listening, saying, wired


class Names:
    """A lookup whose names beginning with ``dead`` hang until the test is over."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()
        self.addresses: dict[str, list[str]] = {}

    def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name.startswith("dead"):
            self.over.wait(30)
        if name.startswith("missing"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.addresses.get(name, ["127.0.0.1"])


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names()
    yield names
    names.over.set()


async def addresses(resolver: CachingResolver, name: str) -> list[str]:
    return list(await resolver.resolve(name))


async def test_an_answer_is_each_address_once_in_the_order_of_the_lookup(names: Names) -> None:
    names.addresses["a.example"] = ["127.0.0.1", "::1", "127.0.0.1"]
    assert await CachingResolver(names).resolve("a.example") == ("127.0.0.1", "::1")


async def test_each_address_is_connected_to_by_its_family_at_the_port_of_the_url(names: Names) -> None:
    """Of a name with both, the IPv6 address first; nothing listens there."""
    names.addresses["a.example"] = ["::1", "127.0.0.1"]
    async with listening(saying(answer())) as peer, wired(resolver=CachingResolver(names)) as wire:
        reply = await wire.get(peer.url(host="a.example"), {}, timeout_ms=20_000)
    assert isinstance(reply, HttpReply)
    assert reply.peer == f"127.0.0.1:{peer.port}"


async def test_a_good_answer_is_remembered_for_30_s_and_a_bad_one_for_5(names: Names) -> None:
    now = 0.0
    resolver = CachingResolver(names, monotonic=lambda: now)

    for now in (0.0, FAILURE_TTL_S - 0.1, FAILURE_TTL_S, ADDRESSES_TTL_S - 0.1, ADDRESSES_TTL_S):  # noqa: B007 - the resolver reads it
        await addresses(resolver, "a.example")
        with pytest.raises(socket.gaierror, match="not known"):
            await addresses(resolver, "missing.example")
    assert names.asked.count("a.example") == 2  # at 0 and 30 s
    assert names.asked.count("missing.example") == 3  # at 0, 5 and 29.9 s


async def test_many_who_ask_at_once_share_one_lookup(names: Names) -> None:
    resolver = CachingResolver(names)
    asking = [asyncio.create_task(addresses(resolver, "dead.example")) for _ in range(20)]
    while not names.asked:
        await asyncio.sleep(0.001)
    names.over.set()
    assert await asyncio.gather(*asking) == [["127.0.0.1"]] * 20
    assert names.asked == ["dead.example"]


async def test_who_gives_up_does_not_end_the_lookup_for_the_others(names: Names) -> None:
    resolver = CachingResolver(names)
    patient = asyncio.create_task(addresses(resolver, "dead.example"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await addresses(resolver, "dead.example")
    names.over.set()
    assert await patient == ["127.0.0.1"]
    assert names.asked == ["dead.example"]


@pytest.mark.fault(40)
@pytest.mark.fault(75)
async def test_dead_names_delay_no_healthy_one(names: Names) -> None:
    """More of them than any shared pool has threads."""
    resolver = CachingResolver(names)
    hanging = [asyncio.create_task(addresses(resolver, f"dead{n}.example")) for n in range(60)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        for n in range(20):
            assert await addresses(resolver, f"well{n}.example") == ["127.0.0.1"]
    assert not any(task.done() for task in hanging)
    names.over.set()
    await asyncio.gather(*hanging)


async def test_with_all_threads_taken_known_names_get_through_and_new_ones_fail_at_once(names: Names) -> None:
    now = 0.0
    resolver = CachingResolver(names, monotonic=lambda: now, threads=8)
    await addresses(resolver, "known.example")
    now = ADDRESSES_TTL_S + 1
    hanging = [asyncio.create_task(addresses(resolver, f"dead{n}.example")) for n in range(30)]
    await asyncio.sleep(0.01)
    refused = [task for task in hanging if task.done()]
    assert len(refused) == 24
    assert all("too many other names" in str(task.exception()) for task in refused)
    assert await addresses(resolver, "known.example") == ["127.0.0.1"]
    assert names.asked.count("known.example") == 2
    names.over.set()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert await addresses(resolver, "new.example") == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "Temporary failure"),
        (OSError("no number"), "the lookup failed"),
        (UnicodeError("label too long"), "UnicodeError"),
        (RuntimeError("can't start new thread"), "RuntimeError"),
    ],
)
async def test_whatever_the_lookup_raises_is_a_gaierror_in_words(fault: Exception, words: str) -> None:
    def lookup(name: str) -> list[str]:
        raise fault

    with pytest.raises(socket.gaierror, match=words):
        await addresses(CachingResolver(lookup), "a.example")


async def test_a_name_is_asked_for_again_after_no_thread_could_be_had(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's limit of threads is a passing trouble; nobody waits for a lookup that never began."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = CachingResolver(names)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        with pytest.raises(socket.gaierror, match="no thread"):
            await addresses(resolver, "a.example")
    async with asyncio.timeout(5):
        assert await addresses(resolver, "a.example") == ["127.0.0.1"]


async def test_a_name_with_no_address_is_a_fault_too() -> None:
    with pytest.raises(socket.gaierror, match="no address"):
        await addresses(CachingResolver(lambda name: []), "a.example")


async def test_of_a_name_with_a_thousand_addresses_a_few_are_taken() -> None:
    resolver = CachingResolver(lambda name: [f"10.0.{n // 250}.{n % 250}" for n in range(1_000)])
    assert len(await addresses(resolver, "a.example")) == 8


async def test_the_memory_is_bounded_and_forgets_the_oldest(names: Names) -> None:
    resolver = CachingResolver(names)
    for n in range(1_100):
        await addresses(resolver, f"n{n}.example")
    names.asked.clear()
    await addresses(resolver, "n1099.example")
    await addresses(resolver, "n0.example")
    assert names.asked == ["n0.example"]


def test_a_lookup_that_outlives_its_loop_disturbs_nobody(names: Names) -> None:
    """At the end of the process nobody waits for a dead name."""
    resolver = CachingResolver(names)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await addresses(resolver, "dead.example")

    asyncio.run(give_up())
    threads = [thread for thread in threading.enumerate() if thread.name == "resolve"]
    assert all(thread.daemon for thread in threads)
    names.over.set()
    for thread in threads:
        thread.join(20)


async def test_the_wire_asks_it_for_names_and_not_the_system(names: Names) -> None:
    async with listening(saying(answer())) as peer, wired(resolver=CachingResolver(names)) as wire:
        url = peer.url(host="hook.example")
        assert isinstance(await wire.get(url, {}, timeout_ms=20_000), HttpReply)
    assert names.asked == ["hook.example"]


def test_the_system_knows_this_machine() -> None:
    assert set(system_lookup("localhost")) <= {"127.0.0.1", "::1"}

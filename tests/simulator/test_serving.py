"""An application on a real port, in this process and as one of its own."""

import asyncio
import json
import os
import signal
import socket
import sys
from typing import Any

import pytest

from notifier.cli import main
from notifier.core.exchange import HttpReply, NoReply
from notifier.simulator.__main__ import make_parser
from notifier.simulator.script import PROMPTS, FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.wire.peers import LONG_MS, wired

KEY = {"Authorization": "Bearer sk-mr-any"}


async def test_a_task_is_polled_over_a_real_connection_that_is_kept() -> None:
    upstream = SimulatedProvider()
    upstream.add("/v/image", TaskScript(duration_s=0.0), "abc")
    async with serve(upstream) as url, wired() as wire:
        replies = [await wire.get(f"{url}/v/image/abc", KEY, timeout_ms=LONG_MS) for _ in range(3)]
        status = await wire.get(f"{url}/v/image/abc", {}, timeout_ms=LONG_MS)
    for reply in replies:
        assert isinstance(reply, HttpReply)
        assert json.loads(reply.body)["task_info"]["status"] == "completed"
    assert [reply.connect_ms is None for reply in replies] == [False, True, True]
    assert isinstance(status, HttpReply)
    assert status.status == 401


async def test_the_port_is_free_again_when_the_block_is_left() -> None:
    async with serve(SimulatedProvider()) as url:
        port = int(url.rpartition(":")[2])
    async with serve(SimulatedProvider(), port=port) as again:
        assert again == url


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with serve(SimulatedProvider()) as url:
        with pytest.raises(OSError, match="in use"):
            async with serve(SimulatedProvider(), port=int(url.rpartition(":")[2])):
                pass


async def test_leaving_waits_for_no_request_that_hangs() -> None:
    """The block ends; who was asking is told nothing more."""
    upstream = SimulatedProvider()
    upstream.add("/v", TaskScript(first=(FixedReply(200, after_s=600.0),)), "slow")
    async with wired() as wire:
        async with serve(upstream) as url:
            asking = asyncio.create_task(wire.get(f"{url}/v/slow", KEY, timeout_ms=LONG_MS))
            while not upstream.polls:
                await asyncio.sleep(0.001)
        assert isinstance(await asking, HttpReply | NoReply)


async def test_an_exception_in_the_block_ends_the_server_and_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve(SimulatedProvider()) as url:
            raise ZeroDivisionError
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


async def test_signals_are_left_alone() -> None:
    """The embedder's handlers stay in place while the server runs."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with serve(SimulatedProvider()):
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_stands_in_brackets() -> None:
    async with serve(SimulatedProvider(), "::1") as url, wired() as wire:
        assert url.startswith("http://[::1]:")
        reply = await wire.get(f"{url}/_sim/tasks", {}, timeout_ms=LONG_MS)
        assert isinstance(reply, HttpReply)
        assert reply.peer == url.removeprefix("http://")


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("module", [["notifier.simulator"], ["notifier", "simulator"]])
async def test_as_a_process_it_says_where_it_is_and_ends_when_told(
    number: signal.Signals, module: list[str]
) -> None:
    """One line of JSON for programs, and no other."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, "--port", "0", "--key", "sk-mr-test",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        async with wired() as wire:
            made = await wire.post(
                f"{told['url']}/_sim/tasks", {}, b'{"api_path": "/v", "task_id": "t1"}', timeout_ms=LONG_MS
            )
            assert isinstance(made, HttpReply)
            assert made.status == 201
            polled = await wire.get(
                f"{told['url']}/v/t1", {"Authorization": "Bearer sk-mr-test"}, timeout_ms=LONG_MS
            )
        assert isinstance(polled, HttpReply)
        assert json.loads(polled.body)["task_info"]["id"] == "t1"
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out, err) == (0, b"", b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.e2e
async def test_on_a_terminal_it_says_what_to_set_and_what_a_prompt_can_ask_for() -> None:
    """To people alone: a benchmark or a script wants no such lines."""
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "notifier.simulator", stdout=asyncio.subprocess.PIPE, stderr=theirs
    )
    try:
        os.close(theirs)
        assert process.stdout is not None
        url = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["url"]
        said = ""
        while not all(word in said for word in (url, *PROMPTS)):
            said += (await asyncio.to_thread(os.read, ours, 4096)).decode()
    finally:
        process.terminate()
        await process.wait()
        os.close(ours)


@pytest.mark.parametrize("module", [["notifier.simulator"], ["notifier", "simulator"]])
async def test_a_taken_port_is_told(module: list[str]) -> None:
    """Cause and fix, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *module, "--port", port), stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
    assert process.returncode == 1
    text = said.decode()
    assert len(text.splitlines()) <= 2
    assert f"cannot listen on 127.0.0.1:{port}" in text
    assert "--port" in text


def test_both_helps_say_what_a_prompt_can_ask_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The words stand once, in the script's table."""
    assert main(["simulator", "--help"]) == 0
    with pytest.raises(SystemExit, match="0"):
        make_parser().parse_args(["--help"])
    for said in capsys.readouterr().out.split("usage: python"):
        assert all(f"  {word} " in said for word in PROMPTS)


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """99999 would be 34463."""
    with pytest.raises(SystemExit, match="2"):
        make_parser().parse_args([f"--port={port}"])
    assert "is no port from 0 to 65535" in capsys.readouterr().err

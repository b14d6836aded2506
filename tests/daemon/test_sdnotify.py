"""What is said to systemd arrives whole, what it hands over is taken, and its absence harms nothing."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.daemon import sdnotify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(5)
        yield bound


@pytest.fixture
def environ(manager: socket.socket) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname()}


def test_each_change_of_state_is_one_datagram(manager: socket.socket, environ: dict[str, str]) -> None:
    assert sdnotify.report_ready("3 watches → 2 receivers", environ=environ)
    assert manager.recv(4096).decode() == "READY=1\nSTATUS=3 watches → 2 receivers"
    assert sdnotify.extend_start(90, environ=environ)
    assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=90000000"
    assert sdnotify.report_stopping("draining", environ=environ)
    assert manager.recv(4096) == b"STOPPING=1\nSTATUS=draining"
    assert sdnotify.report_progress(environ=environ)
    assert manager.recv(4096) == b"WATCHDOG=1"
    assert sdnotify.report_reloading(environ=environ)
    first, second = manager.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()


def test_a_status_is_one_line_and_cannot_smuggle_a_field(
    manager: socket.socket, environ: dict[str, str]
) -> None:
    assert sdnotify.report_status("one\nMAINPID=1\r\ntwo \udc80", environ=environ)
    assert manager.recv(4096) == b"STATUS=one MAINPID=1 two ?"


def test_an_abstract_socket_is_reached() -> None:
    name = f"notifier-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{name}")
        bound.settimeout(5)
        assert sdnotify.notify("READY=1", environ={"NOTIFY_SOCKET": f"@{name}"})
        assert bound.recv(4096) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/notify", "/a\0b", "@" + "x" * 200])
def test_a_manager_that_is_not_there_is_no_error(address: str) -> None:
    assert not sdnotify.notify("READY=1", environ={"NOTIFY_SOCKET": address})


def test_a_manager_that_does_not_read_holds_nobody_for_long(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdnotify, "_SEND_TIMEOUT_S", 0.01)
    sent = 0
    while sent < 10_000 and sdnotify.report_progress(environ=environ):
        sent += 1
    assert 0 < sent < 10_000


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(environ: dict[str, str], interval: float | None) -> None:
    """At half the interval that systemd asks for."""
    assert sdnotify.watchdog_interval_s(environ) == interval


HEIR = """
import os, socket, sys
from notifier.daemon.sdnotify import take_listen_sockets
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.dup2(os.open(os.devnull, os.O_RDONLY), 4, inheritable=True)
os.environ.update(LISTEN_PID=sys.argv[2] or str(os.getpid()), LISTEN_FDS="3", LISTEN_FDNAMES="control:x:y")
taken = take_listen_sockets()
print([(one.getsockname(), one.fileno(), one.getblocking(), one.get_inheritable()) for one in taken])
print([name for name in os.environ if name.startswith("LISTEN_")], take_listen_sockets())
"""


def heir_of(server: socket.socket, listen_pid: str) -> list[str]:
    """Hand a socket over to a process, and return what it says that it took, first and again."""
    heir = subprocess.run(
        [sys.executable, "-c", HEIR, str(server.fileno()), listen_pid],
        pass_fds=[server.fileno()],
        capture_output=True,
        text=True,
        check=True,
    )
    return heir.stdout.splitlines()


def test_sockets_handed_over_are_taken_once_and_only_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert heir_of(server, "") == [str([(server.getsockname(), 3, False, False)]), "[] []"]


@pytest.mark.parametrize("pid", ["1", "-1", "me"])
def test_sockets_for_another_process_are_left_alone(pid: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert heir_of(server, pid) == ["[]", "[] []"]


def test_a_count_that_is_no_number_hands_over_nothing() -> None:
    assert sdnotify.take_listen_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"}) == []

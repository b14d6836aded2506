"""The socket of the local API."""

import os
import socket
import stat
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from notifier.daemon.listener import (
    ListenerUnusable,
    bind,
    find_socket_file,
    format_listener_url,
    is_local,
    remove_socket_file,
)


def test_a_tcp_address_is_bound_and_named_as_a_client_writes_it() -> None:
    """Port 0 takes a free one, and the address says which."""
    with bind("127.0.0.1:0") as bound:
        assert format_listener_url(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_taken_port_says_so_and_names_the_fix() -> None:
    """Exit 78, the cause and what to do, in words."""
    with bind("127.0.0.1:0") as bound:
        port = bound.getsockname()[1]
        with pytest.raises(
            ListenerUnusable, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"
        ) as caught:
            bind(f"127.0.0.1:{port}")
    assert "server.listen" in caught.value.fix
    assert caught.value.exit_status == 78


@pytest.mark.threat(6)
def test_a_unix_socket_is_for_its_group_at_most(tmp_path: Path) -> None:
    """Mode 0660, whatever the umask."""
    path = tmp_path / "n.sock"
    with bind(f"unix:{path}") as bound:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert format_listener_url(bound) == f"unix:{path}"


def test_a_dead_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    """What a killed daemon left behind is no obstacle; what another one serves is."""
    path = tmp_path / "n.sock"
    bind(f"unix:{path}").close()
    with bind(f"unix:{path}"), pytest.raises(ListenerUnusable):
        bind(f"unix:{path}")


def test_a_socket_that_has_no_time_for_us_is_a_living_one(tmp_path: Path) -> None:
    """A daemon whose queue is full, or that hangs, keeps its place: dead is what nobody listens on."""
    path = tmp_path / "n.sock"
    with socket.socket(socket.AF_UNIX) as busy, ExitStack() as waiting:
        busy.bind(str(path))
        busy.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(ListenerUnusable, match="Address already in use"):
            bind(f"unix:{path}")
        assert path.is_socket()


def test_the_file_of_a_socket_is_removed_while_it_is_ours(tmp_path: Path) -> None:
    """One that was put in its place is another's; a port has none; a file that is gone is no fault."""
    path = tmp_path / "n.sock"
    with bind(f"unix:{path}") as bound:
        ours = find_socket_file(bound)
    path.rename(tmp_path / "kept")
    with bind(f"unix:{path}"):
        remove_socket_file(ours)
        assert path.is_socket()
    path.unlink()
    remove_socket_file(ours)
    (tmp_path / "kept").rename(path)
    remove_socket_file(ours)
    assert not path.exists()
    with bind("127.0.0.1:0") as bound:
        assert find_socket_file(bound) is None
        remove_socket_file(None)


def test_a_socket_that_got_the_number_of_ours_is_anothers(tmp_path: Path) -> None:
    """A file system gives the number of a file that is gone to the next one; when it was made differs."""
    path = tmp_path / "n.sock"
    with bind(f"unix:{path}") as bound:
        ours = find_socket_file(bound)
    assert ours is not None
    path.unlink()
    with bind(f"unix:{path}"):
        found = path.stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))
        remove_socket_file(replace(ours, inode=found.st_ino))
        assert path.is_socket()


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    """Only sockets are removed."""
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenerUnusable):
        bind(f"unix:{path}")
    assert path.read_text() == "data"


def test_a_failed_bind_leaves_no_socket_open() -> None:
    """Unclosed sockets warn, and warnings are errors here."""
    with pytest.raises(ListenerUnusable), socket.socket():
        bind("unix:/nonexistent/directory/n.sock")


@pytest.mark.parametrize(("host", "is_ours"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_a_listener_of_this_machine_is_told_from_one_for_all(host: str, is_ours: bool) -> None:
    """What systemd hands over is judged by it."""
    with socket.create_server((host, 0)) as bound:
        assert is_local(bound) is is_ours


def test_a_unix_socket_is_of_this_machine(tmp_path: Path) -> None:
    """Whatever it is named."""
    with bind(f"unix:{tmp_path / 'socket'}") as bound:
        assert is_local(bound)

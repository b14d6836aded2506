"""The socket that is served, whoever made it."""

import socket
from pathlib import Path

from notifier.server.server import EmbeddedServer
from tests.api.conftest import Bench


def test_an_answer_in_pieces_waits_for_no_acknowledgement(bench: Bench) -> None:
    """Nagle's algorithm would hold the second piece for 40 ms; what is accepted inherits the option."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        assert not bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        EmbeddedServer(bench.app, bound)
        assert bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_unix_socket_has_no_such_option(bench: Bench, tmp_path: Path) -> None:
    """And is served all the same."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        EmbeddedServer(bench.app, bound)

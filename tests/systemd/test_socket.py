"""systemd holds the listening socket: for a start at need, and for restarts that nobody notices."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.systemd.service import SERVICE, SOCKET, TCP, Service

UNIX = "unix:/run/notifier.sock"


@pytest.fixture(params=[TCP, UNIX])
def activated(service: Service, request: pytest.FixtureRequest) -> Service:
    """Its socket enabled and started, as the unit's head tells; the service not yet."""
    service.address = request.param
    service.install(SOCKET, "--socket", "--listen", service.address)
    service.install(SERVICE, "--listen", service.address)
    service.box.run("systemctl", "enable", "-q", "--now", SOCKET)
    assert service.is_(ActiveState="inactive")
    return service


def test_the_first_connection_starts_the_service(activated: Service) -> None:
    """It waits for the start, and is answered."""
    assert activated.call("GET", "/readyz")[0] == 200
    assert activated.is_(ActiveState="active")


def test_started_by_hand_it_has_the_socket_too(activated: Service) -> None:
    """It binds nothing of its own, so that a restart keeps the address."""
    activated.systemctl("stop", SOCKET)
    activated.systemctl("start")
    activated.systemctl("stop")
    assert activated.call("GET", "/readyz")[0] == 200  # the socket was still there, and started it again


def test_a_reload_reaches_it(activated: Service) -> None:
    """Wherever it listens."""
    activated.systemctl("start")
    assert activated.systemctl("reload") == 0


def test_no_connection_is_lost_over_a_restart(activated: Service) -> None:
    """Those who come while it is down wait in the socket; those who were heard are answered."""
    assert activated.call("GET", "/healthz")[0] == 200
    with knocking(activated, 4) as answers:
        for _ in range(2):
            seen = len(answers)
            activated.systemctl("restart")
            activated.until(lambda seen=seen: len(answers) > seen + 20, "answers after the restart")  # type: ignore[misc]
    assert set(answers) == {"200"}


def test_a_socket_of_a_path_is_for_root_and_its_group(activated: Service) -> None:
    """Whoever may connect may register; the mode is the lock."""
    if activated.address == UNIX:
        mode = activated.box.run("stat", "-c", "%a %U", "/run/notifier.sock").stdout.strip()
        assert mode == "660 root"


def test_a_socket_that_others_can_reach_needs_a_token(service: Service) -> None:
    """As server.listen does: exit 78, in words."""
    service.install(SOCKET, "--socket", "--listen", "0.0.0.0:8484")
    service.systemctl("start", SOCKET)
    assert service.systemctl("start", check=False) == 1
    assert service.is_(ActiveState="failed", ExecMainStatus="78")
    assert "there is no token" in service.said()


@contextmanager
def knocking(service: Service, count: int) -> Iterator[list[str]]:
    """Clients that connect and ask, over and over; what each was told, or how it was turned away."""
    answers: list[str] = []
    ended = threading.Event()

    def knock() -> None:
        while not ended.is_set():
            try:
                answers.append(str(service.call("GET", "/healthz")[0]))
            except Exception as fault:
                answers.append(repr(fault))

    clients = [threading.Thread(target=knock) for _ in range(count)]
    for client in clients:
        client.start()
    try:
        yield answers
    finally:
        ended.set()
        for client in clients:
            client.join()

"""One booted systemd for all tests, and for each a service as freshly installed."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.systemd import box as boxes
from tests.systemd import installation
from tests.systemd.box import Box
from tests.systemd.peers import Peer
from tests.systemd.service import Service


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """NOTIFIER_BOX_ROOT=/path runs it all on another distribution's root directory."""
    why_not = boxes.why_not() or installation.why_not()
    if why_not:
        pytest.skip(why_not)
    venv = installation.prepare()
    root = os.environ.get("NOTIFIER_BOX_ROOT", "/")
    with Box(root, binds=[(venv, installation.PLACE)]) as box:
        # A routable address and the one of the clouds' credentials, both on the box's own loopback.
        for address in ("192.0.2.10/32", "169.254.169.254/32"):
            box.run("ip", "addr", "add", address, "dev", "lo")
        yield box


@pytest.fixture
def peer(box: Box) -> Iterator[Peer]:
    with closing(Peer(box.listener())) as peer:
        yield peer


@pytest.fixture
def service(box: Box, peer: Peer) -> Iterator[Service]:
    """Installed and not started."""
    box.run("journalctl", "--rotate", "--vacuum-time=1us", "-q")
    service = Service(box, peer)
    service.clean()
    yield service
    peer.takes.set()
    service.systemctl("stop", "notifier.socket", check=False)
    service.systemctl("stop", check=False)

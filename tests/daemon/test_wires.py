"""The clients obey the configuration: whom callbacks trust, and where they may go."""

import ssl
from pathlib import Path

import pytest
import trustme

from notifier.config.model import Callbacks
from notifier.core.replies import Exchange, Fault, Reply, Unreachable
from notifier.daemon.wires import callback_wire
from tests.wire.peers import LONG_MS, answer, listening, saying


async def called(settings: Callbacks, url: str, own: tuple[tuple[str, int], ...] = ()) -> Exchange:
    wire = callback_wire(settings, own)
    try:
        return await wire.post(url, {}, b"{}", timeout_ms=LONG_MS)
    finally:
        await wire.close()


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_private_receiver_is_called_when_its_authority_is_named(
    tmp_path: Path, is_named: bool
) -> None:
    """And only then: verification cannot be switched off."""
    authority, path = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with listening(saying(answer()), tls) as peer:
        exchange = await called(Callbacks(ca_file=str(path) if is_named else ""), peer.url())
    assert isinstance(exchange, Reply if is_named else Unreachable)
    assert len(peer.heads) == is_named


async def test_callbacks_go_only_where_they_may(tmp_path: Path) -> None:
    """Neither to what is not allowed nor to ourselves."""
    async with listening(saying(answer())) as peer:
        far = await called(Callbacks(allow=("public",)), peer.url())
        own = await called(Callbacks(), peer.url(), (("127.0.0.1", peer.port),))
    for exchange in (far, own):
        assert isinstance(exchange, Unreachable)
        assert exchange.fault is Fault.BLOCKED
    assert peer.connections == 0

"""The clients obey the configuration: whom callbacks trust, and where they and pictures may go."""

import ssl
from pathlib import Path

import pytest
import trustme

from notifier.config.model import CallbackSettings, ClientCertificateSettings, Config, ProviderSettings
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.images import Image
from notifier.daemon.client_factory import make_callback_client, make_image_client, make_poll_client
from notifier.results.image_proxy import MAX_IMAGE_BYTES, ImageProxy
from tests.wire.peers import LONG_MS, answer, listening, saying


async def called(settings: CallbackSettings, url: str, own: tuple[tuple[str, int], ...] = ()) -> Exchange:
    wire = make_callback_client(settings, own)
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
        exchange = await called(CallbackSettings(ca_file=str(path) if is_named else ""), peer.url())
    assert isinstance(exchange, HttpReply if is_named else NoReply)
    assert len(peer.heads) == is_named


async def test_callbacks_go_only_where_they_may(tmp_path: Path) -> None:
    """Neither to what is not allowed nor to ourselves."""
    async with listening(saying(answer())) as peer:
        far = await called(CallbackSettings(allow=("public",)), peer.url())
        own = await called(CallbackSettings(), peer.url(), (("127.0.0.1", peer.port),))
    for exchange in (far, own):
        assert isinstance(exchange, NoReply)
        assert exchange.kind is FailureKind.BLOCKED
    assert peer.connections == 0


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


async def shown(url: str, settings: CallbackSettings, own: tuple[tuple[str, int], ...] = ()) -> bytes | str:
    """The picture there, or why there is none."""
    wire = make_image_client(settings, own)
    try:
        image = await ImageProxy(lambda: wire).get(url)
        return image.body if isinstance(image, Image) else image.text
    finally:
        await wire.close()


def png(body: bytes = PNG) -> bytes:
    return answer(body, "200 OK", "content-type: image/png", "set-cookie: a=b")


@pytest.mark.fault(160)
@pytest.mark.parametrize("has_certificate", [True, False])
async def test_only_callbacks_carry_the_client_certificate(tmp_path: Path, has_certificate: bool) -> None:
    """The host of an image gets none, whatever it requires."""
    authority, (ca_file, own) = trustme.CA(), (tmp_path / "ca.pem", tmp_path / "own.pem")
    authority.cert_pem.write_to_path(str(ca_file))
    authority.issue_cert("notifier.example").private_key_and_cert_chain_pem.write_to_path(str(own))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca_file))
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    certificate = ClientCertificateSettings(str(own) if has_certificate else "")
    settings = CallbackSettings(ca_file=str(ca_file), tls=certificate)
    async with listening(saying(png()), tls) as peer:
        assert isinstance(await called(settings, peer.url()), HttpReply) == has_certificate
        assert isinstance(await shown(peer.url(), settings), str)
    assert len(peer.heads) == has_certificate


@pytest.mark.fault(161)
async def test_a_private_authority_is_trusted_for_its_provider_alone(tmp_path: Path) -> None:
    """Another provider of the same authority is not polled, and no key is sent to it."""
    authority, path = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with listening(saying(answer()), tls) as own, listening(saying(answer()), tls) as other:
        providers = {
            "own": ProviderSettings(name="own", base_url=own.url("/v1"), ca_file=str(path)),
            "other": ProviderSettings(name="other", base_url=other.url("/v1")),
        }
        wire = make_poll_client(Config(providers=providers))
        try:
            replies = [await wire.get(peer.url(), {}, timeout_ms=LONG_MS) for peer in (own, other)]
        finally:
            await wire.close()
    assert [type(reply) for reply in replies] == [HttpReply, NoReply]
    assert (len(own.heads), len(other.heads)) == (1, 0)


@pytest.mark.threat(19)
async def test_a_picture_is_asked_for_with_nothing_of_ours() -> None:
    """Neither key nor cookie, nor who we are for, however often it is asked."""
    async with listening(saying(png())) as peer:
        assert await shown(peer.url("/1.png"), CallbackSettings()) == PNG
        assert await shown(peer.url("/1.png"), CallbackSettings()) == PNG
    for head in peer.heads:
        names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"accept", b"accept-encoding", b"user-agent", b"connection"} & names
        assert not names & {b"cookie", b"authorization", b"referer", b"origin"}


@pytest.mark.threat(19)
async def test_a_picture_is_fetched_only_where_callbacks_may_go() -> None:
    """Not what is not allowed, not from ourselves, not where a redirect points to."""
    async with listening(saying(png())) as peer:
        far = await shown(peer.url(), CallbackSettings(allow=("public",)))
        own = await shown(peer.url(), CallbackSettings(), (("127.0.0.1", peer.port),))
        assert peer.connections == 0
        moved = answer(b"", "302 Found", f"location: {peer.url()}")
        async with listening(saying(moved)) as first:
            led = await shown(first.url(), CallbackSettings())
        assert peer.connections == 0
    metadata = await shown("http://169.254.169.254/latest/meta-data/", CallbackSettings())
    for refusal in (far, own, metadata):
        assert isinstance(refusal, str)
        assert refusal.startswith("address not allowed")
    assert isinstance(led, str)
    assert led.startswith("redirect to")


@pytest.mark.threat(19)
async def test_a_picture_is_read_up_to_a_limit() -> None:
    """However much comes."""
    async with listening(saying(png(PNG + b"\0" * MAX_IMAGE_BYTES))) as peer:
        found = await shown(peer.url(), CallbackSettings())
    assert found == "it is larger than 8 MiB; open the link itself"

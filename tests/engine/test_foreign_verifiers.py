"""What goes out is taken by the verifiers that receivers use, and what is not ours is not."""

from dataclasses import replace

import pytest

from notifier.clock import wall_ms
from notifier.core.delivery.endpoint_settings import EndpointSettings
from notifier.core.delivery.signature import make_secret
from notifier.core.formats.urls import url_to_origin
from notifier.core.secret import Secret
from tests.engine.conftest import HOOK, SIGNING, Bench
from tests.engine.test_deliverer import OK, finished
from tests.fakes import Request
from tests.verifiers import Verifier, by_npm, by_standardwebhooks, by_svix, npm_is_missing

NEW = make_secret(bytes(range(100, 132)))
NOBODYS = make_secret(bytes(range(200, 232)))
METADATA = '{"für":"Jörg","絵":"🖼️","rtl":"שלום","escaped":"\\u00e9\\u2028"}'


@pytest.fixture(params=[by_standardwebhooks, by_svix, by_npm], ids=lambda verifier: verifier.__name__)
def is_taken(request: pytest.FixtureRequest) -> Verifier:
    """Each of the verifiers in turn."""
    verifier: Verifier = request.param
    if verifier is by_npm and (why := npm_is_missing()):
        pytest.skip(why)
    return verifier


async def sent(bench: Bench, *, ms_ago: int = 0) -> Request:
    """A callback as the receiver got it, signed by two secrets, sent so long ago by this machine's clock."""
    bench.deliverer.settings = replace(bench.deliverer.settings, secrets=(NEW, SIGNING))
    return await sent_as_configured(bench, ms_ago=ms_ago)


async def sent_as_configured(bench: Bench, *, ms_ago: int = 0) -> Request:
    """A callback as the receiver got it, signed as the settings of the test say."""
    bench.clock.step(wall_ms() - ms_ago - bench.clock.now() - 2_500)
    await finished(bench, OK, metadata=METADATA)
    await bench.deliver()
    (request,) = bench.posts.requests
    assert "Jörg".encode() in request.body
    return request


@pytest.mark.parametrize("secret", [NEW, SIGNING], ids=["the new secret", "the old secret"])
async def test_either_secret_verifies_what_is_sent(bench: Bench, is_taken: Verifier, secret: Secret) -> None:
    """Two secrets are active, and the body is UTF-8 beyond ASCII."""
    request = await sent(bench)
    assert is_taken(secret.reveal(), request.headers, request.body)


async def test_another_secret_verifies_nothing(bench: Bench, is_taken: Verifier) -> None:
    """A receiver that has been told neither takes nothing."""
    request = await sent(bench)
    assert not is_taken(NOBODYS.reveal(), request.headers, request.body)


@pytest.mark.threat(14)
async def test_a_message_older_than_five_minutes_is_refused(bench: Bench, is_taken: Verifier) -> None:
    """The timestamp is signed: who recorded a message cannot play it back later."""
    request = await sent(bench, ms_ago=310_000)
    assert not is_taken(SIGNING.reveal(), request.headers, request.body)
    fresh = {**request.headers, "webhook-timestamp": str(wall_ms() // 1_000)}
    assert not is_taken(SIGNING.reveal(), fresh, request.body)


async def test_a_tampered_message_is_refused(bench: Bench, is_taken: Verifier) -> None:
    """One letter of the body, or the id, and no signature fits."""
    request = await sent(bench)
    other = request.body.replace("Jörg".encode(), "Jürg".encode())
    assert not is_taken(SIGNING.reveal(), request.headers, other)
    assert not is_taken(SIGNING.reveal(), {**request.headers, "webhook-id": "evt_other"}, request.body)


@pytest.mark.threat(14)
async def test_an_endpoint_with_its_own_secret_trusts_no_other(bench: Bench, is_taken: Verifier) -> None:
    """A receiver that knows the secret of all can forge nothing for an endpoint that has its own."""
    own = {f"{url_to_origin(HOOK)}/*": EndpointSettings((NEW,))}
    bench.deliverer.settings = replace(bench.deliverer.settings, endpoints=own)
    request = await sent_as_configured(bench)
    assert is_taken(NEW.reveal(), request.headers, request.body)
    assert not is_taken(SIGNING.reveal(), request.headers, request.body)

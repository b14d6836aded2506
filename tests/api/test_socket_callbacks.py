"""A callback URL may be a Unix socket that ``callbacks.allow`` names."""

from dataclasses import replace

import pytest

from notifier.core.formats.addresses import AddressPolicy
from tests.api.conftest import Bench, registration

URL = "unix:/run/app/web.sock:/hook"


@pytest.mark.fault(162)
async def test_a_socket_that_is_allowed_is_registered(bench: Bench) -> None:
    """It is an endpoint as any other, and the same for each query."""
    bench.settings = replace(bench.settings, policy=AddressPolicy.of(["unix:/run/app/*.sock"]))
    watch = await bench.register(callback_url=f"{URL}?user=7")
    assert watch["callbacks"][0]["url"] == f"{URL}?user=7"
    await bench.end(watch["id"])
    [endpoint] = (await bench.http.get("/v1/endpoints")).json()["endpoints"]
    assert (endpoint["url"], endpoint["state"]) == (URL, "open")
    listed = await bench.http.get("/v1/deliveries", params={"url": f"{URL}?user=7"})
    assert [each["url"] for each in listed.json()["deliveries"]] == [f"{URL}?user=7"]


@pytest.mark.fault(163)
@pytest.mark.parametrize(
    ("url", "why"),
    [
        (URL, 'callbacks.allow has no entry "unix:/run/app/web.sock"'),
        (
            "unix:/var/run/docker.sock:/v1.43/containers/create",
            "belongs to a container engine or to the system",
        ),
        ("unix:/run/app/web.sock/../x:/", "segment"),
    ],
)
async def test_a_socket_that_is_not_allowed_is_refused(bench: Bench, url: str, why: str) -> None:
    """At the registration, with the reason."""
    answer = await bench.http.post("/v1/watches", json=registration(callback_url=url))
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "/callback_url")
    assert why in error["detail"]

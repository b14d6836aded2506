"""Results as pictures, through the daemon: the answer itself, and what stands before it."""

import asyncio
from collections.abc import Mapping

import pytest

from notifier.core.exchange import Exchange, HttpReply
from notifier.core.images import Image
from notifier.core.secret import Secret
from notifier.results import image_proxy
from notifier.results.image_proxy import MAX_FETCHES, MAX_REQUESTS, ImageProxy, ImageProxyBusy
from tests.api.conftest import Bench
from tests.core.test_picture import BEGINNINGS, SVG
from tests.fakes import FakeWire

URL = "https://cdn.example/router/result_00.png?sig=a%2Fb"
PNG = HttpReply(200, {"content-type": "image/png"}, BEGINNINGS["image/png"])
IMAGE = Image("image/png", PNG.body)


async def ended(bench: Bench, *outputs: str) -> str:
    """The path to the outputs of a watch that has these."""
    watch_id: str = (await bench.register())["id"]
    await bench.end(watch_id, outputs=outputs)
    return f"/v1/watches/{watch_id}/outputs"


@pytest.mark.threat(19)
async def test_a_picture_comes_as_what_it_is_and_can_do_nothing(bench: Bench) -> None:
    """Its type is the one we found, no guess is allowed, and opened by itself it is in a sandbox."""
    bench.wire.add(URL, PNG)
    answer = await bench.http.get(f"{await ended(bench, URL)}/0")
    assert (answer.status_code, answer.content) == (200, PNG.body)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["content-disposition"] == 'inline; filename="output-0.png"'
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.threat(19)
async def test_nothing_of_the_reader_goes_out(bench: Bench) -> None:
    """The link as it was given, what we take, and no cookie, token or referrer."""
    bench.wire.add(URL, PNG)
    told = {
        "cookie": "notifier_session_8484=x",
        "referer": "http://127.0.0.1:8484/",
        "authorization": "Bearer x",
    }
    await bench.http.get(f"{await ended(bench, URL)}/0", headers=told)
    (request,) = bench.wire.requests
    assert (request.method, request.url, set(request.headers)) == ("GET", URL, {"accept"})


@pytest.mark.threat(19)
@pytest.mark.parametrize("number", ["1", "-1", "00000", "x", "%30x", "0.0", "٠", URL.replace("/", "%2F")])
async def test_only_what_the_provider_gave_can_be_named(bench: Bench, number: str) -> None:
    """By its number; there is no way to hand in a URL."""
    path = await ended(bench, URL)
    answer = await bench.http.get(f"{path}/{number}")
    assert answer.status_code == 404
    assert (await bench.http.get(f"{path}/0?url={URL}")).status_code == 422
    assert bench.wire.requests == []


async def test_an_unknown_output_is_told_how_many_there_are(bench: Bench) -> None:
    """And from where they are counted."""
    answer = await bench.http.get(f"{await ended(bench, URL)}/1")
    assert answer.json()["detail"] == "there is no such output; this watch has 1, counted from 0"


async def test_an_unknown_watch_has_no_pictures(bench: Bench) -> None:
    for watch_id in ("wch_01KAQ7W3G0ABCDEFGHJKMNPQRS", "nonsense"):
        assert (await bench.http.get(f"/v1/watches/{watch_id}/outputs/0")).status_code == 404


@pytest.mark.threat(19)
@pytest.mark.parametrize(
    "output",
    [
        "unix:/run/a.sock:/1.png",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:image/png;base64,AA",
        "https://u:p@x/1.png",
        "x",
    ],
)  # fmt: skip
async def test_what_is_no_link_is_not_fetched(bench: Bench, output: str) -> None:
    """Neither a file nor a script, nor one that would log us in somewhere."""
    answer = await bench.http.get(f"{await ended(bench, output)}/0")
    assert (answer.status_code, answer.json()["code"]) == (502, "no_picture")
    assert bench.wire.requests == []


async def test_what_is_no_picture_is_said_in_words(bench: Bench) -> None:
    bench.wire.add(URL, HttpReply(200, {"content-type": "image/svg+xml"}, SVG))
    answer = await bench.http.get(f"{await ended(bench, URL)}/0")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")
    assert answer.json()["detail"].startswith("it is image/svg+xml, and only PNG")
    assert b"<svg" not in answer.content


@pytest.mark.threat(19)
async def test_pages_of_others_cannot_have_one_fetched(bench: Bench) -> None:
    """Nor can who shows no token."""
    path = await ended(bench, URL)
    for given in (
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example"},
        {"host": "evil.example"},
    ):
        assert (await bench.http.get(f"{path}/0", headers=given)).status_code in (403, 421)
    bench.configure(tokens=(Secret("t0ken-" + "a" * 40),))
    assert (await bench.http.get(f"{path}/0")).status_code == 401
    assert bench.wire.requests == []


class SlowWire(FakeWire):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.under_way = self.most = 0

    async def get(self, url: str, headers: Mapping[str, str], *, timeout_ms: int, **_: object) -> Exchange:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.let_go.wait()
        self.under_way -= 1
        return PNG


@pytest.mark.threat(19)
async def test_few_are_fetched_at_once_and_few_may_wait() -> None:
    """So that they take a bounded part of memory and of everybody's time."""
    wire = SlowWire()
    proxy = ImageProxy(lambda: wire)
    fetching = [asyncio.create_task(proxy.get(URL)) for _ in range(MAX_REQUESTS)]
    await asyncio.sleep(0)
    assert await proxy.get(URL) == ImageProxyBusy("10 requests for images are waiting already")
    wire.let_go.set()
    assert await asyncio.gather(*fetching) == [IMAGE] * MAX_REQUESTS
    assert wire.most == MAX_FETCHES
    assert await proxy.get(URL) == IMAGE  # every place was given back


async def test_who_waits_too_long_for_a_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_proxy, "QUEUE_TIMEOUT_S", 0)
    wire = SlowWire()
    proxy = ImageProxy(lambda: wire)
    fetching = [asyncio.create_task(proxy.get(URL)) for _ in range(MAX_FETCHES + 1)]
    done, _ = await asyncio.wait(fetching, return_when=asyncio.FIRST_COMPLETED)
    assert [each.result() for each in done] == [ImageProxyBusy("no fetch of an image finished in time")]
    wire.let_go.set()
    outcomes = await asyncio.gather(*fetching)
    assert outcomes.count(IMAGE) == MAX_FETCHES


async def test_a_request_beyond_the_limit_is_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may retry a second later."""
    monkeypatch.setattr(image_proxy, "MAX_REQUESTS", 0)
    answer = await bench.http.get(f"{await ended(bench, URL)}/0")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["retry-after"] == "1"
    assert bench.wire.requests == []

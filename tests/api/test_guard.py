"""Who is let in: row 97 of the fault matrix, and rows 1 to 5 of the threats."""

from collections.abc import Iterable

import pytest

from notifier.api.status import TEXT_FORMAT
from notifier.core.secret import Secret
from tests.api.conftest import ROUTES, Bench, registration

Pairs = Iterable[tuple[bytes, bytes]]


class Answer:
    """What went out, taken apart by hand: httpx would repair a request before sending it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.bytes_read = 0


async def ask(bench: Bench, method: str, path: str, headers: Pairs, body: bytes = b"") -> Answer:
    answer = Answer()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [*headers, *([(b"content-length", str(len(body)).encode())] if body else [])],
        "scheme": "http",
    }

    async def receive() -> dict[str, object]:
        if answer.status == 0:
            answer.bytes_read += len(body)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            answer.status = int(str(message["status"]))
            answer.headers = dict(message["headers"])  # type: ignore[call-overload]
        else:
            answer.body += bytes(message.get("body", b""))  # type: ignore[call-overload]

    await bench.app(scope, receive, send)  # type: ignore[arg-type]
    return answer


@pytest.mark.fault(97)
@pytest.mark.threat(1)
@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b""],
        [b"127.0.0.1.evil"],
        [b"localhost:1@evil"],
        [b"evil"],
        [b"evil:8484"],
        [b"localhost.evil:8484"],
        [b"localhost", b"localhost"],
        [b"127.0.0.1", b"evil"],
        [b"localhost "],
        [b"localhost:x"],
        [b"localhost:123456"],
        [b"localhost/"],
        [b"http://localhost"],
        [b"localhost,evil"],
        [b"::1"],
        [b"[::1"],
        [b"[::1].evil"],
        [b"[]"],
        [b"localhost\x00"],
        ["löcalhost".encode()],
        [b"localhost."],
        [b"0.0.0.0:8484"],
        [b"127.1"],
        [b"2130706433"],
        [b"169.254.169.254"],
        [b"*"],
        [b":8484"],
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/v1/watches", "/nowhere"])
async def test_a_host_that_is_not_ours_is_421(bench: Bench, hosts: list[bytes], path: str) -> None:
    """A name that was made to lead here is still not ours, whatever the port."""
    answer = await ask(bench, "GET", path, [(b"host", host) for host in hosts])
    assert answer.status == 421
    assert b'"wrong_host"' in answer.body


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LOCALHOST:8484",
        b"127.0.0.1",
        b"127.0.0.1:1",
        b"[::1]",
        b"[::1]:8484",
        b"Notifier.Example",
        b"notifier.example:443",
        b"localhost:",
    ],
)
async def test_our_names_are_compared_and_not_their_ports(bench: Bench, host: bytes) -> None:
    assert (await ask(bench, "GET", "/healthz", [(b"host", host)])).status == 200


async def test_the_address_that_is_listened_on_is_a_name_of_ours(bench: Bench) -> None:
    bench.configure(listen="192.0.2.7:8484", allowed_hosts=("[2001:DB8::7]",))
    assert (await ask(bench, "GET", "/healthz", [(b"host", b"192.0.2.7:8484")])).status == 200
    assert (await ask(bench, "GET", "/healthz", [(b"host", b"[2001:db8::7]:8484")])).status == 200
    for everywhere, name in (("0.0.0.0:8484", b"0.0.0.0:8484"), ("[::]:8484", b"[::]:8484"), ("*:1", b"*")):
        bench.configure(listen=everywhere)
        assert (await ask(bench, "GET", "/healthz", [(b"host", name)])).status == 421


async def test_a_unix_socket_needs_a_host_too(bench: Bench) -> None:
    bench.configure(listen="unix:/run/notifier/notifier.sock")
    assert (await ask(bench, "GET", "/healthz", [(b"host", b"localhost")])).status == 200
    assert (await ask(bench, "GET", "/healthz", [])).status == 421
    assert (await ask(bench, "GET", "/healthz", [(b"host", b"unix")])).status == 421


@pytest.mark.fault(97)
@pytest.mark.threat(2)
@pytest.mark.parametrize(
    "headers",
    [
        [(b"origin", b"null")],
        [(b"origin", b"")],
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"http://localhost:3000")],
        [(b"origin", b"http://localhost")],
        [(b"origin", b"https://localhost:8484")],
        [(b"origin", b"http://localhost:8484"), (b"origin", b"http://evil")],
        [(b"origin", b"http://localhost:8484.evil")],
        [(b"origin", b"\xff\xfe")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"")],
        [(b"sec-fetch-site", b"none"), (b"sec-fetch-site", b"cross-site")],
        [(b"origin", b"http://localhost:8484"), (b"sec-fetch-site", b"cross-site")],
        [(b"origin", b"https://localhost:8484"), (b"sec-fetch-site", b"none")],
        [(b"origin", b"https://localhost:8484"), (b"sec-fetch-site", b"same-site")],
        [(b"origin", b"https://localhost"), (b"sec-fetch-site", b"same-origin")],
        [(b"origin", b"https://evil.example"), (b"sec-fetch-site", b"same-origin")],
        [(b"origin", b"https://localhost:8484"), *[(b"sec-fetch-site", b"same-origin")] * 2],
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_a_page_of_another_origin_gets_403(bench: Bench, headers: Pairs, method: str) -> None:
    """Whatever it asks, and also where it hides its name."""
    for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"application/json"):
        body = b"{}" if method == "POST" else b""
        answer = await ask(
            bench,
            method,
            "/v1/watches",
            [(b"host", b"localhost:8484"), (b"content-type", kind), *headers],
            body,
        )
        assert (answer.status, answer.bytes_read) == (403, 0)
    assert (await bench.http.get("/v1/watches")).json()["watches"] == []


async def test_our_own_page_is_served(bench: Bench) -> None:
    """Also where a proxy speaks TLS for us: the browser says itself that its page is from where it asks."""
    for headers in (
        [(b"origin", b"http://localhost:8484"), (b"sec-fetch-site", b"same-origin")],
        [(b"origin", b"HTTP://LOCALHOST:8484")],
        [(b"sec-fetch-site", b"none")],
        [(b"origin", b"https://localhost:8484"), (b"sec-fetch-site", b"same-origin")],
    ):
        answer = await ask(bench, "GET", "/v1/watches", [(b"host", b"localhost:8484"), *headers])
        assert answer.status == 200


TOKENS = (Secret("t0ken-" + "a" * 40), Secret("schlüssel-" + "b" * 40))
LOCAL = (b"host", b"localhost")


@pytest.mark.fault(97)
@pytest.mark.threat(5)
@pytest.mark.parametrize(
    "shown",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer wrong"],
        [b"Basic " + TOKENS[0].reveal().encode()],
        [TOKENS[0].reveal().encode()],
        [b"Bearer " + b"\xff" * 46],
        [b"Bearer " + b"x" * 100_000],
        [b"Bearer \x00"],
        [b"Bearer " + TOKENS[0].reveal().encode() + b"x"],
        [b"Bearer " + TOKENS[0].reveal()[:-1].encode()],
        [b"Bearer " + TOKENS[0].reveal().upper().encode()],
        ["Bearer schlüssel".encode("latin-1")],
        [b"Bearer " + TOKENS[0].reveal().encode(), b"Bearer wrong"],
    ],
)
async def test_without_a_token_of_ours_nothing_is_served(bench: Bench, shown: list[bytes]) -> None:
    """No token, another one, one that is no ASCII: 401, never 500."""
    bench.configure(tokens=TOKENS)
    headers = [LOCAL, (b"content-type", b"application/json"), *((b"authorization", each) for each in shown)]
    for method, path in (
        ("GET", "/v1/watches"),
        ("POST", "/v1/watches"),
        ("GET", "/readyz"),
        ("GET", "/nowhere"),
        ("GET", "/healthz/"),
        ("GET", "//healthz"),
        ("GET", "/openapi.json"),
    ):
        answer = await ask(bench, method, path, headers, b"{}" if method == "POST" else b"")
        assert (answer.status, answer.headers[b"www-authenticate"], answer.bytes_read) == (401, b"Bearer", 0)


async def test_each_token_opens_and_healthz_needs_none(bench: Bench) -> None:
    bench.configure(tokens=TOKENS)
    for token in TOKENS:
        for scheme in (b"Bearer ", b"bearer  "):
            shown = (b"authorization", scheme + token.reveal().encode())
            assert (await ask(bench, "GET", "/v1/watches", [LOCAL, shown])).status == 200
    assert (await ask(bench, "GET", "/healthz", [LOCAL])).status == 200


async def test_a_reload_changes_who_is_let_in(bench: Bench) -> None:
    assert (await bench.http.get("/v1/status")).status_code == 200
    bench.configure(tokens=TOKENS)
    assert (await bench.http.get("/v1/status")).status_code == 401


@pytest.mark.threat(3)
async def test_every_answer_says_not_to_sniff_or_store_and_nothing_of_cors(bench: Bench) -> None:
    """On every route, and for every refusal."""
    watch_id = (await bench.register())["id"]
    bench.feed.close()  # a stream has no end; tests/api/test_events.py looks at its head
    for route in ROUTES:
        path = route.path.replace("{id}", watch_id)
        for method in (route.method, "OPTIONS", "HEAD", "TRACE"):
            answer = await bench.http.request(method, path, headers={"access-control-request-method": "POST"})
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert not [name for name in answer.headers if name.startswith("access-control")]
            if method in ("OPTIONS", "TRACE"):
                assert answer.status_code == 405
                assert "OPTIONS" not in answer.headers["allow"]


@pytest.mark.fault(97)
async def test_the_order_is_host_origin_token_body(bench: Bench) -> None:
    """Nobody's body is read before it is known who asks."""
    bench.configure(tokens=TOKENS)
    evil: list[tuple[bytes, bytes]] = [(b"origin", b"null"), (b"content-type", b"text/plain")]
    body = b"x" * 10_000_000
    assert (await ask(bench, "POST", "/v1/watches", [(b"host", b"evil"), *evil], body)).status == 421
    assert (await ask(bench, "POST", "/v1/watches", [LOCAL, *evil], body)).status == 403
    assert (await ask(bench, "POST", "/v1/watches", [LOCAL, evil[1]], body)).status == 401
    shown = (b"authorization", b"Bearer " + TOKENS[0].reveal().encode())
    assert (await ask(bench, "POST", "/v1/watches", [LOCAL, shown, evil[1]], body)).status == 415
    json_type = (b"content-type", b"application/json")
    assert (await ask(bench, "POST", "/v1/watches", [LOCAL, shown, json_type], body)).status == 413


@pytest.mark.threat(5)
async def test_the_token_is_in_no_answer(bench: Bench) -> None:
    """Neither in a refusal nor elsewhere."""
    bench.configure(tokens=TOKENS)
    shown = TOKENS[0].reveal()
    answer = await bench.http.post(
        "/v1/watches", json=registration(), headers={"authorization": f"Bearer {shown}x"}
    )
    assert shown not in answer.text


async def test_metrics_are_text_and_guarded_like_the_rest(bench: Bench) -> None:
    answer = await bench.http.get("/metrics")
    assert (answer.status_code, answer.text) == (200, "planted 1.0\n")
    assert answer.headers["content-type"] == TEXT_FORMAT
    bench.configure(tokens=TOKENS)
    assert (await bench.http.get("/metrics")).status_code == 401

"""What a registration is refused for, each fault at its place, and nothing of it stored."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from notifier.api import json_fields
from notifier.api.json_fields import MAX_ERRORS
from notifier.core.formats.headers import MAX_VALUE_CHARS
from notifier.core.model import WatchState
from notifier.core.nearest import find_nearest
from tests.api.conftest import HOOK, Bench, pointers, registration

JSON = {"content-type": "application/json"}


async def refused(bench: Bench, body: dict[str, Any]) -> list[str]:
    answer = await bench.http.post("/v1/watches", json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await bench.store.counts(now=bench.clock.now())).watches.get(WatchState.WATCHING, 0) == 0
    return pointers(answer)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"task_id": ...}, "/task_id"),
        ({"task_id": 1}, "/task_id"),
        ({"task_id": None}, "/task_id"),
        ({"task_id": ""}, "/task_id"),
        ({"task_id": ".."}, "/task_id"),
        ({"task_id": "a/../b"}, "/task_id"),
        ({"task_id": "%2e%2e"}, "/task_id"),
        ({"task_id": "a?b"}, "/task_id"),
        ({"task_id": "a#b"}, "/task_id"),
        ({"task_id": "-a"}, "/task_id"),
        ({"task_id": "é"}, "/task_id"),
        ({"task_id": "a\n"}, "/task_id"),
        ({"task_id": "a" * 201}, "/task_id"),
        ({"api_path": ...}, "/api_path"),
        ({"api_path": []}, "/api_path"),
        ({"api_path": "vendors"}, "/api_path"),
        ({"api_path": "/a/../b"}, "/api_path"),
        ({"api_path": "/a//b"}, "/api_path"),
        ({"api_path": "//evil/a"}, "/api_path"),
        ({"api_path": "/a?b"}, "/api_path"),
        ({"api_path": "/%2e%2e"}, "/api_path"),
        ({"api_path": "/a\r\nX: y"}, "/api_path"),
        ({"provider": "mulrouter"}, "/provider"),
        ({"provider": 7}, "/provider"),
        ({"callback_url": ...}, "/callback_url"),
        ({"callback_url": {}}, "/callback_url"),
        ({"callbacks": [{"url": HOOK}]}, "/callback_url"),
        ({"callback_url": ..., "callbacks": []}, "/callbacks"),
        ({"callback_url": ..., "callbacks": {}}, "/callbacks"),
        ({"callback_url": ..., "callbacks": [{"url": f"{HOOK}{n}"} for n in range(17)]}, "/callbacks"),
        (
            {"callback_url": ..., "callbacks": [{"url": HOOK}, {"url": HOOK.upper()[:4] + HOOK[4:]}]},
            "/callbacks",
        ),
        ({"callback_url": ..., "callbacks": ["x"]}, "/callbacks/0"),
        ({"callback_url": ..., "callbacks": [{}]}, "/callbacks/0/url"),
        ({"callback_url": ..., "callbacks": [{"url": HOOK, "event": []}]}, "/callbacks/0/event"),
        ({"callback_url": ..., "callbacks": [{"url": HOOK, "events": []}]}, "/callbacks/0/events"),
        ({"callback_url": ..., "callbacks": [{"url": HOOK, "events": ["done"]}]}, "/callbacks/0/events/0"),
        ({"callback_url": ..., "callbacks": [{"url": HOOK, "events": [1]}]}, "/callbacks/0/events/0"),
        (
            {"callback_url": ..., "callbacks": [{"url": HOOK, "events": ["task.lost"] * 2}]},
            "/callbacks/0/events/1",
        ),
        ({"callback_url": ..., "callbacks": [{"url": HOOK, "headers": []}]}, "/callbacks/0/headers"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": None}, "/metadata"),
        ({"metadata": {"x": "y" * 16_384}}, "/metadata"),
        ({"expire_after": "49ms"}, "/expire_after"),
        ({"expire_after": "soon"}, "/expire_after"),
        ({"expire_after": "500d"}, "/expire_after"),
        ({"expire_after": True}, "/expire_after"),
        ({"expire_after": None}, "/expire_after"),
        ({"expire_after": 1e300}, "/expire_after"),
        ({"task_url": "https://api.mulerouter.ai/v1/t"}, "/task_url"),
        ({"Task_id": "x"}, "/Task_id"),
        ({"": 1}, "/"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"x" * 5_000: 1}, "/" + "x" * 59 + "…"),
    ],
)
async def test_a_fault_is_told_at_its_place(bench: Bench, change: dict[str, Any], pointer: str) -> None:
    assert await refused(bench, registration(**change)) == [pointer]


async def test_all_faults_are_told_at_once(bench: Bench) -> None:
    body = {"taskid": "x", "callback_url": "ftp://x", "metadata": 1, "expire_after": "x", "provider": "y"}
    assert await refused(bench, body) == [
        "/taskid",
        "/provider",
        "/api_path",
        "/task_id",
        "/callback_url",
        "/metadata",
        "/expire_after",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("callback", "did you mean callback_url?"), ("events", "callbacks"), ("headers", "callbacks")],
)
async def test_a_field_that_is_likely_meant_otherwise_says_where_it_belongs(
    bench: Bench, name: str, hint: str
) -> None:
    """The nearest spelling is not always what was meant."""
    answer = await bench.http.post("/v1/watches", json=registration() | {name: "x"})
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == f"/{name}"
    assert hint in fault["detail"]


async def test_an_unknown_field_names_the_nearest(bench: Bench) -> None:
    answer = await bench.http.post("/v1/watches", json=registration(calback_url="x"))
    (fault,) = answer.json()["errors"]
    assert fault == {"pointer": "/calback_url", "detail": "unknown field; did you mean callback_url?"}
    assert answer.json()["detail"] == "/calback_url: unknown field; did you mean callback_url?"


async def test_the_list_of_faults_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is the time that is spent on looking for near names."""
    asked: list[str] = []

    def counted(word: str, names: Iterable[str]) -> str | None:
        asked.append(word)
        return find_nearest(word, names)

    monkeypatch.setattr(json_fields, "find_nearest", counted)
    assert len(await refused(bench, {f"x{n}": 1 for n in range(5_000)})) == MAX_ERRORS
    assert len(asked) == MAX_ERRORS


@pytest.mark.fault(92)
@pytest.mark.threat(7)
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "HTTP:127.0.0.1",
        "//127.0.0.1/x",
        "hook",
        "http://user@127.0.0.1/x",
        "http://u:p@127.0.0.1/x",
        "http://127.0.0.1:0/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:x/",
        "http:///x",
        "http://",
        "http://xn--/",
        "http://127.1/x",
        "http://0x7f000001/x",
        "http://2130706433/x",
        "http://0177.0.0.1/x",
        "http://127.0.0.1\\@evil/x",
        "http://a b/",
        "http://[::1/x",
        "http://127.0.0.1/#frag",
        "http://127.0.0.1/a\r\nX: y",
        "http://127.0.0.1/\u0001",
        "http://[fe80::1%25eth0]/",
        "http://" + "a" * 3_000,
        # addresses where no receiver of anybody's is
        "http://169.254.169.254/latest",
        "http://[fe80::1]/x",
        "http://[fd00:ec2::254]/x",
        "http://100.100.100.200/",
        "http://0.0.0.0:9/x",
        "http://[::]:9/x",
        "http://224.0.0.1/x",
        "http://[ff02::1]/x",
        "http://255.255.255.255/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        # ourselves
        "http://127.0.0.1:8484/v1/watches",
        "http://[::ffff:127.0.0.1]:8484/x",
    ],
)
async def test_urls_that_nothing_is_ever_sent_to_are_refused(bench: Bench, url: str) -> None:
    """Rows 80 and 92. Names are judged when they are connected to."""
    assert await refused(bench, registration(callback_url=url)) == ["/callback_url"]


async def test_a_private_address_is_refused_where_only_loopback_is_allowed(bench: Bench) -> None:
    bench.configure(policy=bench.settings.policy.of(("loopback",)))
    assert await refused(bench, registration(callback_url="http://10.0.0.1/x")) == ["/callback_url"]
    bench.configure(policy=bench.settings.policy.of(("10.0.0.0/8",)))
    await bench.register(callback_url="http://10.0.0.1/x")


@pytest.mark.fault(93)
@pytest.mark.threat(10)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("host", "x"),
        ("Content-Type", "x"),
        ("content-anything", "x"),
        ("Transfer-Encoding", "x"),
        ("Connection", "x"),
        ("webhook-id", "x"),
        ("Webhook-Signature", "x"),
        ("notifier-attempt", "x"),
        ("", "x"),
        ("X Y", "x"),
        ("X:Y", "x"),
        ("X\r\nY", "x"),
        ("é", "x"),
        ("X", "a\r\nb"),
        ("X", "a\u2028b"),
        ("X", "é"),
        ("X", "a" * (MAX_VALUE_CHARS + 1)),
        ("X", "a" * 8_192),
        ("X", 1),
        ("X", None),
        ("X" * 5_000, "x"),
    ],
)
async def test_headers_that_could_forge_a_callback_are_refused(
    bench: Bench, name: str, value: object
) -> None:
    """Row 93 of the fault matrix."""
    body = registration(callback_url=..., callbacks=[{"url": HOOK, "headers": {name: value}}])
    (pointer,) = await refused(bench, body)
    assert pointer.startswith("/callbacks/0/headers/")


@pytest.mark.fault(83, 84)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b"nul",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 01}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32-le"),
        b'{"a": "\x00"}',
        b"\x00",
        b'{"a": "\n"}',
    ],
)
async def test_what_is_no_json_is_400(bench: Bench, body: bytes) -> None:
    """Rows 83 and 84 of the fault matrix."""
    for path in ("/v1/watches", "/v1/watches/batch"):
        answer = await bench.http.post(path, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json"), body


@pytest.mark.fault(84, 86)
@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("[]", ""),
        ("1", ""),
        ("null", ""),
        ('"x"', ""),
        ("[" * 100_000 + "]" * 100_000, ""),
        ('{"metadata": {"a": "\\u0000"}}', "/metadata/a"),
        ('{"metadata": {"a": ["\\ud800"]}}', "/metadata/a/0"),
        ('{"metadata": {"\\udc00": 1}}', "/metadata/\ufffd"),
        ('{"metadata": {"a": 1, "a": 1}}', "/metadata/a"),
        ('{"metadata": {"a": 1e999}}', "/metadata/a"),
        ('{"metadata": {"a": 1180591620717411303424}}', "/metadata/a"),
        ('{"metadata": {"a": ' + "9" * 5_000 + "}}", "/metadata/a"),
        ('{"task_id": "a", "task_id": "b"}', "/task_id"),
        ('{"metadata": {"a": ' + "[" * 70 + "]" * 70 + "}}", "/metadata/a" + "/0" * 62),
    ],
)
async def test_json_in_doubt_is_422(bench: Bench, text: str, pointer: str) -> None:
    """Rows 84 and 86 of the fault matrix; metadata is no exception."""
    answer = await bench.http.post("/v1/watches", content=text.encode(), headers=JSON)
    assert pointers(answer) == [pointer]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/poll"), ("DELETE", ""), ("GET", ""), ("POST", "/resume")],
)
async def test_a_body_with_anything_in_it_is_refused_where_none_is_wanted(
    bench: Bench, method: str, path: str
) -> None:
    watch_id = (await bench.register())["id"]
    url = f"/v1/watches/{watch_id}{path}"
    for body, status in ((b'{"x": 1}', 422), (b"[]", 422), (b"{", 400)):
        answer = await bench.http.request(method, url, content=body, headers=JSON)
        assert answer.status_code == status
    assert (await bench.see(watch_id))["state"] == "watching"
    assert (await bench.http.request(method, url, content=b"{}", headers=JSON)).status_code in (200, 202, 409)


async def test_a_bad_resume_changes_nothing(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.http.delete(f"/v1/watches/{watch_id}")
    for body in ({"expire_after": "1ms"}, {"expireafter": "1h"}, [1]):
        answer = await bench.http.post(
            f"/v1/watches/{watch_id}/resume", content=json.dumps(body), headers=JSON
        )
        assert answer.status_code == 422
    assert (await bench.see(watch_id))["state"] == "stopped"

"""How a browser is let in where there are tokens: by a link that a token makes, once and for a minute."""

import httpx
import pytest

from notifier.core.secret import Secret
from notifier.server.sessions import CODE_TTL_S, MAX_CODES, SESSION_TTL_S
from tests.api.conftest import Bench

TOKENS = (Secret("t0ken-" + "a" * 40), Secret("t0ken-" + "b" * 40))
OWN = {"origin": "http://127.0.0.1:8484"}


def shown(token: Secret) -> dict[str, str]:
    return {"authorization": f"Bearer {token.reveal()}"}


async def link(bench: Bench, token: Secret = TOKENS[0]) -> str:
    """Have a link made; there are tokens from now on."""
    bench.configure(tokens=TOKENS)
    answer = await bench.http.post("/v1/login", headers=shown(token))
    assert answer.status_code == 201, answer.text
    path: str = answer.json()["path"]
    return path


async def browser(bench: Bench, token: Secret = TOKENS[0]) -> httpx.AsyncClient:
    """A browser that has been let in; it keeps its cookie."""
    path = await link(bench, token)
    client = bench.client(bench.app)
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return client


async def test_a_link_lets_a_browser_in(bench: Bench) -> None:
    """To the page, its files, its reads and its stream's door."""
    client = await browser(bench)
    for path in ("/", "/page/app.js", "/v1/watches", "/v1/status"):
        assert (await client.get(path)).status_code == 200
        assert (await bench.http.get(path)).status_code == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(bench: Bench) -> None:
    """And has the port in its name, since cookies know none."""
    answer = await bench.http.get(await link(bench))
    given = answer.headers["set-cookie"].split("; ")
    assert given[0].startswith("notifier_session_8484=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(given)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_link_is_good_once(bench: Bench) -> None:
    """Whoever finds it in a history gets nothing for it."""
    path = await link(bench)
    assert (await bench.http.get(path)).status_code == 303
    answer = await bench.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"  # RFC 9110: each 401 says how
    assert "set-cookie" not in answer.headers


async def test_a_look_at_a_link_does_not_use_it_up(bench: Bench) -> None:
    """HEAD is safe (RFC 9110): what checks links before a person follows them lets nobody in."""
    path = await link(bench)
    answer = await bench.http.head(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "set-cookie" not in answer.headers
    assert "set-cookie" in (await bench.http.get(path)).headers


async def test_a_link_is_good_for_a_minute(bench: Bench) -> None:
    """By the time that passes, whatever the wall clock is set to."""
    path = await link(bench)
    bench.clock.advance(CODE_TTL_S * 1_000 - 1)
    assert (await bench.http.get(path)).status_code == 303
    path = await link(bench)
    bench.clock.step(-3_600_000)
    bench.clock.advance(CODE_TTL_S * 1_000)
    assert (await bench.http.get(path)).status_code == 401


async def test_a_login_ends(bench: Bench) -> None:
    """After half a day."""
    client = await browser(bench)
    bench.clock.advance(SESSION_TTL_S * 1_000 - 1)
    assert (await client.get("/v1/status")).status_code == 200
    bench.clock.advance(1)
    assert (await client.get("/v1/status")).status_code == 401


async def test_a_login_ends_with_the_token_that_made_it(bench: Bench) -> None:
    """A token that a reload takes out lets nobody in any more; another's login goes on. Nor do its links."""
    first, second = await browser(bench, TOKENS[0]), await browser(bench, TOKENS[1])
    path = await link(bench, TOKENS[0])
    bench.configure(tokens=TOKENS[1:])
    assert (await first.get("/v1/status")).status_code == 401
    assert (await second.get("/v1/status")).status_code == 200
    assert (await bench.http.get(path)).status_code == 401


async def test_a_link_is_made_for_a_token_only(bench: Bench) -> None:
    """A login cannot be made longer by itself."""
    client = await browser(bench)
    assert (await client.post("/v1/login", headers=OWN)).status_code == 401
    assert (await bench.http.post("/v1/login")).status_code == 401
    wrong = {"authorization": "Bearer wrong"}
    assert (await bench.http.post("/v1/login", headers=wrong)).status_code == 401


@pytest.mark.parametrize("code", ["", "x", "0" * 64, "%00", "%ff"])
async def test_a_made_up_code_lets_nobody_in(bench: Bench, code: str) -> None:
    """Nor does one that is no text."""
    await link(bench)
    answer = await bench.http.get(f"/login?code={code}")
    assert answer.status_code in (401, 422)
    assert "set-cookie" not in answer.headers


@pytest.mark.threat(21)
async def test_a_link_in_a_file_logs_in_and_leads_on_from_our_own_page(bench: Bench) -> None:
    """A browser calls it cross-site, and would send no cookie after a redirect."""
    by_link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    path = await link(bench)
    for foreign in ({"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "cors"}, {"origin": "http://evil"}):
        assert (await bench.http.get(path, headers=by_link | foreign)).status_code == 403
    answer = await bench.http.get(path, headers=by_link)
    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert 'content="0;url=/"' in answer.text
    assert (await bench.http.get("/", headers={"sec-fetch-site": "same-origin"})).status_code == 200
    assert (await bench.http.get("/", headers=by_link)).status_code == 403


async def test_a_change_by_cookie_says_that_our_page_made_it(bench: Bench) -> None:
    """A cookie alone, as a forged request would bring it, changes nothing."""
    client = await browser(bench)
    watch_id = (await bench.http.post("/v1/watches", headers=shown(TOKENS[0]), json=_task())).json()["id"]
    path = f"/v1/watches/{watch_id}/poll"
    for refused in ({}, {"sec-fetch-site": "none"}):
        assert (await client.post(path, headers=refused)).status_code == 401
    for foreign in ({"origin": "http://127.0.0.1:9999"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}):
        assert (await client.post(path, headers=foreign)).status_code == 403
        assert (await client.get("/v1/status", headers=foreign)).status_code == 403
    for own in (OWN, {"sec-fetch-site": "same-origin"}):
        assert (await client.post(path, headers=own)).status_code == 202


async def test_a_token_that_is_shown_is_judged_by_itself(bench: Bench) -> None:
    """A cookie beside it does not make a wrong one right."""
    client = await browser(bench)
    assert (await client.get("/v1/status", headers={"authorization": "Bearer wrong"})).status_code == 401


async def test_a_cookie_that_stands_twice_or_was_altered_is_none(bench: Bench) -> None:
    """One of two may have been planted by another server on this host."""
    cookie = (await bench.http.get(await link(bench))).headers["set-cookie"].split(";")[0]
    bench.http.cookies.clear()
    for given, status in (
        (cookie, 200),
        (f"other=1; {cookie}", 200),
        (f"{cookie}; {cookie}", 401),
        (f"{cookie}x", 401),
        (cookie.replace("_8484", ""), 401),
    ):
        answer = await bench.http.get("/v1/status", headers={"cookie": given})
        assert answer.status_code == status, given


async def test_codes_are_bounded_and_the_oldest_goes(bench: Bench) -> None:
    """Asking often costs no memory."""
    paths = [await link(bench) for _ in range(MAX_CODES + 1)]
    assert (await bench.http.get(paths[0])).status_code == 401
    assert (await bench.http.get(paths[-1])).status_code == 303


async def test_without_tokens_no_login_is_wanted(bench: Bench) -> None:
    """The link is the page itself, and an old one leads there."""
    assert (await bench.http.post("/v1/login")).json() == {"path": "/", "expires_at": None}
    answer = await bench.http.get("/login?code=old")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "set-cookie" not in answer.headers


async def test_a_code_is_not_kept_as_it_is(bench: Bench) -> None:
    """A dump of memory's values shows digests."""
    code = (await link(bench)).partition("code=")[2]
    assert code
    assert code not in repr(vars(bench.services.sessions))


def _task() -> dict[str, str]:
    return {
        "task_id": "t-1",
        "api_path": "/vendors/x/v1/y/generation",
        "callback_url": "http://127.0.0.1:9001/hook",
    }

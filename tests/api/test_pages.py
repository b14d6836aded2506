"""The page: what it is made of, what its headers forbid, and that no text of others becomes markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.delivery.decision import GiveUp
from notifier.core.model import Attempt, WatchState
from notifier.core.secret import Secret
from notifier.store.values import Lease
from notifier.web.detail import CUT, MAX_JSON_CHARS
from notifier.web.filters import Html, age, instant, join, moment, tag, timed
from notifier.web.labels import MAX_RESULTS, MORE_RESULTS, registration_line
from notifier.web.render import FOLDER
from notifier.web.views import KINDS, LABELS_FILE
from tests.api.conftest import HOOK, LEASE_MS, PATH, Bench
from tests.builders import KEY_REFUSED, REFUSED
from tests.fakes import NOON

HOSTILE = "<img/src=x onerror=alert(1)>\"'&"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in KINDS)
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc")
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
NAMESPACE = "http://www.w3.org/2000/svg"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Seen(HTMLParser):
    """The elements and texts of a page, as a browser takes them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def names(self) -> set[str]:
        return {name for name, _ in self.elements}

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    @property
    def links(self) -> list[str | None]:
        return [given.get("href") for name, given in self.elements if name == "a"]


async def test_the_page_is_html_that_may_load_nothing_from_elsewhere(bench: Bench) -> None:
    """Scripts and styles come from here and stand in files; no script may write markup."""
    answer = await bench.http.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy["form-action"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"


async def test_all_that_the_page_names_is_served(bench: Bench) -> None:
    """With its type, and the same policy."""
    seen = Seen((await bench.http.get("/")).text)
    named = {
        given.get("src") or given.get("href") for name, given in seen.elements if name in ("script", "link")
    }
    assert named == {"/page/app.js", "/page/style.css", "/page/icon.svg"}
    for path in FILES:
        answer = await bench.http.get(f"/page/{path.name}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert answer.headers["content-type"] == KINDS[path.suffix]
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name", ["index.html", "nothing.js", "%2e%2e", "..%2Fpages.py", "%2e%2e%2fpages.py", "app.js%00"]
)
async def test_nothing_else_is_a_file_of_the_page(bench: Bench, name: str) -> None:
    """Neither the frame of the page itself nor a path out of its folder."""
    assert (await bench.http.get(f"/page/{name}")).status_code == 404


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_of_text_or_loads_from_elsewhere(path: Path) -> None:
    """Trusted Types would refuse it in some browsers; here it is refused for all."""
    text = path.read_text()
    assert not MARKUP.search(text)
    imports = re.findall(r'^import .* from "(.*)";$', text, re.MULTILINE)
    assert all(each == f"./{LABELS_FILE}" or (FOLDER / each).resolve() in FILES for each in imports)
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {NAMESPACE}  # a name, which nobody fetches


async def test_without_scripts_the_page_tells_what_there_is(bench: Bench) -> None:
    """The sentence, the counts, the newest watches and deliveries, in plain HTML."""
    ended = (await bench.register("done-1"))["id"]
    await bench.end(ended)
    await bench.register("live-1")
    seen = Seen((await bench.http.get("/")).text)
    status = (await bench.http.get("/v1/status")).json()
    assert status["summary"] in seen.texts
    assert {"live-1", "watching", "task.completed", HOOK, "mulerouter"} <= set(seen.texts)
    assert "done-1" not in seen.texts  # it is not being watched any more
    assert {"script", "noscript", "table", "caption", "h1", "svg"} <= seen.names()
    assert not [given for _, given in seen.elements if {"style", "onclick"} & set(given)]


async def test_an_empty_page_teaches_the_first_registration(bench: Bench) -> None:
    """By the name its reader used for the daemon, as a line that can be copied."""
    answer = await bench.http.get("/", headers={"host": "notifier.example:8484"})
    assert registration_line("http://notifier.example:8484") in "".join(Seen(answer.text).texts)


async def test_no_text_of_others_becomes_markup(bench: Bench) -> None:
    """Metadata, words of providers and receivers' answers are shown as they are, if at all."""
    await bench.register("t-1", metadata={"x": HOSTILE}, callback_url="http://127.0.0.1:9001/<b>'\"?a=1&b=2")
    bench.conditions["mulerouter"] = Condition(Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": HOSTILE}))
    watch_id = (await bench.register("t-2", metadata={"x": HOSTILE}))["id"]
    await bench.end(watch_id, WatchState.FAILED, payload=f'{{"x": {json.dumps(HOSTILE)}}}')
    for path in ("/", f"/watches/{watch_id}", f"/?task={quote(HOSTILE)}"):
        text = (await bench.http.get(path)).text
        assert "<img" not in text, path
        assert HOSTILE.removesuffix("&") in Seen(text).text.replace('\\"', '"'), path
        assert "b" not in Seen(text).names()


def test_text_is_escaped_wherever_it_is_put() -> None:
    """Only what a tag made is markup; an attribute cannot be left by a quote."""
    for made in (
        tag("p", HOSTILE),
        tag("p", "", title=HOSTILE),
        join(HOSTILE),
        join(Html("<i></i>"), HOSTILE),
    ):
        assert "<img" not in made
        assert not Seen(made).names() & {"img"}
    assert Seen(tag("p", "", title=HOSTILE)).elements == [("p", {"title": HOSTILE})]
    assert moment(HOSTILE, NOON) == ""


def test_an_instant_is_told_from_now() -> None:
    """In its largest unit, as the commands do."""
    assert "3m ago" in moment("2026-11-23T11:57:00.000Z", NOON)
    assert "in 2h" in moment("2026-11-23T14:00:59.000Z", NOON)
    assert "due" in moment("2026-11-23T11:57:00.000Z", NOON, due="due")
    assert "in 2h" in moment("2026-11-23T14:00:59.000Z", NOON, due="due")
    assert moment(None, NOON) == ""
    assert ">3m<" in age("2026-11-23T11:57:00.000Z", NOON)
    assert "2026-11-23 11:57:00 UTC (3m ago)" in instant("2026-11-23T11:57:00.000Z", NOON)


def test_an_instant_within_a_sentence_is_told_as_well() -> None:
    """The sentences are ours; what others put into them stays text."""
    said = timed(f"refused since 2026-11-23T11:57:00.000Z; {HOSTILE}", NOON)
    assert Seen(said).text == f"refused since 2026-11-23 11:57:00 UTC (3m ago); {HOSTILE}"
    assert [name for name, _ in Seen(said).elements] == ["time"]


async def test_what_is_sought_is_found_by_its_task_or_by_our_own_id(bench: Bench) -> None:
    """In whatever state; an id of ours leads to its page."""
    watch_id = (await bench.register("done-1"))["id"]
    await bench.end(watch_id)
    (delivery,) = (await bench.see(watch_id))["deliveries"]
    assert "done-1" in Seen((await bench.http.get("/?task=done-1")).text).texts
    assert "No watch has the task id other." in Seen((await bench.http.get("/?task=other")).text).text
    assert "No watch has the task id no id!." in Seen((await bench.http.get("/?task=no%20id!")).text).text
    for sought, place in ((watch_id, "watches"), (delivery["id"], "deliveries")):
        answer = await bench.http.get(f"/?task={sought}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/{place}/{sought}")
        assert (await bench.http.get(answer.headers["location"])).status_code == 200


async def test_the_tiles_are_links_that_filter(bench: Bench) -> None:
    """With no script, too; what goes without saying is not in the address."""
    await bench.end((await bench.register("done-1"))["id"])
    await bench.register("live-1")
    seen = Seen((await bench.http.get("/?watches=completed")).text)
    assert "done-1" in seen.texts
    assert "live-1" not in seen.texts
    current = [given["href"] for _, given in seen.elements if given.get("aria-current")]
    assert current == ["/?watches=completed", "/?watches=completed"]
    assert {"/", "/?watches=all", "/?watches=completed&deliveries=dead"} <= set(seen.links)
    assert "No watch is failed." in Seen((await bench.http.get("/?watches=failed")).text).text
    assert "No delivery is dead." in Seen((await bench.http.get("/?deliveries=dead")).text).text
    refused = await bench.http.get("/?watches=complete&deliveries=x")
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/watches", "/deliveries"]


async def test_a_watch_has_a_page_that_needs_no_script(bench: Bench) -> None:
    """All that is known of it: facts, results, deliveries, timeline, the provider's answer to the digit."""
    watch_id = (await bench.register("t-1", metadata={"order": 42}))["id"]
    output = "https://cdn.example/1.png?a=1&b=2"
    film = "https://cdn.example/2.mp4"
    await bench.end(watch_id, payload='{"n": 1.0, "big": 123456789012345678901}', outputs=(output, film))
    seen = Seen((await bench.http.get(f"/watches/{watch_id}")).text)
    assert {"Task t-1", "completed", "api path", PATH, HOOK, "Timeline", "registered", "decision"} <= set(
        seen.texts
    )
    assert '"big": 123456789012345678901' in seen.text
    assert '"n": 1.0' in seen.text
    assert '"order": 42' in seen.text
    assert output in seen.links
    assert f"/v1/watches/{watch_id}/outputs/0" in seen.links
    assert f"/v1/watches/{watch_id}/outputs/1" not in seen.links
    assert "img" not in seen.names()


async def test_of_very_many_results_a_bounded_number_is_shown(bench: Bench) -> None:
    """A million of them would stop all others for seconds, and no browser could show them."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, outputs=tuple(f"https://x/{n}.png" for n in range(MAX_RESULTS + 7)))
    seen = Seen((await bench.http.get(f"/watches/{watch_id}")).text)
    assert f"https://x/{MAX_RESULTS - 1}.png" in seen.links
    assert f"https://x/{MAX_RESULTS}.png" not in seen.links
    assert MORE_RESULTS.format(count=7) in seen.text


async def test_what_stands_behind_a_film_s_name_makes_it_no_picture(bench: Bench) -> None:
    """Neither a query nor a fragment; the script judges alike."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, outputs=("https://x/1.mp4#t=1", "https://x/2.mp4?a=.png", "https://x/3#.mp4"))
    links = Seen((await bench.http.get(f"/watches/{watch_id}")).text).links
    shown = [number for number in range(3) if f"/v1/watches/{watch_id}/outputs/{number}" in links]
    assert shown == [2]


async def test_an_answer_that_is_cut_is_not_spread_out_before(bench: Bench) -> None:
    """Nested deeply, 4 MiB of it would take half a GiB, and all others would wait for it."""
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id, payload="[" * 60 + ",".join("1" * MAX_JSON_CHARS) + "]" * 60)
    text = Seen((await bench.http.get(f"/watches/{watch_id}")).text).text
    assert "[" * 60 + "1,1,1" in text
    assert CUT.strip() in text


async def test_a_failed_watch_says_why_and_one_in_trouble_what_to_do(bench: Bench) -> None:
    """In the words of `notifier show`."""
    failed = (await bench.register("t-1"))["id"]
    await bench.end(failed, WatchState.FAILED)
    assert "3001: Bad. no (says the provider)" in Seen((await bench.http.get(f"/watches/{failed}")).text).text
    live = (await bench.register("t-2"))["id"]
    bench.conditions["mulerouter"] = Condition(KEY_REFUSED, NOON - 180_000)
    for path in (f"/watches/{live}", "/"):
        text = Seen((await bench.http.get(path)).text).text
        assert "provider refuses the key (401) since 2026-11-23 11:57:00 UTC (3m ago)" in text
        assert "fix: check MULEROUTER_API_KEY, then reload the daemon; for a variable restart it" in text


async def test_a_delivery_has_a_page_that_needs_no_script(bench: Bench) -> None:
    """With each attempt, what was answered, and what to do about it."""
    watch_id = (await bench.register("t-1"))["id"]
    await bench.end(watch_id)
    (delivery,) = (await bench.see(watch_id))["deliveries"]
    untried = Seen((await bench.http.get(f"/deliveries/{delivery['id']}")).text)
    assert "It has not been tried yet." in untried.texts
    now = bench.clock.now()
    lease = Lease("test", now + LEASE_MS)
    claimed = await bench.store.claim_deliveries(now=now, limit=1, lease=lease, busy={}, per_origin=1)
    made = Attempt(1, now, 12, 401, "HTTP 401", "<h1>no</h1>", "http_4xx", "127.0.0.1:9001", 3, 11)
    (dispatch,) = claimed.deliveries
    assert await bench.store.record_attempt(dispatch, lease, made, GiveUp("HTTP 401"), REFUSED, now=now)
    seen = Seen((await bench.http.get(f"/deliveries/{delivery['id']}")).text)
    assert {"dead", "HTTP 401", "<h1>no</h1>", "401", "12 ms"} <= set(seen.texts)
    assert "connected after 3 ms, answered after 11 ms; to 127.0.0.1:9001" in seen.texts
    assert "fix: the signature was refused" in seen.text
    assert f"/watches/{watch_id}" in seen.links
    overview = Seen((await bench.http.get("/")).text)
    assert f"/deliveries/{delivery['id']}" in overview.links


async def test_receivers_that_are_held_back_come_first_and_say_what_to_do(bench: Bench) -> None:
    """As `notifier status` has it."""
    for number in range(2):
        await bench.end((await bench.register(f"t-{number}", callback_url=f"{HOOK}/{number}"))["id"])
    (endpoint,) = [
        each
        for each in (await bench.http.get("/v1/endpoints")).json()["endpoints"]
        if each["url"].endswith("/0")
    ]
    await bench.http.post(f"/v1/endpoints/{endpoint['id']}/pause")
    seen = Seen((await bench.http.get("/")).text)
    assert f"fix: `notifier endpoints resume {endpoint['id']}` when it may be called again" in seen.texts
    text = seen.text.partition("OldestDead")[2]
    assert text.index(f"{HOOK}/0") < text.index(f"{HOOK}/1")


async def test_what_is_due_at_a_receiver_that_is_held_back_is_not_told_as_due(bench: Bench) -> None:
    """By the word of its gate, in the row of the delivery; a query does not hide its endpoint."""
    await bench.end((await bench.register(callback_url=f"{HOOK}?n=1"))["id"])
    bench.clock.advance(1_000)
    (endpoint,) = (await bench.http.get("/v1/endpoints")).json()["endpoints"]
    assert "due" in Seen((await bench.http.get("/?deliveries=pending", headers=BROWSER)).text).texts
    await bench.http.post(f"/v1/endpoints/{endpoint['id']}/pause")
    seen = Seen((await bench.http.get("/?deliveries=pending", headers=BROWSER)).text)
    assert "paused" in seen.texts
    assert "due" not in seen.texts


async def test_a_person_is_told_in_a_page_and_a_program_in_json(bench: Bench) -> None:
    """Where a browser goes, and only there; its style is to be had without a token."""
    missing = "/watches/wch_01KAQ7W3G0ABCDEFGHJKMNPQRS"
    answer = await bench.http.get(missing, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "no watch has this id" in Seen(answer.text).text
    assert "script" not in Seen(answer.text).names()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path, given in ((missing, {}), (f"/v1{missing}", BROWSER), ("/page/nothing.js", BROWSER)):
        answer = await bench.http.get(path, headers=given)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    bench.configure(tokens=(Secret("t0ken-" + "a" * 40),))
    answer = await bench.http.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "for a browser, `notifier open`" in Seen(answer.text).text
    for name in ("style.css", "icon.svg"):
        assert (await bench.http.get(f"/page/{name}")).status_code == 200
    for name in ("app.js", LABELS_FILE, "index.html", "../style.css"):
        assert (await bench.http.get(f"/page/{name}")).status_code == 401
    stale = await bench.http.get("/login?code=x", headers=BROWSER)
    assert (stale.status_code, "`notifier open` makes a new one" in stale.text) == (401, True)


async def test_the_scripts_get_the_words_as_a_module(bench: Bench) -> None:
    """With the command that registers a task, wherever the browser found us, and the token it needs."""
    answer = await bench.http.get(f"/page/{LABELS_FILE}", headers={"host": "notifier.example:8484"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, KINDS[".js"])
    words = json.loads(answer.text.removeprefix("export const WORDS = ").removesuffix(";\n"))
    assert words["register"] == registration_line("{origin}")
    assert "notifier.example" not in answer.text
    assert words["auth"] == ""
    bench.configure(tokens=(token := Secret("t0ken-" + "a" * 40),))
    shown = {"authorization": f"Bearer {token.reveal()}"}
    text = (await bench.http.get(f"/page/{LABELS_FILE}", headers=shown)).text
    assert "Authorization: Bearer $NOTIFIER_TOKEN" in text
    assert token.reveal() not in text

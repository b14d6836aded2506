"""The page: what it is made of, what its headers forbid, and that no text of others becomes markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from notifier.api.html import Html, join, moment, tag
from notifier.api.overview import registration_line
from notifier.api.pages import FOLDER, KINDS
from notifier.core.model import WatchState
from tests.api.conftest import Bench
from tests.fakes import NOON

HOSTILE = "<img/src=x onerror=alert(1)>\"'&"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in KINDS)
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc")
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


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


async def test_the_page_is_html_that_may_load_nothing_from_elsewhere(bench: Bench) -> None:
    """Scripts and styles come from here and stand in files; no script may write markup."""
    answer = await bench.http.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
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
    assert all((FOLDER / each).resolve() in FILES for each in imports)
    assert not [
        each
        for each in re.findall(r"https?://[^\s\"'`]+", text)
        if not each.startswith("http://127.0.0.1:9001")
    ]


async def test_without_scripts_the_page_tells_what_there_is(bench: Bench) -> None:
    """The sentence, the counts, the newest watches and deliveries, in plain HTML."""
    ended = (await bench.register("done-1"))["id"]
    await bench.end(ended)
    await bench.register("live-1")
    seen = Seen((await bench.http.get("/")).text)
    status = (await bench.http.get("/v1/status")).json()
    assert status["summary"] in seen.texts
    assert {
        "done-1",
        "live-1",
        "watching",
        "completed",
        "task.completed",
        "http://127.0.0.1:9001/hook",
    } <= set(seen.texts)
    assert {"script", "noscript", "table", "caption", "h1"} <= seen.names()
    assert not [given for _, given in seen.elements if {"style", "onclick"} & set(given)]


async def test_an_empty_page_teaches_the_first_registration(bench: Bench) -> None:
    """By the name its reader used for the daemon, as a line that can be copied."""
    answer = await bench.http.get("/", headers={"host": "notifier.example:8484"})
    assert registration_line("http://notifier.example:8484") in "".join(Seen(answer.text).texts)


async def test_no_text_of_others_becomes_markup(bench: Bench) -> None:
    """Metadata, words of providers and receivers' answers are shown as they are, if at all."""
    await bench.register("t-1", metadata={"x": HOSTILE}, callback_url="http://127.0.0.1:9001/<b>'\"?a=1&b=2")
    bench.conditions["mulerouter"] = HOSTILE
    watch_id = (await bench.register("t-2"))["id"]
    await bench.end(watch_id, WatchState.FAILED)
    text = (await bench.http.get("/")).text
    assert "<img" not in text
    assert HOSTILE in Seen(text).texts
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
    assert moment(None, NOON) == ""

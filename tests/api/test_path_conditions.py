"""What is wrong with an api_path stands where a person or a program looks for it, and only there."""

from notifier.core.causes.cause import Condition
from notifier.core.polling.path_health import PathCondition
from tests.api.conftest import PATH, Bench
from tests.builders import SERVER_ERROR
from tests.fakes import NOON

HELD = PathCondition("mulerouter", PATH, Condition(SERVER_ERROR, NOON, is_of_path=True), NOON + 5_000)
SHAKY = PathCondition("mulerouter", "/shaky", Condition(SERVER_ERROR, None), None)


def many(count: int) -> list[PathCondition]:
    return [
        PathCondition("mulerouter", f"/path/{n}", Condition(SERVER_ERROR, NOON), NOON) for n in range(count)
    ]


async def test_the_status_has_each_path_in_words_and_for_programs(bench: Bench) -> None:
    """Held back, or only failing; the providers stay as they are."""
    bench.paths = [HELD, SHAKY]
    body = (await bench.http.get("/v1/status")).json()
    held, shaky = body["paths"]
    assert held == {
        "provider": "mulerouter",
        "api_path": PATH,
        "condition": HELD.condition.text(),
        "cause": {"code": "provider_server_error", "fix": held["cause"]["fix"]},
        "since": "2026-11-23T12:00:00.000Z",
        "next_probe_at": "2026-11-23T12:00:05.000Z",
        "blocked": True,
    }
    assert (shaky["since"], shaky["next_probe_at"], shaky["blocked"]) == (None, None, False)
    assert (body["more_paths"], body["providers"]) == (0, {"mulerouter": "ok"})
    assert "1 api_path is held back" in body["summary"]
    assert not body["ok"]


async def test_a_path_that_only_fails_is_no_reason_to_worry(bench: Bench) -> None:
    """One task of it may be odd, and polling goes on."""
    bench.paths = [SHAKY]
    body = (await bench.http.get("/v1/status")).json()
    assert body["ok"]
    assert [path["api_path"] for path in body["paths"]] == ["/shaky"]


async def test_of_many_paths_a_hundred_are_listed_and_the_others_counted(bench: Bench) -> None:
    bench.paths = many(103)
    body = (await bench.http.get("/v1/status")).json()
    assert (len(body["paths"]), body["more_paths"]) == (100, 3)
    assert "103 api_paths are held back" in body["summary"]
    page = (await bench.http.get("/")).text
    assert "and 3 further api_paths" in page


async def test_a_watch_says_that_its_path_is_held_back(bench: Bench) -> None:
    """In its trouble, in lists as alone, and in its timeline; once it has ended no more."""
    watch_id = (await bench.register("live"))["id"]
    bench.paths = [HELD]
    text = f"its api_path is held back: {SERVER_ERROR.text()} since 2026-11-23T12:00:00.000Z"
    alone = (await bench.http.get(f"/v1/watches/{watch_id}")).json()
    (listed,) = (await bench.http.get("/v1/watches")).json()["watches"]
    assert alone["trouble"] == listed["trouble"] == text
    assert alone["cause"]["code"] == "provider_server_error"
    timeline = (await bench.http.get(f"/v1/watches/{watch_id}/timeline")).json()["timeline"]
    assert [line["text"] for line in timeline if line["kind"] == "decision"] == [text]
    await bench.http.delete(f"/v1/watches/{watch_id}")
    timeline = (await bench.http.get(f"/v1/watches/{watch_id}/timeline")).json()["timeline"]
    assert text not in [line["text"] for line in timeline]


async def test_the_page_shows_paths_below_their_provider(bench: Bench) -> None:
    """With what is wrong, the next probe, and what to do."""
    bench.paths = [HELD]
    page = (await bench.http.get("/")).text
    section = page.partition('id="providers"')[2].partition("</section>")[0]
    assert section.index("mulerouter") < section.index(PATH)
    assert SERVER_ERROR.text() in section
    assert "next probe" in section
    assert "fix: " in section

"""Files of the catalogue have the shape that its README says, and golden replies give their verdicts."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jmespath
import pytest

import notifier.providers
from notifier.core.polling.provider import ProviderDescription
from tests.providers.evaluation import (
    ERROR_PLACES,
    Evaluation,
    Table,
    duration_ms,
    fill,
    parse_instant,
    pattern_of,
)
from tests.providers.shapes import OPTIONAL, PLACES, SHAPES, STATES

FOLDER = Path(notifier.providers.__file__).parent
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}
CATALOGUE: Mapping[str, Table] = {
    name: tomllib.loads(path.read_text(encoding="utf-8")) for name, path in FILES.items()
}
GOLDEN = [
    pytest.param(name, golden, id=f"{name}-{golden['name']}")
    for name, data in CATALOGUE.items()
    for golden in data["golden"]
]
each_golden = pytest.mark.parametrize(("name", "golden"), GOLDEN)

FIRST = {
    "mulerouter", "mulerun", "replicate", "fal", "runway", "bfl", "luma", "runpod", "dashscope", "minimax-v1",
    "minimax-v2", "ark", "kling", "xai", "gemini", "vertex", "openai-videos", "openai-batches",
    "openai-responses", "assemblyai", "stability", "midjourney-proxy", "fireworks",
}  # fmt: skip
NAMES = {
    "queued", "running", "succeeded", "failed", "cancelled", "moderated", "unknown", "throttled", "refused",
    "result",
}  # fmt: skip
NEEDED = {"succeeded", "failed", "unknown", "throttled", "refused"}

LIVE_KEYS = re.compile(
    r"\b(?:(?:sk|pk|rk)-[A-Za-z0-9-]{8,}|sk_[a-z]+_\w{8,}|r8_\w{8,}|AIza[\w-]{10,}|ya29\.|eyJ[\w-]{8,}|xai-[\w-]{8,}"
    r"|fw_\w{8,}|rpa_\w{8,}|luma-[\w-]{20,}|key_\w{16,}|whsec_\w+|AKIA\w{8,}|gh[ps]_\w{8,}|hf_\w{8,})"
)
SOURCE_LINES = re.compile(r"^(revision|file|at) = .*$", re.MULTILINE)
LONG_RUN = re.compile(r"[A-Za-z0-9+/_]{32,}")
MAX_DISTINCT_SIGNS = 8  # a made-up run of 32 signs repeats itself; of random hex it has 13 or more


def tables(data: Table) -> Iterator[tuple[str, Table]]:
    """Yield each table of a file with the name of its shape."""
    yield "", data
    for name in SHAPES:
        table: Any = data
        for part in name.split(".") if name else ():
            table = table.get(part) if isinstance(table, dict) else None
        if name and isinstance(table, dict):
            yield name, table
    yield from (("source", source) for source in data["sources"])
    for golden in data["golden"]:
        yield from (("golden", golden), ("verdict", golden["verdict"]))


def places(provider: Table) -> Iterator[tuple[str, str]]:
    """Yield each JMESPath expression of a provider with its key."""
    yield from ((key, provider[key]) for key in PLACES if provider.get(key))
    for name in ("submit", "hint"):
        yield from ((f"{name}.{key}", value) for key, value in provider.get(name, {}).items())
    result = provider.get("result", {})
    yield from ((f"result.{key}", result[key]) for key in PLACES if result.get(key))
    yield from ((f"result.values.{key}", value) for key, value in result.get("values", {}).items())


def documents(data: Table) -> Iterator[Any]:
    """Yield each JSON document of a file, and an empty one."""
    yield {}
    texts = [data["example"]["reply"]["body"], data["webhooks"].get("example", "{}")]
    for text in [*texts, *(golden["body"] for golden in data["golden"])]:
        if text.startswith(("{", "[")):
            yield json.loads(text)


def test_the_catalogue_has_the_first_providers() -> None:
    """The list of PROVIDER-TABLES.md; further files are welcome."""
    assert set(FILES) >= FIRST


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_only_described_keys(name: str) -> None:
    """A slip in a key would be a fact that nobody reads."""
    for shape, table in tables(CATALOGUE[name]):
        unknown = set(table) - set(SHAPES[shape])
        absent = set(SHAPES[shape]) - OPTIONAL.get(shape, set()) - set(table)
        assert (unknown, absent) == (set(), set()), shape
        wrong = {key: value for key, value in table.items() if not isinstance(value, SHAPES[shape][key])}
        assert wrong == {}, shape


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_where_its_facts_come_from(name: str) -> None:
    """A source has a date not after the check, and an address that can be looked up."""
    data = CATALOGUE[name]
    assert data["sources"], "at least one source"
    for source in data["sources"]:
        assert source["date"] <= data["checked"], source
        assert re.search(r"\.|npm package", source["at"]), source
        assert re.fullmatch(r"[0-9a-f]{7,40}", source.get("revision", "0000000")), source
    assert re.fullmatch(r"[^\n]{20,200}\.", data["about"])
    assert all(isinstance(text, str) and text.endswith(".") for text in data["unconfirmed"] + data["missing"])


@pytest.mark.parametrize("name", FILES)
def test_words_stand_for_one_state_each(name: str) -> None:
    """Compared as the judge compares them: case-folded."""
    provider = CATALOGUE[name]["provider"]
    words = [word.casefold().strip() for names in provider["words"].values() for word in names]
    assert len(words) == len(set(words)), sorted(words)
    for table in (provider, provider.get("result", {})):
        assert set(table.get("http", {}).values()) <= set(STATES)
        assert all(re.fullmatch(r"[1-5]\d\d", code) for code in table.get("http", {}))


@pytest.mark.parametrize("name", FILES)
def test_expressions_hold_on_every_document(name: str) -> None:
    """Each place compiles, and fails neither on an empty object nor on any document of the file."""
    for key, expression in places(CATALOGUE[name]["provider"]):
        for document in documents(CATALOGUE[name]):
            try:
                jmespath.compile(expression).search(document)
            except (ValueError, TypeError) as error:
                pytest.fail(f"{key} = {expression!r} on {document}: {error}")


@pytest.mark.parametrize("name", FILES)
def test_settings_can_be_read(name: str) -> None:
    """Addresses, durations, sizes, rates, offsets and kinds have the form of the configuration."""
    provider = CATALOGUE[name]["provider"]
    assert re.fullmatch(r"https://[\w.-]+(/[\w.-]+)*|http://127\.0\.0\.1:\d+", provider["base_url"])
    assert "{task_id}" in provider["task_path"] + provider.get("body", "")
    assert provider.get("method", "GET") in {"GET", "POST"}
    assert provider.get("body_kind", "json") in {"json", "any"}
    assert "{key}" in provider.get("auth_value", "{key}")
    assert re.fullmatch(r"[+-]\d\d:\d\d", provider.get("utc_offset", "+00:00"))
    assert re.fullmatch(r"\d+/s", provider.get("max_rate", "1/s"))
    assert all(
        re.fullmatch(r"\d+MiB", t.get("max_body", "1MiB")) for t in (provider, provider.get("result", {}))
    )
    assert duration_ms(provider.get("result_ttl", "0")) >= 0
    assert all(
        duration_ms(value) > 0 for key, value in provider.get("polling", {}).items() if key != "growth"
    )
    assert set(provider.get("api_key", {"env": ""})) == {"env"}


@pytest.mark.parametrize("name", FILES)
def test_the_polls_follow_from_the_registration(name: str) -> None:
    """The requests of the example are what the paths give for its ids."""
    provider, example = CATALOGUE[name]["provider"], CATALOGUE[name]["example"]
    ids = {"api_path": example.get("api_path", ""), "task_id": example["task_id"]}
    signs = re.escape(provider.get("id_signs", ""))
    assert re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._:{signs}-]*", ids["task_id"])
    path = fill(provider["task_path"], ids, provider.get("id_signs", ""))
    assert example["poll"] == f"{provider.get('method', 'GET')} {provider['base_url']}{path}"
    if "body" in provider:
        assert json.loads(example["poll_body"]) == json.loads(
            provider["body"].replace("{task_id}", example["task_id"])
        )
    if "result" in provider:
        done = next(g for g in CATALOGUE[name]["golden"] if g["name"] == "succeeded")
        values = {
            key: str(jmespath.search(place, json.loads(done["body"])))
            for key, place in provider["result"].get("values", {}).items()
        }
        assert (
            example["result"] == f"GET {provider['base_url']}{fill(provider['result']['path'], ids | values)}"
        )


@pytest.mark.parametrize("name", FILES)
def test_the_reply_to_a_submission_names_the_task(name: str) -> None:
    """The places of ``submit`` find the id; a poll URL is on a host of the provider and holds the ids."""
    provider, example = CATALOGUE[name]["provider"], CATALOGUE[name]["example"]
    reply = json.loads(example["reply"]["body"])
    ids = {key: jmespath.search(place, reply) for key, place in provider["submit"].items()}
    assert ids["task_id"] == example["task_id"]
    assert 200 <= example["reply"]["http"] <= 299
    json.loads(example["submit"]["body"])
    if "{api_path}" in provider["task_path"] and "poll_url" not in provider["submit"] and name[:4] != "mule":
        assert any("api_path" in text for text in CATALOGUE[name]["missing"])
    if "poll_url" in provider["submit"]:
        base, url = urlsplit(provider["base_url"]), urlsplit(ids["poll_url"])
        hosts = [base.netloc, *provider.get("hosts", [])]
        assert url.scheme == "https"
        assert any(fnmatch(url.netloc, host) for host in hosts)
        place = url.path + (f"?{url.query}" if url.query else "")
        match = pattern_of(base.path + provider["task_path"]).fullmatch(place)
        assert match is not None, place
        assert match.groupdict() == {key: example[key] for key in match.groupdict()}


@pytest.mark.parametrize("name", FILES)
def test_the_hint_finds_the_task_in_a_webhook(name: str) -> None:
    """Where the provider's own webhook body is known, it names the task of the example."""
    data = CATALOGUE[name]
    webhooks, hint = data["webhooks"], data["provider"].get("hint")
    assert webhooks["scope"] in {"task", "account", "none", "unknown"}
    if webhooks["scope"] in {"task", "account"}:
        assert set(SHAPES["webhooks"]) - set(webhooks) <= {"example"}
    assert (hint is None) == ("example" not in webhooks)
    if hint is not None:
        assert jmespath.search(hint["id"], json.loads(webhooks["example"])) == data["example"]["task_id"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_every_golden_reply_that_it_needs(name: str) -> None:
    """An end of each kind, an unknown id, a limit and a refused key; names say which is which."""
    golden = CATALOGUE[name]["golden"]
    names = [each["name"] for each in golden]
    kinds = {each.partition("-")[0] for each in names}
    assert len(names) == len(set(names))
    assert kinds <= NAMES
    assert kinds >= NEEDED
    assert kinds & {"queued", "running"}
    has_result = any(each.get("step") == "result" for each in golden)
    assert has_result == ("result" in CATALOGUE[name]["provider"])


@each_golden
def test_a_golden_reply_gives_its_verdict(name: str, golden: Table) -> None:
    """Judged by the rules of the README alone."""
    verdict, reply = golden["verdict"], Evaluation(CATALOGUE[name]["provider"], golden)
    error = {key: verdict[key] for key in ERROR_PLACES if key in verdict}
    assert (reply.state, reply.word) == (verdict["state"], verdict.get("word"))
    assert reply.outputs == verdict.get("outputs", [])
    assert reply.error == error
    assert reply.result_expires_at == _instant_or_rule(verdict.get("result_expires_at"))
    for key in ("created_at", "finished_at"):
        if key in verdict:
            assert reply.instant(key) == parse_instant(verdict[key]), key
    seconds = reply.headers.get("retry-after")
    assert verdict.get("retry_after") == (f"{seconds}s" if seconds else None)


def _instant_or_rule(text: str | None) -> Any:
    return text if text is None or text.startswith("poll") else parse_instant(text)


def test_mulerouter_is_described_as_the_core_describes_it() -> None:
    """The defaults of ``ProviderDescription`` are MuleRouter's; both must say the same while both exist."""
    provider, core = CATALOGUE["mulerouter"]["provider"], ProviderDescription()
    assert {name: tuple(words) for name, words in provider["words"].items()} == core.words
    keys = {key for key in SHAPES["provider"] if hasattr(core, key)} - {"words"}
    own = {key: provider[key] for key in keys if key in provider}
    assert own == {key: getattr(core, key) for key in own}
    assert own.keys() >= {"task_path", "status", "id", "outputs", "created_at", "finished_at", "error_code"}


@each_golden
def test_a_golden_reply_is_about_the_task_of_the_example(name: str, golden: Table) -> None:
    """So that a simulator can put another id in its place; a reply without an id is about nothing else."""
    reply = Evaluation(CATALOGUE[name]["provider"], golden)
    task_id = None if reply.is_result else reply.at("id")
    assert task_id in {None, "", CATALOGUE[name]["example"]["task_id"]}


@pytest.mark.parametrize("name", FILES)
def test_nothing_looks_like_a_live_key(name: str) -> None:
    """Values are made up, and look so: no prefix of a real key, no long run of random signs."""
    text = FILES[name].read_text(encoding="utf-8")
    assert suspects(SOURCE_LINES.sub("", text)) == []


def suspects(text: str) -> list[str]:
    """List what looks like a key: a known prefix, or a long run of many different signs with a digit."""
    runs = [run for part in re.split(r"[/\s]", text) for run in LONG_RUN.findall(part)]
    random = [run for run in runs if len(set(run)) > MAX_DISTINCT_SIGNS and re.search(r"\d", run)]
    return [*LIVE_KEYS.findall(text), *random]


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "abcdEFGH1234",
        "AIza" + "SyA1234567890",
        "eyJ" + "hbGciOiJIUzI1NiJ9",
        "9f8e7d6c5b4a" + "39281706f5e4d3c2b1a0",
    ],
)
def test_a_planted_key_is_seen(text: str) -> None:
    """The check can fail."""
    assert suspects(f'body = "{text}"')

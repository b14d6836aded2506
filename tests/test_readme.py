"""What the documents tell to type exists, and their tables say what the code says."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.api.registration import read_registration
from notifier.cli import commands
from tests.api.conftest import ROUTES, SETTINGS
from tests.browser.screenshots import LOOKS, MOST_BYTES
from tests.cli.conftest import WATCH, FakeDaemon
from tests.cli.test_help import understood
from tests.configuration import BEGIN, END, EXAMPLE, sections
from tests.documents import DOCS, DOCUMENTS, ROOT, name_of
from tests.fakes import NOON
from tools import manpage

README = (ROOT / "README.md").read_text()
COMMANDS, CONFIGURATION, HTTP_API, OPERATIONS, PYTHON, RECEIVERS = (
    (DOCS / f"{name}.md").read_text()
    for name in ("COMMANDS", "CONFIGURATION", "HTTP-API", "OPERATIONS", "PYTHON", "RECEIVERS")
)
PAGES = "\n".join(page.read_text() for page in DOCUMENTS)
SOURCES = "\n".join(
    path.read_text() for path in (ROOT / "notifier").rglob("*") if path.suffix in (".py", ".sql")
)
TASK_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
STANDS_FOR = {"ID": "wch_1", "URL": "http://127.0.0.1:9001/hook", "DEST": "/tmp/copy.db"}
FOREIGN = {
    "pipx", "uv", "python3", "mulerouter", "curl", "git", "make", "sudo", "systemctl", "journalctl",
    "alias", "notifier-service",  # the systemd box runs both, word for word
}  # fmt: skip
INSTALLED = re.compile(r"^(\.venv|/opt/notifier)/bin/")


def typed() -> Iterator[list[str]]:
    """Each simple command in the console blocks, as its words; variables and … are given something to be."""
    for block in re.findall(r"^```console\n(.*?)^```", PAGES, re.MULTILINE | re.DOTALL):
        for line in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            bare = re.sub(r"^TASK_ID=\$\((.*)\)$", r"\1", line.strip(), flags=re.DOTALL)
            text = bare.replace("$TASK_ID", TASK_ID).replace("…", "1").replace("\\\n", " ").replace("\n", " ")
            lexer = shlex.shlex(text, posix=True, punctuation_chars="|")
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, "|"]:
                if word != "|":
                    words.append(word)
                    continue
                while re.match(r"[A-Z_]+=", words[0]):
                    words.pop(0)
                yield words
                words = []


TYPED = list(typed())


def of(program: str) -> list[list[str]]:
    """The arguments of each call of a program."""
    return [words[1:] for words in TYPED if INSTALLED.sub("", words[0]) == program]


def mentioned() -> Iterator[list[str]]:
    """The arguments of each `notifier …` that stands in a sentence or a table."""
    for text in re.findall(r"`notifier ([a-z][^`]*)`", re.sub(r"^```.*?^```", "", PAGES, flags=re.M | re.S)):
        yield [STANDS_FOR.get(word, word).replace("…", "1") for word in text.replace("\n", " ").split()]


@pytest.mark.parametrize("args", [*of("notifier"), *mentioned()], ids=" ".join)
def test_each_command_line_is_understood(args: list[str]) -> None:
    """Its command, its options and the form of their values exist; nothing is run."""
    if len(args) == 1:  # a command's bare name, in a sentence
        assert args[0] in commands.commands
    else:
        understood(args)


def test_nothing_else_is_told_to_be_typed() -> None:
    """A program that we do not know is one that nobody has checked."""
    programs = {INSTALLED.sub("", words[0]) for words in TYPED}
    assert programs <= FOREIGN | {"notifier"}


def test_each_make_target_exists() -> None:
    """Those in its text, too."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)\b", PAGES))
    assert named
    assert named <= targets


def test_each_body_is_json_and_a_registration_is_taken() -> None:
    """As the shell hands it over."""
    bodies = [(args, args[args.index("-d") + 1]) for args in of("curl") if "-d" in args]
    registrations = [body for args, body in bodies if any(each.endswith("/v1/watches") for each in args)]
    assert registrations
    for _, body in bodies:
        assert isinstance(json.loads(body), dict)
    for body in registrations:
        assert read_registration(body.encode(), SETTINGS, NOON).task_id == TASK_ID


def test_the_table_of_calls_has_every_route_and_no_other() -> None:
    """A row may shorten the paths that follow by …"""
    told = set()
    for row in re.findall(r"^\| (`(?:GET|POST|DELETE) .*?) \|", HTTP_API, re.MULTILINE):
        method, base = "", ""
        for call in re.findall(r"`([^`]+)`", row):
            method, path = call.split(" ") if " " in call else (method, call)
            base = base if path.startswith("…") else path
            stem = re.sub(r"(/\{id\})/.*", r"\1", base)
            told.add((method, path.replace("…", stem)))
    assert told == {(route.method, route.path) for route in ROUTES} - {("GET", "/openapi.json")}


@pytest.mark.parametrize("name", ["fastapi_receiver.py", "flask_receiver.py", "express_receiver.js"])
def test_the_receivers_are_those_that_are_tested(name: str) -> None:
    """Verbatim: another test runs the files."""
    [shown] = re.findall(rf"<!-- docs/receivers/{name} -->\n```\w+\n(.*?)^```", RECEIVERS, re.M | re.S)
    assert shown == (ROOT / "docs" / "receivers" / name).read_text()


def test_the_example_of_the_python_client_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a daemon there, and the id of a task."""
    daemon = FakeDaemon()
    ended = {**WATCH, "state": "completed", "outputs": ["https://x/1.jpg"]}
    daemon.on("POST", "/v1/watches", WATCH)
    daemon.on("GET", "/v1/watches/wch_1", ended)
    monkeypatch.setenv("NOTIFIER_URL", daemon.url)
    blocks = re.findall(r"^```python\n(.*?)^```", PYTHON, re.M | re.S)
    [block] = [each for each in blocks if "import Notifier" in each]
    try:
        exec(compile(block, "PYTHON.md", "exec"), {"task_id": TASK_ID})
    finally:
        daemon.close()
    assert capsys.readouterr().out == "completed ['https://x/1.jpg']\n"
    body = daemon.asked[0].json
    assert (body["task_id"], body["metadata"]) == (TASK_ID, {"order": 42})


def test_the_table_of_settings_has_the_real_defaults() -> None:
    """The table of what people change first; the tables of all keys are made from the example."""
    real = {
        f"{each.name}.{key}": value for each in sections(EXAMPLE.read_text()) for key, value, _ in each.keys
    }
    told = re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \| `(.+?)` \|", CONFIGURATION, re.M)
    assert len(told) >= 10
    for key, value in told:
        assert tomllib.loads(f"x = {value}") == tomllib.loads(f"x = {real[key]}"), key


def test_the_figures_are_those_of_the_benchmarks() -> None:
    """`make bench` writes both files; whoever edits one by hand is told."""
    row = re.compile(r"^\| ([^|]+) \| ([^|]+) \|", re.M)
    measured = dict(row.findall((ROOT / "benchmarks" / "RESULTS.md").read_text()))
    told = dict(row.findall(README.partition("## Benchmarks")[2]))
    assert len(told) > 5
    assert told.items() <= measured.items()


def test_two_screens_hold_what_why_and_how() -> None:
    """A screen is about 50 lines; what is long is on a page of its own."""
    lines = README.splitlines()
    places = [lines.index(f"## {heading}") for heading in ("Quick start", "Main commands", "Documentation")]
    assert places == sorted(places)
    assert places[-1] <= 100
    assert len(lines) <= 150


@pytest.mark.parametrize("page", [page for page in DOCUMENTS if page.name != "RESULTS.md"], ids=name_of)
def test_lines_fit_into_a_window(page: Path) -> None:
    """120 characters; rows of tables, commands and generated text are as long as they are."""
    text = re.sub(f"{BEGIN}.*?{END}", "", page.read_text(), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "$"))]
    assert [line for line in lines if len(line) > 120] == []


def test_the_table_of_commands_has_every_command() -> None:
    """And no other; some rows name two that belong together."""
    table = COMMANDS.partition("## All commands")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", table, re.M)
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(rows))) == sorted(commands.commands)


def test_the_table_of_exit_codes_has_every_code_of_the_manual_page() -> None:
    """The manual page names those that a script has to know."""
    codes = set(re.findall(r"^\| (\d+) \|", COMMANDS, re.M))
    assert codes >= {line.split()[0] for line in manpage._EXIT.strip().splitlines()}


def test_the_table_of_errors_has_every_error_of_the_description() -> None:
    """With its status; the description is openapi.json."""
    description = json.loads((ROOT / "tests" / "golden" / "openapi.json").read_text())
    answers = [
        (status, problem.partition(":")[0])
        for methods in description["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
        for problem in answer["description"].split("; ")
    ]
    rows = re.findall(r"^\| (\d{3}) \| `([a-z_]+)` \|", HTTP_API, re.M)
    assert set(rows) >= set(answers)
    assert [code for _, code in rows if f'"{code}"' not in SOURCES] == []


def test_its_pictures_are_there_and_small() -> None:
    """`make screenshots` takes them."""
    shown = {*re.findall(r"\]\((docs/page/[a-z]+\.png)\)", README)}
    taken = {f"docs/page/{each.name}" for each in (ROOT / "docs" / "page").iterdir()}
    assert shown <= taken == {f"docs/page/{name}.png" for name in LOOKS}
    for name in taken:
        content = (ROOT / name).read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(content) <= MOST_BYTES


def observed() -> list[str]:
    """The words in the first column of the table of what one sees, by rows."""
    table = OPERATIONS.partition("## What you see")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \|", table, re.M)


@pytest.mark.parametrize("words", observed())
def test_what_one_sees_is_what_the_code_says(words: str) -> None:
    """Each piece between two … or colons stands in the source; daemons have printed it, for each row."""
    for piece in re.split("…|: ", words):
        assert piece.strip(" :") in SOURCES, piece


@pytest.mark.parametrize(
    "event",
    sorted(
        set(re.findall(r"`((?:watch|provider|delivery|store|daemon|clock)\.(?!url)[a-z_]+)`", OPERATIONS))
    ),
)
def test_each_event_of_the_log_exists(event: str) -> None:
    """An alert on a name that is never logged stays silent."""
    assert f'"{event}"' in SOURCES

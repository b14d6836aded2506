"""What the README tells to type exists: commands, options, targets, and bodies that the API takes."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from notifier.api.parse import read_registration
from notifier.api.routes import ROUTES
from notifier.cli import commands
from notifier.simulator.__main__ import arguments
from tests.api.conftest import SETTINGS
from tests.fakes import NOON

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TASK_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def typed() -> Iterator[list[str]]:
    """Each simple command in the console blocks, as its words; variables and … are given something to be."""
    for block in re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
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
    return [words[1:] for words in TYPED if words[0].removeprefix(".venv/bin/") == program]


@pytest.mark.parametrize("args", of("notifier"), ids=" ".join)
def test_each_command_line_is_understood(args: list[str]) -> None:
    """Its command, its options and the form of their values exist; nothing is run."""
    command: click.Command = commands
    context = commands.make_context("notifier", list(args))
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)


def test_each_make_target_exists() -> None:
    """Those in its text, too."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for args in of("make") for target in args} | set(re.findall(r"`make ([a-z-]+)`", README))
    assert named
    assert named <= targets


def test_the_simulator_takes_its_options() -> None:
    """It ends with 2 at an option that it does not know."""
    [args] = [args[2:] for args in of("python") if args[:2] == ["-m", "notifier.simulator"]]
    assert arguments().parse_args(args).port == 8001


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
    for row in re.findall(r"^\| (`(?:GET|POST|DELETE) .*?) \|", README, re.MULTILINE):
        method, base = "", ""
        for call in re.findall(r"`([^`]+)`", row):
            method, path = call.split(" ") if " " in call else (method, call)
            base = base if path.startswith("…") else path
            stem = re.sub(r"(/\{id\})/.*", r"\1", base)
            told.add((method, path.replace("…", stem)))
    assert told == {(route.method, route.path) for route in ROUTES} - {("GET", "/openapi.json")}

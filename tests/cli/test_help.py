"""Every command explains itself, with an example that works, on 80 columns; shells complete its words."""

import re
import shlex
from collections.abc import Callable, Iterator

import click
import pytest

from notifier.cli import commands, main
from tests.cli.conftest import Run


def every(group: click.Group = commands, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command, groups included."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from every(command, (*path, name))


def understood(words: list[str]) -> None:
    """Its command, its options and the form of their values exist; nothing is run."""
    command: click.Command = commands
    context = commands.make_context("notifier", list(words))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)


def examples(text: str) -> Iterator[list[str]]:
    """The calls of notifier in a help's examples."""
    lines = text.split("Example:\n", 1)[1].replace("\\\n", " ").replace("…", "1")
    for line in re.sub(r"\$\([^)]*\)", "1", lines).splitlines():
        for part in re.split(r"\||&&", line):
            words = shlex.split(part)
            if words[:1] == ["notifier"]:
                yield words[1:]


@pytest.mark.parametrize("words", [(), *every()], ids=" ".join)
def test_each_help_has_an_example_that_is_understood(run: Run, words: tuple[str, ...]) -> None:
    """What stands there can be typed."""
    said = run(*words, "--help")
    assert said.code == 0
    assert all(len(line) <= 80 for line in said.out.splitlines())
    found = list(examples(said.out))
    assert found
    for each in found:
        understood(each)
        assert tuple(each[: len(words)]) == words or "--config" in each


@pytest.mark.parametrize("words", list(every()), ids=" ".join)
def test_each_command_has_a_line_in_its_groups_help(run: Run, words: tuple[str, ...]) -> None:
    """No line is cut off there."""
    listing = run(*words[:-1], "--help").out
    [line] = re.findall(rf"^  {words[-1]} .*$", listing, re.MULTILINE)
    assert line.endswith(".")
    assert not line.endswith("...")


Complete = Callable[..., str]


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Complete:
    """What the command answers where a shell calls it with this instruction."""

    def call(instruction: str, typed: str = "") -> str:
        words = typed.split(" ")
        monkeypatch.setenv("_NOTIFIER_COMPLETE", instruction)
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", words[-1] if "fish" in instruction else str(len(words) - 1))
        with pytest.raises(SystemExit):
            main([])
        said = capfd.readouterr()
        assert said.err == ""
        return said.out

    return call


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_options_and_values(complete: Complete, shell: str) -> None:
    """By click's own completion, as the README says to switch it on."""
    instruction = f"{shell}_complete"
    assert "redeliver" in complete(instruction, "notifier red")
    assert "--expire-after" in complete(instruction, "notifier watch --ex")
    assert "completed" in complete(instruction, "notifier ls --state com")
    assert "rotate" in complete(instruction, "notifier secret ro")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_that_a_shell_sources_is_made_by_the_command(complete: Complete, shell: str) -> None:
    """bash is left out: click asks the bash of the machine for its version first."""
    assert "_NOTIFIER_COMPLETE" in complete(f"{shell}_source")

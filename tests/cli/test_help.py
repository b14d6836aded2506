"""Each command has a help of 80 columns with a valid example, and shells complete its words."""

import re
import shlex
from collections.abc import Callable, Iterator

import click
import pytest

from notifier.cli import commands, main
from tests.cli.conftest import Run


def every(group: click.Group = commands, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command and group."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from every(command, (*path, name))


def understood(words: list[str]) -> None:
    """Parse a call without running it: its command and options exist, and their values are valid."""
    command: click.Command = commands
    context = commands.make_context("notifier", list(words))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, match, rest = command.resolve_command(context, rest)
        assert match is not None
        command, context = match, match.make_context(name, rest, parent=context)


def examples(text: str) -> Iterator[list[str]]:
    """Yield the calls of notifier in the examples of a help."""
    lines = text.split("Example:\n", 1)[1].replace("\\\n", " ").replace("…", "1")
    for line in re.sub(r"\$\([^)]*\)", "1", lines).splitlines():
        for part in re.split(r"\||&&", line):
            words = shlex.split(part)
            if words[:1] == ["notifier"]:
                yield words[1:]


@pytest.mark.parametrize("words", [(), *every()], ids=" ".join)
def test_each_help_has_an_example_that_is_understood(run: Run, words: tuple[str, ...]) -> None:
    """The parser accepts the example."""
    result = run(*words, "--help")
    assert result.code == 0
    assert all(len(line) <= 80 for line in result.out.splitlines())
    calls = list(examples(result.out))
    assert calls
    for each in calls:
        understood(each)
        assert tuple(each[: len(words)]) == words or "--config" in each


@pytest.mark.parametrize("words", list(every()), ids=" ".join)
def test_each_command_has_a_line_in_its_groups_help(run: Run, words: tuple[str, ...]) -> None:
    """The line is not cut."""
    listing = run(*words[:-1], "--help").out
    [line] = re.findall(rf"^  {words[-1]} .*$", listing, re.MULTILINE)
    assert line.endswith(".")
    assert not line.endswith("...")


Complete = Callable[..., str]


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Complete:
    """Return the output for an instruction that a shell sets in the environment."""

    def call(instruction: str, typed: str = "") -> str:
        words = typed.split(" ")
        monkeypatch.setenv("_NOTIFIER_COMPLETE", instruction)
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", words[-1] if "fish" in instruction else str(len(words) - 1))
        with pytest.raises(SystemExit):
            main([])
        result = capfd.readouterr()
        assert result.err == ""
        return result.out

    return call


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_options_and_values(complete: Complete, shell: str) -> None:
    """By the completion of click, which docs/COMMANDS.md describes."""
    instruction = f"{shell}_complete"
    assert "redeliver" in complete(instruction, "notifier red")
    assert "--expire-after" in complete(instruction, "notifier watch --ex")
    assert "completed" in complete(instruction, "notifier ls --state com")
    assert "rotate" in complete(instruction, "notifier secret ro")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_command_prints_the_script_that_a_shell_sources(complete: Complete, shell: str) -> None:
    """Not for bash, because click first runs the bash of the machine to get its version."""
    assert "_NOTIFIER_COMPLETE" in complete(f"{shell}_source")

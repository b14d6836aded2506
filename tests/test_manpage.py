"""The manual page says what the commands' help says."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from notifier.cli import commands
from tools import manpage

PAGE = Path(__file__).parents[1] / "man" / "notifier.1"


def test_the_page_is_current() -> None:
    """`make man` makes it anew."""
    assert PAGE.read_text() == manpage.page()


def test_every_command_stands_in_it() -> None:
    told = PAGE.read_text().replace("\\-", "-")
    for name, command in commands.commands.items():
        if not command.hidden:
            assert re.search(rf"^\.SS notifier {re.escape(name)}\b", told, re.MULTILINE)


def test_a_new_option_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail."""
    command = commands.commands["ls"]
    monkeypatch.setattr(
        command, "params", [*command.params, click.Option(["--planted"], help="Not there yet.")]
    )
    assert "\\-\\-planted" in manpage.page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff on this machine")
def test_roff_finds_no_fault_in_it() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rLL=90n", str(PAGE)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""

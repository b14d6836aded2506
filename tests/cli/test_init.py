"""init writes a configuration that works as it is, overwrites nothing, and asks only a person."""

import errno
import json
import os
import re
import stat
import sys
import tomllib
from pathlib import Path
from typing import IO

import pytest

from notifier.cli.init import FileExists, InitPaths, create_file, render_configuration
from notifier.config.load import load
from notifier.config.model import Config, StoreSettings
from tests.cli.conftest import Run

KEY = "sk-mr-canary-0123456789"


def asked(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    """A person sits there and types this; returns what was asked."""
    prompts: list[str] = []

    def prompt(text: str, **_: object) -> str:
        prompts.append(text)
        return answer

    # The package's attribute of this name is the command, not the module.
    monkeypatch.setattr(sys.modules["notifier.cli.init"], "_is_attended", lambda: True)
    monkeypatch.setattr("click.prompt", prompt)
    return prompts


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_writes_the_defaults_with_the_database_beside(run: Run, tmp_path: Path) -> None:
    """What is written changes nothing but that the database is found from every folder."""
    said = run("init")
    file = tmp_path / "config.toml"
    assert (said.code, said.out) == (0, f"{file}\n")
    config = load(file, {})
    assert config.store == StoreSettings(str(tmp_path / "notifier.db"))
    assert config.polling == Config().polling
    assert config.callbacks == Config().callbacks
    assert run("check").code == 0


def test_the_next_steps_are_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key at hand nobody is told to set it."""
    steps = run("init").err
    assert "export MULEROUTER_API_KEY=" in steps
    assert "notifier check --online\n" in steps
    assert "notifier run\n" in steps
    monkeypatch.setenv("MULEROUTER_API_KEY", KEY)
    other = run("init", "--config", "sub/my.toml", "--json")
    told = json.loads(other.out)
    assert told["next"] == [
        f"notifier check --online --config {told['file']}",
        f"notifier run --config {told['file']}",
    ]
    assert KEY not in other.out


def test_every_switched_off_line_is_the_real_default(run: Run, tmp_path: Path) -> None:
    """Taking a # away changes nothing; each is there to be changed."""
    run("init")
    file = tmp_path / "config.toml"
    text = re.sub(r"^#(?=[a-z])", "", file.read_text(), flags=re.MULTILINE)
    file.write_text(text)
    (tmp_path / "mulerouter.key").write_text(KEY)
    (tmp_path / "mulerouter.key").chmod(0o600)
    config = load(file, {})
    default = Config()
    assert (config.server, config.polling, config.callbacks) == (
        default.server,
        default.polling,
        default.callbacks,
    )
    assert (config.retention, config.log) == (default.retention, default.log)
    provider = config.providers["mulerouter"]
    assert provider.api_key is not None
    assert provider.api_key.reveal() == KEY
    assert provider.max_rate_per_s == default.providers["mulerouter"].max_rate_per_s


@pytest.mark.parametrize("is_link", [False, True])
def test_what_is_there_is_not_overwritten(run: Run, tmp_path: Path, is_link: bool) -> None:
    """Nor is what a link points to."""
    file = tmp_path / "config.toml"
    if is_link:
        file.symlink_to(tmp_path / "nowhere")
    else:
        file.write_text("mine")
    said = run("init")
    assert (said.code, said.out) == (1, "")
    assert "already_there" in said.err
    assert "fix: " in said.err
    assert not (tmp_path / "nowhere").exists()
    assert is_link or file.read_text() == "mine"


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(tmp_path: Path) -> None:
    """The look beforehand is for the message; the opening itself refuses."""
    file = tmp_path / "config.toml"
    file.write_text("mine")
    with pytest.raises(FileExists):
        create_file(file, "other", 0o600)
    assert file.read_text() == "mine"


def test_elsewhere_than_on_a_terminal_nothing_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must not hang."""
    monkeypatch.setattr("click.prompt", lambda *_, **__: pytest.fail("asked"))
    assert run("init", stdin=b"").code == 0


@pytest.mark.parametrize(("name", "args"), [("MULEROUTER_API_KEY", ()), ("OTHER", ("--json",))])
def test_a_person_is_not_asked_what_is_known_or_in_json(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, args: tuple[str, ...]
) -> None:
    """The environment has the key, or a program reads along."""
    prompts = asked(monkeypatch, KEY)
    monkeypatch.setenv(name, KEY)
    assert run("init", *args).code == 0
    assert prompts == []


def test_a_key_that_is_typed_in_goes_into_a_private_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is in no other file and in no output."""
    asked(monkeypatch, f" {KEY} ")
    said = run("init")
    key_file = tmp_path / "mulerouter.key"
    assert (said.code, key_file.read_text()) == (0, f"{KEY}\n")
    assert mode_of(key_file) == 0o600
    assert KEY not in said.out + said.err + (tmp_path / "config.toml").read_text()
    key = load(tmp_path / "config.toml", {}).providers["mulerouter"].api_key
    assert key is not None
    assert key.reveal() == KEY


def test_no_key_typed_in_is_no_key_file(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Enter alone leaves it to the variable."""
    asked(monkeypatch, "")
    assert run("init").code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


def test_what_is_no_key_is_refused_before_anything_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would fail at the first poll."""
    asked(monkeypatch, "two words")
    assert run("init").code == 64
    assert list(tmp_path.iterdir()) == []


def test_a_users_own_is_found_from_every_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folders are made, for nobody else to read."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run("init", "--user").code == 0
    file = tmp_path / ".config" / "notifier" / "config.toml"
    database = tomllib.loads(file.read_text())["store"]["url"]
    assert database == str(tmp_path / "data" / "notifier" / "notifier.db")
    assert mode_of(Path(database).parent) == 0o700
    assert str(file) in run("check").out
    assert run("init", "--user", "--config", "x").code == 64


def test_a_place_that_cannot_be_written_is_said_in_words(run: Run, tmp_path: Path) -> None:
    """No traceback for a folder that is a file."""
    (tmp_path / "file").write_text("")
    said = run("init", "--config", "file/config.toml")
    assert said.code == 1
    assert "cannot_write" in said.err


@pytest.mark.parametrize("room", [0, 1])
def test_a_disk_that_fills_up_leaves_nothing_behind(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: int
) -> None:
    """Neither a part of a configuration nor a key without one: it can be run again. ``room`` files fit."""
    asked(monkeypatch, KEY)
    left, fdopen = [True] * room, os.fdopen

    def scarce(handle: int, *_: object, **__: object) -> IO[str]:
        if left:
            left.pop()
            return fdopen(handle, "w")
        os.close(handle)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.fdopen", scarce)
        said = run("init")
    assert (said.code, said.out) == (1, "")
    assert "No space left on device" in said.err
    assert list(tmp_path.iterdir()) == []
    assert run("init").code == 0


def test_an_odd_folder_makes_sound_toml(tmp_path: Path) -> None:
    """A quote or a backslash in its name is no syntax."""
    odd = tmp_path / 'a "b" \\c é'
    places = InitPaths(odd / "config.toml", odd / "notifier.db")
    text = render_configuration(places, has_key_file=False)
    assert tomllib.loads(text)["store"]["url"] == str(odd / "notifier.db")

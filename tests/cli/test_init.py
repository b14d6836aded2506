"""init writes a usable configuration, overwrites nothing, and prompts only on a terminal."""

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
    """Simulate a terminal with this input. Return the prompts."""
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


def test_init_writes_the_defaults_and_the_path_of_the_database(run: Run, tmp_path: Path) -> None:
    """The file differs from the defaults in the absolute path of the database alone."""
    result = run("init")
    file = tmp_path / "config.toml"
    assert (result.code, result.out) == (0, f"{file}\n")
    config = load(file, {})
    assert config.store == StoreSettings(str(tmp_path / "notifier.db"))
    assert config.polling == Config().polling
    assert config.callbacks == Config().callbacks
    assert run("check").code == 0


def test_the_next_steps_are_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the environment has the key, no step sets it."""
    steps = run("init").err
    assert "export MULEROUTER_API_KEY=" in steps
    assert "notifier check --online\n" in steps
    assert "notifier run\n" in steps
    monkeypatch.setenv("MULEROUTER_API_KEY", KEY)
    other = run("init", "--config", "sub/my.toml", "--json")
    report = json.loads(other.out)
    assert report["next"] == [
        f"notifier check --online --config {report['file']}",
        f"notifier run --config {report['file']}",
    ]
    assert KEY not in other.out


def test_each_commented_setting_is_the_default(run: Run, tmp_path: Path) -> None:
    """Removing the # changes nothing."""
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
def test_an_existing_file_is_not_overwritten(run: Run, tmp_path: Path, is_link: bool) -> None:
    """The target of a link is not overwritten either."""
    file = tmp_path / "config.toml"
    if is_link:
        file.symlink_to(tmp_path / "nowhere")
    else:
        file.write_text("mine")
    result = run("init")
    assert (result.code, result.out) == (1, "")
    assert "already_there" in result.err
    assert "fix: " in result.err
    assert not (tmp_path / "nowhere").exists()
    assert is_link or file.read_text() == "mine"


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """The check before gives the message, and the opening itself is exclusive."""
    file = tmp_path / "config.toml"
    file.write_text("mine")
    with pytest.raises(FileExists):
        create_file(file, "other", 0o600)
    assert file.read_text() == "mine"


def test_without_a_terminal_there_is_no_prompt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt would stop a script."""
    monkeypatch.setattr("click.prompt", lambda *_, **__: pytest.fail("asked"))
    assert run("init", stdin=b"").code == 0


@pytest.mark.parametrize(("name", "args"), [("MULEROUTER_API_KEY", ()), ("OTHER", ("--json",))])
def test_with_json_or_a_key_in_the_environment_there_is_no_prompt(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, args: tuple[str, ...]
) -> None:
    """The key is set already, or a program reads the output."""
    prompts = asked(monkeypatch, KEY)
    monkeypatch.setenv(name, KEY)
    assert run("init", *args).code == 0
    assert prompts == []


def test_a_typed_key_is_written_to_a_private_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is in no other file, and not in the output."""
    asked(monkeypatch, f" {KEY} ")
    result = run("init")
    key_file = tmp_path / "mulerouter.key"
    assert (result.code, key_file.read_text()) == (0, f"{KEY}\n")
    assert mode_of(key_file) == 0o600
    assert KEY not in result.out + result.err + (tmp_path / "config.toml").read_text()
    key = load(tmp_path / "config.toml", {}).providers["mulerouter"].api_key
    assert key is not None
    assert key.reveal() == KEY


def test_an_empty_key_writes_no_key_file(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then the variable of the environment is used."""
    asked(monkeypatch, "")
    assert run("init").code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


def test_an_invalid_key_is_refused_before_anything_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The key would fail at the first poll."""
    asked(monkeypatch, "two words")
    assert run("init").code == 64
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_of_a_user_applies_in_every_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folders are created with access for their owner alone."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run("init", "--user").code == 0
    file = tmp_path / ".config" / "notifier" / "config.toml"
    database = tomllib.loads(file.read_text())["store"]["url"]
    assert database == str(tmp_path / "data" / "notifier" / "notifier.db")
    assert mode_of(Path(database).parent) == 0o700
    assert str(file) in run("check").out
    assert run("init", "--user", "--config", "x").code == 64


def test_a_path_that_cannot_be_written_has_a_fix(run: Run, tmp_path: Path) -> None:
    """A file in place of the folder gives no traceback."""
    (tmp_path / "file").write_text("")
    result = run("init", "--config", "file/config.toml")
    assert result.code == 1
    assert "cannot_write" in result.err


@pytest.mark.parametrize("room", [0, 1])
def test_a_full_disk_leaves_no_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: int
) -> None:
    """No part of a configuration, and no key without one, so that init can run again. ``room`` files fit."""
    asked(monkeypatch, KEY)
    left, fdopen = [True] * room, os.fdopen

    def scarce(handle: int, *_: object, **__: object) -> IO[bytes]:
        if left:
            left.pop()
            return fdopen(handle, "wb")
        os.close(handle)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.fdopen", scarce)
        result = run("init")
    assert (result.code, result.out) == (1, "")
    assert "No space left on device" in result.err
    assert list(tmp_path.iterdir()) == []
    assert run("init").code == 0


def test_an_unusual_folder_name_makes_valid_toml(tmp_path: Path) -> None:
    """A quote or a backslash in the name is escaped."""
    odd = tmp_path / 'a "b" \\c é'
    places = InitPaths(odd / "config.toml", odd / "notifier.db")
    text = render_configuration(places, has_key_file=False)
    assert tomllib.loads(text)["store"]["url"] == str(odd / "notifier.db")

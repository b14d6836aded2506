"""check tells whether the configuration can be used; version tells the version; both take --json."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from notifier import __version__
from tests.cli.conftest import Run

BAD = '[server]\nlisen = "x"\n[polling]\ngrowth = "much"\n'


def test_defaults_are_ok(run: Run) -> None:
    said = run("check")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("configuration ok: defaults")
    assert "127.0.0.1:8484" in said.out


def test_the_file_and_what_holds_are_told_but_no_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MULEROUTER_API_KEY", "sk-very-secret")
    monkeypatch.setenv("TOKEN", "also-secret")
    (tmp_path / "my.toml").write_text('[server]\ntokens = [{ env = "TOKEN" }]\n[store]\nurl = "a/b.db"\n')
    said = run("check", "--config", "my.toml")
    assert said.code == 0
    assert "my.toml" in said.out.splitlines()[0]
    assert str(tmp_path / "a/b.db") in said.out
    assert "a/b.secret" in said.out
    assert "with a key" in said.out
    told = run("check", "--config", "my.toml", "--json")
    assert json.loads(told.out)["ok"] is True
    assert json.loads(told.out)["file"] == "my.toml"
    assert 'secret"' not in (said.out + told.out).replace("b.secret", "")
    assert "also-secret" not in said.out + told.out
    assert "very-secret" not in said.out + told.out


def test_all_faults_are_listed_and_end_with_78(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(BAD)
    said = run("check")
    assert said.code == 78
    assert len(said.out.splitlines()) == 2
    assert "config.toml:2: server.lisen" in said.out
    assert 'did you mean "listen"?' in said.out
    assert "bad_config: 2 errors" in said.err


def test_faults_in_json_have_file_line_and_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(BAD)
    said = run("check", "--json")
    told = json.loads(said.out)
    assert (said.code, told["ok"]) == (78, False)
    assert [(each["line"], each["key"]) for each in told["faults"]] == [
        (2, "server.lisen"),
        (4, "polling.growth"),
    ]


def test_a_secret_that_everybody_can_read_is_noted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1")
    (tmp_path / "key").chmod(0o644)
    (tmp_path / "config.toml").write_text('[providers.mulerouter]\napi_key = { file = "key" }\n')
    said = run("check")
    assert said.code == 0
    assert "note: " in said.out
    assert json.loads(run("check", "--json").out)["notes"]


def test_what_would_keep_the_daemon_from_its_work_is_noted(run: Run, tmp_path: Path) -> None:
    """The folder of the database may be made yet, and a key be set; until then run cannot start, or poll."""
    (tmp_path / "config.toml").write_text('[store]\nurl = "none/x.db"\n')
    said = run("check")
    assert said.code == 0
    folder, key = (line for line in said.out.splitlines() if line.startswith("note: "))
    assert f"store.url: there is no directory {tmp_path / 'none'}" in folder
    assert "mulerouter has no key; set MULEROUTER_API_KEY" in key
    assert len(json.loads(run("check", "--json").out)["notes"]) == 2


def test_a_folder_that_may_not_be_looked_at_is_not_noted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may well be the daemon's own. Python 3.14 says of such a one that it is not there."""
    seen = Path.stat

    def stat(path: Path, **more: Any) -> os.stat_result:
        if "hidden" in path.parts:
            raise PermissionError
        return seen(path, **more)

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(Path, "is_dir", lambda path: "hidden" not in path.parts)
    monkeypatch.setenv("MULEROUTER_API_KEY", "sk-1")
    (tmp_path / "config.toml").write_text('[store]\nurl = "hidden/x/n.db"\n')
    assert "note" not in run("check").out


def test_with_a_key_and_a_folder_there_is_nothing_to_note(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note is for what is likely a mistake."""
    monkeypatch.setenv("MULEROUTER_API_KEY", "sk-1")
    assert "note" not in run("check").out


def test_faults_hide_no_notes(run: Run, tmp_path: Path) -> None:
    """Who mends the one sees the other in the same turn."""
    (tmp_path / "key").write_text("sk-1")
    (tmp_path / "key").chmod(0o644)
    (tmp_path / "config.toml").write_text('[providers.mulerouter]\napi_key = { file = "key" }\n' + BAD)
    said = run("check")
    assert said.code == 78
    assert "server.lisen" in said.out
    assert "note: " in said.out
    assert "chmod 600" in said.out
    assert "chmod 600" in json.loads(run("check", "--json").out)["notes"][0]


def test_version(run: Run) -> None:
    assert run("version").out == f"notifier {__version__}\n"
    assert run("--version").out == f"notifier {__version__}\n"
    assert json.loads(run("version", "--json").out)["notifier"] == __version__

"""check validates the configuration, and version prints the version; both accept --json."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from notifier import __version__
from tests.cli.conftest import Run

BAD = '[server]\nlisen = "x"\n[polling]\ngrowth = "much"\n'


def test_defaults_are_ok(run: Run) -> None:
    result = run("check")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("configuration ok: defaults")
    assert "127.0.0.1:8484" in result.out


def test_check_prints_file_and_settings_but_no_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MULEROUTER_API_KEY", "sk-very-secret")
    monkeypatch.setenv("TOKEN", "also-secret")
    (tmp_path / "my.toml").write_text('[server]\ntokens = [{ env = "TOKEN" }]\n[store]\nurl = "a/b.db"\n')
    result = run("check", "--config", "my.toml")
    assert result.code == 0
    assert "my.toml" in result.out.splitlines()[0]
    assert str(tmp_path / "a/b.db") in result.out
    assert "a/b.secret" in result.out
    assert "with a key" in result.out
    report = run("check", "--config", "my.toml", "--json")
    assert json.loads(report.out)["ok"] is True
    assert json.loads(report.out)["file"] == "my.toml"
    assert 'secret"' not in (result.out + report.out).replace("b.secret", "")
    assert "also-secret" not in result.out + report.out
    assert "very-secret" not in result.out + report.out


def test_all_errors_are_listed_and_end_with_78(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(BAD)
    result = run("check")
    assert result.code == 78
    assert len(result.out.splitlines()) == 2
    assert "config.toml:2: server.lisen" in result.out
    assert 'did you mean "listen"?' in result.out
    assert "bad_config: 2 errors" in result.err


def test_errors_in_json_have_file_line_and_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(BAD)
    result = run("check", "--json")
    report = json.loads(result.out)
    assert (result.code, report["ok"]) == (78, False)
    assert [(each["line"], each["key"]) for each in report["faults"]] == [
        (2, "server.lisen"),
        (4, "polling.growth"),
    ]


def test_a_secret_that_all_users_can_read_is_noted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1")
    (tmp_path / "key").chmod(0o644)
    (tmp_path / "config.toml").write_text('[providers.mulerouter]\napi_key = { file = "key" }\n')
    result = run("check")
    assert result.code == 0
    assert "note: " in result.out
    assert json.loads(run("check", "--json").out)["notes"]


def test_what_would_stop_the_daemon_is_noted(run: Run, tmp_path: Path) -> None:
    """Without the folder of the database run cannot start, and without a key it cannot poll."""
    (tmp_path / "config.toml").write_text('[store]\nurl = "none/x.db"\n')
    result = run("check")
    assert result.code == 0
    folder, key = (line for line in result.out.splitlines() if line.startswith("note: "))
    assert f"store.url: there is no directory {tmp_path / 'none'}" in folder
    assert "mulerouter has no key; set MULEROUTER_API_KEY" in key
    assert len(json.loads(run("check", "--json").out)["notes"]) == 2


def test_an_unreadable_folder_is_not_noted(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may belong to the daemon's user. Path.is_dir of Python 3.14 would deny that it exists."""
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


def test_with_a_key_and_a_folder_there_is_no_note(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a likely mistake has a note."""
    monkeypatch.setenv("MULEROUTER_API_KEY", "sk-1")
    assert "note" not in run("check").out


def test_errors_do_not_hide_notes(run: Run, tmp_path: Path) -> None:
    """So that both can be corrected at once."""
    (tmp_path / "key").write_text("sk-1")
    (tmp_path / "key").chmod(0o644)
    (tmp_path / "config.toml").write_text('[providers.mulerouter]\napi_key = { file = "key" }\n' + BAD)
    result = run("check")
    assert result.code == 78
    assert "server.lisen" in result.out
    assert "note: " in result.out
    assert "chmod 600" in result.out
    assert "chmod 600" in json.loads(run("check", "--json").out)["notes"][0]


def test_version(run: Run) -> None:
    assert run("version").out == f"notifier {__version__}\n"
    assert run("--version").out == f"notifier {__version__}\n"
    assert json.loads(run("version", "--json").out)["notifier"] == __version__

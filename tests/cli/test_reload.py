"""reload has the daemon read its configuration again, and tells what came of it."""

from pathlib import Path

import pytest

from notifier.cli.daemon import make_config_reader
from notifier.cli.options import CommandContext
from notifier.config.errors import InvalidConfig
from tests.cli.conftest import FakeDaemon, Run, problem


def test_a_reload_that_works_says_so(ask: Run, daemon: FakeDaemon) -> None:
    """systemd's ExecReload calls it: 0 means that the new configuration holds."""
    daemon.on("POST", "/v1/reload", {"status": "reloaded"})
    said = ask("reload")
    assert (said.code, said.out, said.err) == (0, "reloaded\n", "")


def test_what_needs_a_restart_is_named_with_file_and_daemon(ask: Run, daemon: FakeDaemon) -> None:
    """What was read where, and what of it does not hold yet."""
    told = {"status": "reloaded", "file": "/x/config.toml", "needs_restart": ["server.listen", "store.url"]}
    daemon.on("POST", "/v1/reload", told)
    said = ask("reload")
    assert (said.code, said.out) == (0, "reloaded; these need a restart: server.listen, store.url\n")
    assert said.err == f"the daemon at {daemon.url} has read /x/config.toml\n"


def test_a_daemon_that_is_not_where_the_file_says_may_listen_where_it_said(run: Run, tmp_path: Path) -> None:
    """A changed server.listen holds from a restart on; whoever names the daemon needs no such hint."""
    file = tmp_path / "config.toml"
    file.write_text('[server]\nlisten = "127.0.0.1:1"\n')
    said = run("reload", "--config", str(file))
    assert said.code == 69
    assert "if server.listen was changed, the daemon still listens on the old address" in said.err
    assert "still listens" not in run("reload", "--url", "http://127.0.0.1:1").err


def test_each_fault_of_a_bad_configuration_is_told_once(ask: Run, daemon: FakeDaemon) -> None:
    """It ends with 1, and says that the old configuration stays in effect."""
    faults = ["config.toml:2: server.lisen: unknown key", "config.toml:4: polling.growth: must be a number"]
    errors = [{"pointer": "", "detail": fault} for fault in faults]
    detail = f"{faults[0]} (and 1 more); the old configuration stays"
    daemon.on("POST", "/v1/reload", problem(422, "bad_configuration", detail, errors))
    said = ask("reload")
    assert (said.code, said.out) == (1, "")
    assert [said.err.count(fault) for fault in faults] == [1, 1]
    assert "old configuration stays in effect" in said.err


def test_without_a_daemon_it_ends_with_69(run: Run) -> None:
    """systemd shows the reload as failed."""
    assert run("reload", "--url", "http://127.0.0.1:1").code == 69


def test_a_file_that_is_gone_at_a_reload_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file, or the defaults, would be a configuration without its tokens and providers."""
    monkeypatch.chdir(tmp_path)
    file = Path("config.toml")
    file.write_text("[log]\nlevel = 'error'\n")
    load = make_config_reader(CommandContext(environ={"HOME": str(tmp_path / "home")}))
    assert load().log.level == "error"
    file.write_text("[log]\nlevel = 'debug'\n")
    assert load().log.level == "debug"
    elsewhere = tmp_path / "home" / ".config" / "notifier" / "config.toml"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("")
    file.rename(tmp_path / "moved.toml")
    with pytest.raises(InvalidConfig, match="No such file"):
        load()


def test_a_file_that_comes_after_a_start_without_one_is_read_at_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the one that `notifier init` writes; from then on it is that one."""
    monkeypatch.chdir(tmp_path)
    load = make_config_reader(CommandContext(environ={}))
    assert load().log.level == "info"
    Path("config.toml").write_text("[log]\nlevel = 'debug'\n")
    assert load().log.level == "debug"
    Path("config.toml").unlink()
    with pytest.raises(InvalidConfig, match="No such file"):
        load()

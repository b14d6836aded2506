"""reload makes the daemon read its configuration again, and prints the result."""

import os
from pathlib import Path

import pytest

from notifier.cli.daemon import make_config_reader
from notifier.cli.options import CommandContext
from notifier.config.errors import InvalidConfig
from tests.cli.conftest import FakeDaemon, Run, problem


def test_a_reload_is_confirmed(ask: Run, daemon: FakeDaemon) -> None:
    """ExecReload= of systemd calls it. 0 means that the new configuration is in effect."""
    daemon.on("POST", "/v1/reload", {"status": "reloaded"})
    result = ask("reload")
    assert (result.code, result.out, result.err) == (0, "reloaded\n", "")


def test_keys_that_need_a_restart_are_named_with_file_and_daemon(ask: Run, daemon: FakeDaemon) -> None:
    """The file, the daemon, and the keys that are not in effect yet."""
    body = {"status": "reloaded", "file": "/x/config.toml", "needs_restart": ["server.listen", "store.url"]}
    daemon.on("POST", "/v1/reload", body)
    result = ask("reload")
    assert (result.code, result.out) == (0, "reloaded; these need a restart: server.listen, store.url\n")
    assert result.err == f"the daemon at {daemon.url} has read /x/config.toml\n"


def test_an_unreachable_daemon_may_listen_on_its_old_address(run: Run, tmp_path: Path) -> None:
    """A changed server.listen needs a restart. With --url there is no such hint."""
    file = tmp_path / "config.toml"
    file.write_text('[server]\nlisten = "127.0.0.1:1"\n')
    result = run("reload", "--config", str(file))
    assert result.code == 69
    assert "if server.listen was changed, the daemon still listens on the old address" in result.err
    assert "still listens" not in run("reload", "--url", "http://127.0.0.1:1").err


def test_each_error_of_a_bad_configuration_is_printed_once(ask: Run, daemon: FakeDaemon) -> None:
    """The exit code is 1, and the old configuration stays in effect."""
    details = ["config.toml:2: server.lisen: unknown key", "config.toml:4: polling.growth: must be a number"]
    errors = [{"pointer": "", "detail": each} for each in details]
    detail = f"{details[0]} (and 1 more); the old configuration stays"
    daemon.on("POST", "/v1/reload", problem(422, "bad_configuration", detail, errors))
    result = ask("reload")
    assert (result.code, result.out) == (1, "")
    assert [result.err.count(each) for each in details] == [1, 1]
    assert "old configuration stays in effect" in result.err


def test_without_a_daemon_it_ends_with_69(run: Run) -> None:
    """systemd shows the reload as failed."""
    assert run("reload", "--url", "http://127.0.0.1:1").code == 69


def test_a_file_that_was_removed_before_a_reload_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file, or the defaults, would lack the tokens and providers."""
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


def test_a_file_created_after_the_start_is_read_at_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`notifier init` may have written it. From then on the daemon keeps to it."""
    monkeypatch.chdir(tmp_path)
    load = make_config_reader(CommandContext(environ={}))
    assert load().log.level == "info"
    Path("config.toml").write_text("[log]\nlevel = 'debug'\n")
    assert load().log.level == "debug"
    Path("config.toml").unlink()
    with pytest.raises(InvalidConfig, match="No such file"):
        load()


@pytest.mark.fault(139)
def test_a_pipe_is_read_at_the_start_and_not_at_a_reload(tmp_path: Path) -> None:
    """Nothing is left in it, and the defaults have no tokens: the old configuration stays in effect."""
    reader, writer = os.pipe()
    os.write(writer, b"[polling]\nmax_interval = '77s'\n")
    os.close(writer)
    load = make_config_reader(CommandContext(config=f"/dev/fd/{reader}", environ={}))
    assert load().providers["mulerouter"].polling.max_interval_ms == 77_000
    with pytest.raises(InvalidConfig, match="no regular file"):
        load()
    os.close(reader)

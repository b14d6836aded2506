"""reload has the daemon read its configuration again, and tells what came of it."""

from tests.cli.conftest import FakeDaemon, Run, problem


def test_a_reload_that_works_says_so(ask: Run, daemon: FakeDaemon) -> None:
    """systemd's ExecReload calls it: 0 means that the new configuration holds."""
    daemon.on("POST", "/v1/reload", {"status": "reloaded"})
    said = ask("reload")
    assert (said.code, said.out, said.err) == (0, "reloaded\n", "")


def test_each_fault_of_a_bad_configuration_is_told_once(ask: Run, daemon: FakeDaemon) -> None:
    """It ends with 1, and says that the old configuration holds."""
    faults = ["config.toml:2: server.lisen: unknown key", "config.toml:4: polling.growth: must be a number"]
    errors = [{"pointer": "", "detail": fault} for fault in faults]
    detail = f"{faults[0]} (and 1 more); the old configuration stays"
    daemon.on("POST", "/v1/reload", problem(422, "bad_configuration", detail, errors))
    said = ask("reload")
    assert (said.code, said.out) == (1, "")
    assert [said.err.count(fault) for fault in faults] == [1, 1]
    assert "old configuration holds" in said.err


def test_without_a_daemon_it_ends_with_69(run: Run) -> None:
    """systemd shows the reload as failed."""
    assert run("reload", "--url", "http://127.0.0.1:1").code == 69

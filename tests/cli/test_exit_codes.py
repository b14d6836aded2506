"""The exit code says what happened: 0 1 2 64 69 70 75 77 78."""

import socket
from pathlib import Path

import pytest

from notifier.errors import DatabaseBusy, DatabaseUnusable
from tests.cli.conftest import WATCH, Canned, FakeDaemon, Run, problem


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("no-such-command",),
        ("ls", "--no-such-option"),
        ("ls", "--state", "sleeping"),
        ("ls", "--limit", "0"),
        ("show",),
        ("show", "../../etc/passwd"),
        ("show", "dlv_1"),
        ("redeliver", "wch_1"),
        ("watch", "/api"),
        ("watch", "/api", "task"),
        ("watch", "-", "task", "--callback", "http://x/"),
        ("watch", "/api", "task", "--callback", "http://x/", "--metadata", "[1]"),
        ("watch", "/api", "task", "--callback", "http://x/", "--metadata", "{"),
        ("watch", "/api", "task", "--callback", "http://x/", "--metadata", '{"a":1,"a":2}'),
        ("watch", "/api", "task", "--callback", "http://x/", "--expire-after", "soon"),
        ("wait", "wch_1", "--max-wait", "49ms"),
        ("wait",),
        ("ls", "--url", "ftp://127.0.0.1"),
        ("ls", "--url", "http://user:pass@127.0.0.1"),
        ("ls", "--url", "http://127.0.0.1:99999"),
        ("ls", "--url", "unix:relative.sock"),
        ("ls", "--url", "http://a host:8484"),
        ("ls", "--url", "http://127.0.0.1:8484/a path"),
        ("ls", "--url", "http://127.0.0.1:8484/päth"),
        ("ls", "--url", "http://127.0.0.1:8484/\n"),
        ("ls", "--token", "two words"),
        ("listen", "--port", "70000"),
        ("listen", "--secret", "not-a-secret"),
    ],
)
def test_wrong_usage_ends_with_64(run: Run, args: tuple[str, ...]) -> None:
    result = run(*args)
    assert (result.code, result.out) == (64, "")
    assert "Usage: notifier" in result.err


def test_a_misspelt_command_has_the_nearest_name(run: Run) -> None:
    assert "'watch'" in run("wacth").err


def test_no_daemon_ends_with_69_and_a_fix(run: Run) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = run("ls", "--url", f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert (result.code, result.out) == (69, "")
    assert "connection refused" in result.err
    assert "notifier run" in result.err
    assert "systemctl start notifier" in result.err


def test_a_missing_socket_ends_with_69(run: Run, tmp_path: Path) -> None:
    result = run("ls", "--url", f"unix:{tmp_path}/none.sock")
    assert result.code == 69
    assert "no such socket" in result.err


@pytest.mark.parametrize(
    "answer",
    [
        Canned(200, b"<html>hello</html>", kind="text/html"),
        Canned(200, b'{"watches": [', kind="application/json"),
        Canned(200, b'{"watches": ["\xff"]}', kind="application/json"),
        Canned(200, {"watches": [{"id": 5}]}),
        Canned(302, b"", headers={"Location": "http://127.0.0.1:1/"}),
        Canned(502, b"<html>bad gateway</html>", kind="text/html"),
        Canned(404, {"detail": "Not Found"}),
    ],
)
def test_another_server_at_the_address_ends_with_69(ask: Run, daemon: FakeDaemon, answer: Canned) -> None:
    daemon.on("GET", "/v1/watches", answer)
    result = ask("ls")
    assert (result.code, result.out) == (69, "")
    assert "is not notifier" in result.err


def test_a_server_without_http_ends_with_69(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        from threading import Thread  # noqa: PLC0415

        def talk() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"220 mail.example ESMTP\r\n")

        thread = Thread(target=talk)
        thread.start()
        result = run("ls", "--url", f"127.0.0.1:{port}")
        thread.join()
    assert result.code == 69
    assert "BadStatusLine" in result.err


@pytest.mark.parametrize("status", [401, 403, 421])
def test_a_refusal_ends_with_77_and_a_fix(ask: Run, daemon: FakeDaemon, status: int) -> None:
    daemon.on("GET", "/v1/watches", problem(status, "refused_somehow", "not you"))
    result = ask("ls")
    assert result.code == 77
    assert "refused_somehow: not you" in result.err
    assert "fix: " in result.err


def test_a_refusal_by_a_proxy_ends_with_77_too(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches", Canned(401, b"no", kind="text/plain"))
    result = ask("ls")
    assert result.code == 77
    assert "responds with 401, but not as notifier does" in result.err
    assert "name the daemon by --url" in result.err


def test_https_to_a_daemon_without_tls_has_a_fix(run: Run, daemon: FakeDaemon) -> None:
    """The message of the TLS library has no fix."""
    result = run("ls", "--url", daemon.url.replace("http:", "https:"))
    assert result.code == 69
    assert f"no TLS is spoken at https://127.0.0.1:{daemon.port}" in result.err
    assert "fix: write http://" in result.err
    assert "_ssl" not in result.err


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 500, 503, 507])
def test_another_problem_ends_with_1_code_cause_and_fields(ask: Run, daemon: FakeDaemon, status: int) -> None:
    errors = [{"pointer": "/task_id", "detail": "too long"}, {"pointer": "", "detail": "odd"}]
    daemon.on("GET", "/v1/watches/wch_1", problem(status, "validation_failed", "2 faults", errors))
    result = ask("show", "wch_1")
    assert (result.code, result.out) == (1, "")
    assert "validation_failed: 2 errors" in result.err
    assert "/task_id: too long" in result.err
    assert "(the whole body): odd" in result.err


def test_a_temporary_problem_says_when_to_retry(ask: Run, daemon: FakeDaemon) -> None:
    full = problem(503, "too_many_watches", "1000000 are live")
    daemon.on("GET", "/v1/watches", Canned(503, full.body, full.kind, {"Retry-After": "30"}))
    assert "try again in 30 s" in ask("ls").err


def test_a_bad_configuration_ends_with_78_and_lists_all_errors(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[server]\nlisen = "x"\n[polling]\ngrowth = "much"\n')
    for args in (("ls",), ("listen",)):
        result = run(*args)
        assert (result.code, result.out) == (78, "")
        assert "config.toml:2: server.lisen" in result.err
        assert "config.toml:4: polling.growth" in result.err


def test_a_configuration_named_by_config_must_exist(run: Run) -> None:
    for args in (("ls", "--config", "none.toml"), ("--config", "none.toml", "check")):
        assert run(*args).code == 78


@pytest.mark.parametrize(
    ("error", "code"), [(DatabaseBusy("held", "stop it"), 75), (DatabaseUnusable("foreign", "move it"), 78)]
)
def test_an_error_of_the_daemon_ends_with_its_own_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail(load: object) -> int:
        raise error

    monkeypatch.setattr("notifier.daemon.run.run", fail)
    assert run("run").code == code


def test_run_ends_as_the_daemon_does_and_reads_the_configuration_when_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listens = []
    (tmp_path / "my.toml").write_text('[server]\nlisten = "127.0.0.1:1111"\n')

    def serve(load: object) -> int:
        assert callable(load)
        listens.append(load().server.listen)
        (tmp_path / "my.toml").write_text('[server]\nlisten = "127.0.0.1:2222"\n')
        listens.append(load().server.listen)
        return 75

    monkeypatch.setattr("notifier.daemon.run.run", serve)
    assert run("run", "--config", "my.toml").code == 75
    assert listens == ["127.0.0.1:1111", "127.0.0.1:2222"]


def test_an_internal_error_ends_with_70(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("notifier.cli.watches.read_list", fail)
    result = run("ls")
    assert result.code == 70
    assert "ZeroDivisionError" in result.err


def test_ctrl_c_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("notifier.cli.watches.read_list", interrupt)
    assert run("ls").code == 130


def test_a_socket_that_may_not_be_opened_ends_with_77(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("notifier.client.transport._UnixConnection.connect", refuse)
    assert run("ls", "--url", "unix:/run/x.sock").code == 77


def test_done_ends_with_0(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches/wch_1", WATCH)
    assert ask("show", "wch_1").code == 0

"""`notifier systemd` prints the units of the package, adapted to this installation."""

import sys
from pathlib import Path

import pytest

from notifier.cli.systemd import read_unit
from tests.cli.conftest import Run

OWN = "/srv/notifier/bin/notifier"
SHIPPED = Path(__file__).parents[2] / "systemd"


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command as from another virtual environment."""
    monkeypatch.setattr(sys, "argv", [sys.argv[0]])
    monkeypatch.setattr(sys, "executable", "/srv/notifier/bin/python")


def test_for_the_default_place_the_unit_is_the_one_of_the_package(run: Run) -> None:
    """The printed unit is the reviewed one."""
    result = run("systemd", "--executable", "/opt/notifier/bin/notifier")
    assert (result.code, result.out) == (0, (SHIPPED / "notifier.service").read_text())
    assert run("systemd", "--socket").out == (SHIPPED / "notifier.socket").read_text()


def test_the_command_of_this_installation_is_filled_in(run: Run) -> None:
    """In ExecStart= and ExecReload=."""
    result = run("systemd")
    assert [line for line in result.out.splitlines() if line.startswith("Exec")] == [
        f"ExecStart={OWN} run",
        f"ExecReload={OWN} reload",
    ]


def test_key_file_configuration_and_address_are_filled_in(run: Run, tmp_path: Path) -> None:
    """They are in the environment of the service; the socket listens on the address."""
    config = tmp_path / "config.toml"
    config.touch()
    out = run("systemd", "--key-file", "/etc/k", "--listen", "127.0.0.1:1", "--config", str(config)).out
    assert "LoadCredential=mulerouter-api-key:/etc/k\n" in out
    assert 'Environment="NOTIFIER_SERVER__LISTEN=127.0.0.1:1"\n' in out
    assert f'Environment="NOTIFIER_CONFIG={config}"\n' in out
    assert "ListenStream=127.0.0.1:1\n" in run("systemd", "--socket", "--listen", "127.0.0.1:1").out
    listen = "unix:/run/notifier.sock"
    assert "ListenStream=/run/notifier.sock\n" in run("systemd", "--socket", "--listen", listen).out


def test_an_ipv6_address_is_accepted(run: Run) -> None:
    """systemd gives brackets no meaning."""
    assert 'Environment="NOTIFIER_SERVER__LISTEN=[::1]:8484"' in run("systemd", "--listen", "[::1]:8484").out
    assert "ListenStream=[::1]:8484\n" in run("systemd", "--socket", "--listen", "[::1]:8484").out


def test_a_socket_needs_an_address(run: Run, tmp_path: Path) -> None:
    """systemd does not resolve names; the service does."""
    (tmp_path / "config.toml").write_text('[server]\nlisten = "localhost:8484"\n')
    for args in (("--listen", "localhost:8484"), ()):
        result = run("systemd", "--socket", *args)
        assert (result.code, result.out) == (64, "")
        assert "127.0.0.1:8484" in result.err
    assert run("systemd", "--listen", "localhost:8484").code == 0


def test_the_socket_listens_on_the_configured_address(run: Run, tmp_path: Path) -> None:
    """So that commands and clients find the daemon."""
    (tmp_path / "config.toml").write_text('[server]\nlisten = "127.0.0.1:9484"\n')
    assert "ListenStream=127.0.0.1:9484\n" in run("systemd", "--socket").out


def test_the_steps_of_the_installation_are_printed_on_stderr(run: Run) -> None:
    """stdout can be redirected to the file of the unit."""
    assert "/etc/systemd/system/notifier.service" in run("systemd").err
    assert "chmod 600" in run("systemd").err
    assert "/etc/systemd/system/notifier.socket" in run("systemd", "--socket").err


@pytest.mark.parametrize(
    "place", ["/root/.local/bin/notifier", "/home/a/.venv/bin/notifier", "/tmp/v/bin/notifier"]
)
def test_an_installation_that_the_sandbox_hides_has_a_warning(run: Run, place: str) -> None:
    """pipx and uv install into a home directory, which the service cannot access."""
    result = run("systemd", "--executable", place)
    assert result.code == 0
    assert f"warning: {place} is hidden" in result.err
    assert "/opt/notifier" in result.err
    assert "warning" not in run("systemd").err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--listen", "http://127.0.0.1:1"),
        ("--listen", "unix:relative"),
        ("--listen", "127.0.0.1"),
        ("--listen", "8484"),
        ("--listen", "127.0.0.1:8484/x"),
        ("--listen", "unix:/run/" + "n" * 103),
        ("--socket", "--listen", "unix:/run/notifier/notifier.sock"),
        ("--key-file", "relative"),
        ("--key-file", "/etc/with space"),
        ("--key-file", "/etc/%i"),
        ("--executable", "/opt/a b/notifier"),
        ("--executable", "/opt/x\nExecStartPre=/bin/sh"),
    ],
)
def test_what_a_unit_cannot_contain_is_refused(run: Run, wrong: tuple[str, ...]) -> None:
    """The exit code is 64, and stdout is empty."""
    result = run("systemd", *wrong)
    assert (result.code, result.out) == (64, "")


def test_the_package_has_the_drop_ins() -> None:
    """They are in the folder of the units."""
    assert "LoadCredentialEncrypted=" in read_unit("encrypted-key.conf")
    assert "Type=notify-reload" in read_unit("notify-reload.conf")

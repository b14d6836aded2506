"""Secrets are printed, and rotated so that no callback is refused."""

import json
import stat
from pathlib import Path

import pytest

from notifier.core.secret import Secret
from notifier.daemon.signing_secrets import MAX_SECRETS, load_or_make_secrets, read_secrets
from tests.cli.conftest import Run

FILE = Path("notifier.secret")
CONFIGURED = "whsec_" + "A" * 44


@pytest.fixture
def existing_secret() -> Secret:
    """The secret that the daemon creates at its first start."""
    return load_or_make_secrets(FILE)[0][0]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration whose callbacks.secrets has one secret."""
    Path("config.toml").write_text('[callbacks]\nsecrets = [{ env = "SIGNING" }]\n')
    monkeypatch.setenv("SIGNING", CONFIGURED)


def test_show_prints_the_secrets_newest_first(run: Run, existing_secret: Secret) -> None:
    """stdout has the secrets alone, for a script."""
    result = run("secret", "rotate")
    assert "it signs beside the old secrets after a reload" in result.err
    new_secret = result.out.strip()
    result = run("secret", "show")
    assert (result.code, result.out.splitlines()) == (0, [new_secret, existing_secret.reveal()])
    assert "notifier.secret" in result.err
    report = json.loads(run("secret", "show", "--json").out)
    assert report == {
        "secrets": [new_secret, existing_secret.reveal()],
        "origin": str(Path("notifier.secret").absolute()),
    }


def test_show_prints_the_secrets_of_the_configuration(
    run: Run, existing_secret: Secret, configured: None
) -> None:
    assert run("secret", "show").out == f"{CONFIGURED}\n"


def test_show_prints_the_secrets_of_one_endpoint(
    run: Run, existing_secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint without its own has those of all; the query of the URL does not matter."""
    Path("config.toml").write_text(
        '[callbacks.endpoints."http://127.0.0.1:9001/hook"]\nsecrets = [{ env = "SIGNING" }]\n'
    )
    monkeypatch.setenv("SIGNING", CONFIGURED)
    result = run("secret", "show", "--endpoint", "http://127.0.0.1:9001/hook?user=7")
    assert (result.code, result.out) == (0, f"{CONFIGURED}\n")
    assert 'callbacks.endpoints."http://127.0.0.1:9001/hook".secrets' in result.err
    result = run("secret", "show", "--endpoint", "http://127.0.0.1:9001/other")
    assert result.out == f"{existing_secret.reveal()}\n"
    result = run("secret", "show", "--endpoint", "hook")
    assert (result.code, result.out) == (64, "")


def test_before_the_first_start_there_is_no_secret(run: Run) -> None:
    """No secret is created, and there is a fix."""
    for args in (["show"], ["rotate"], ["rotate", "--drop-old"]):
        result = run("secret", *args)
        assert result.code == 78
        assert "notifier run" in result.err
    assert not FILE.exists()


def test_rotate_puts_a_new_secret_before_the_old(run: Run, existing_secret: Secret) -> None:
    result = run("secret", "rotate")
    new_secret, *old = read_secrets(FILE)
    assert (result.code, result.out) == (0, f"{new_secret.reveal()}\n")
    assert old == [existing_secret]
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert "notifier reload" in result.err
    assert "SIGHUP" in result.err
    assert "--drop-old" in result.err


def test_drop_old_keeps_the_newest_secret_alone(run: Run, existing_secret: Secret) -> None:
    new_secret = run("secret", "rotate").out.strip()
    result = run("secret", "rotate", "--drop-old")
    assert (result.code, result.out) == (0, f"{new_secret}\n")
    assert "dropped 1" in result.err
    assert [secret.reveal() for secret in read_secrets(FILE)] == [new_secret]
    again = run("secret", "rotate", "--drop-old", "--json")
    assert "no older" in again.err
    assert json.loads(again.out)["secrets"] == [new_secret]


def test_a_sixth_secret_is_refused_and_none_is_dropped(run: Run, existing_secret: Secret) -> None:
    for _ in range(MAX_SECRETS - 1):
        assert run("secret", "rotate").code == 0
    before = FILE.read_bytes()
    result = run("secret", "rotate")
    assert result.code == 1
    assert "--drop-old" in result.err
    assert FILE.read_bytes() == before
    assert read_secrets(FILE)[-1] == existing_secret


def test_configured_secrets_are_not_rotated(run: Run, existing_secret: Secret, configured: None) -> None:
    for args in ([], ["--drop-old"]):
        result = run("secret", "rotate", *args)
        assert (result.code, result.out) == (78, "")
        assert "callbacks.secrets" in result.err
        assert "fix: " in result.err
    assert read_secrets(FILE) == (existing_secret,)


def test_a_damaged_file_is_neither_printed_nor_rotated(run: Run) -> None:
    FILE.write_text("whsec_short\n")
    for args in (["show"], ["rotate"], ["rotate", "--drop-old"]):
        assert run("secret", *args).code == 78
    assert FILE.read_text() == "whsec_short\n"

"""Secrets are shown, and changed so that at no moment a callback is refused."""

import json
import stat
from pathlib import Path

import pytest

from notifier.core.secret import Secret
from notifier.daemon.signing_secrets import MAX_SECRETS, keep_secrets, read_secrets
from tests.cli.conftest import Run

FILE = Path("notifier.secret")
CONFIGURED = "whsec_" + "A" * 44


@pytest.fixture
def kept() -> Secret:
    """What the daemon made at its first start."""
    return keep_secrets(FILE)[0][0]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """callbacks.secrets names one."""
    Path("config.toml").write_text('[callbacks]\nsecrets = [{ env = "SIGNING" }]\n')
    monkeypatch.setenv("SIGNING", CONFIGURED)


def test_show_prints_what_signs_newest_first(run: Run, kept: Secret) -> None:
    """On stdout the secrets alone: a script may read them."""
    said = run("secret", "rotate")
    assert "it signs beside the old secrets after a reload" in said.err
    fresh = said.out.strip()
    said = run("secret", "show")
    assert (said.code, said.out.splitlines()) == (0, [fresh, kept.reveal()])
    assert "notifier.secret" in said.err
    told = json.loads(run("secret", "show", "--json").out)
    assert told == {"secrets": [fresh, kept.reveal()], "origin": str(Path("notifier.secret").absolute())}


def test_show_prints_those_of_the_configuration(run: Run, kept: Secret, configured: None) -> None:
    assert run("secret", "show").out == f"{CONFIGURED}\n"


def test_before_the_first_start_there_is_none(run: Run) -> None:
    """Nothing is made behind the daemon's back, and the fix is told."""
    for args in (["show"], ["rotate"], ["rotate", "--drop-old"]):
        said = run("secret", *args)
        assert said.code == 78
        assert "notifier run" in said.err
    assert not FILE.exists()


def test_rotate_puts_a_new_one_first_and_keeps_the_old(run: Run, kept: Secret) -> None:
    said = run("secret", "rotate")
    fresh, *old = read_secrets(FILE)
    assert (said.code, said.out) == (0, f"{fresh.reveal()}\n")
    assert old == [kept]
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert "notifier reload" in said.err
    assert "SIGHUP" in said.err
    assert "--drop-old" in said.err


def test_drop_old_keeps_the_newest_alone(run: Run, kept: Secret) -> None:
    fresh = run("secret", "rotate").out.strip()
    said = run("secret", "rotate", "--drop-old")
    assert (said.code, said.out) == (0, f"{fresh}\n")
    assert "dropped 1" in said.err
    assert [secret.reveal() for secret in read_secrets(FILE)] == [fresh]
    again = run("secret", "rotate", "--drop-old", "--json")
    assert "no older" in again.err
    assert json.loads(again.out)["secrets"] == [fresh]


def test_no_more_than_five_sign_and_none_is_dropped_unasked(run: Run, kept: Secret) -> None:
    for _ in range(MAX_SECRETS - 1):
        assert run("secret", "rotate").code == 0
    before = FILE.read_bytes()
    said = run("secret", "rotate")
    assert said.code == 1
    assert "--drop-old" in said.err
    assert FILE.read_bytes() == before
    assert read_secrets(FILE)[-1] == kept


def test_what_the_operator_configured_is_not_rotated(run: Run, kept: Secret, configured: None) -> None:
    for args in ([], ["--drop-old"]):
        said = run("secret", "rotate", *args)
        assert (said.code, said.out) == (78, "")
        assert "callbacks.secrets" in said.err
        assert "fix: " in said.err
    assert read_secrets(FILE) == (kept,)


def test_a_damaged_file_is_neither_shown_nor_rotated(run: Run) -> None:
    FILE.write_text("whsec_short\n")
    for args in (["show"], ["rotate"], ["rotate", "--drop-old"]):
        assert run("secret", *args).code == 78
    assert FILE.read_text() == "whsec_short\n"

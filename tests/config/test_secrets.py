"""A secret is looked up where the configuration says, never written in it, and never told in a fault."""

import os
from pathlib import Path

import pytest

from notifier.core.secret import Secret
from tests.config.conftest import Read, Refuse

CANARY = "canary-0123456789"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"])
def test_a_secret_comes_from_a_variable_a_file_or_a_credential(
    read: Read, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "key").write_text(CANARY + ending, newline="")
    (tmp_path / "key").chmod(0o600)
    environ = {"KEY": CANARY + ending, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    tokens = (
        f'[{{ env = "KEY" }}, {{ file = "{tmp_path}/key" }}, {{ file = "key" }}, {{ credential = "key" }}]'
    )
    config = read(f"[server]\ntokens = {tokens}", environ)
    assert config.server.tokens == (Secret(CANARY),) * 4
    assert config.notes == ()
    assert CANARY not in repr(config)


HOW = '{ env = "NAME" }, { file = "PATH" } or { credential = "NAME" }'


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        (f'"{CANARY}"', f"must not contain the secret itself; write {HOW}"),
        ("3", f"must be {HOW}, not a number"),
        ("{}", f"must be one of {HOW}"),
        ('{ env = "A", file = "B" }', f"must be one of {HOW}"),
        (f'{{ evn = "{CANARY}" }}', f'must be {HOW}; did you mean "env"?'),
        ("{ env = 3 }", f"must be {HOW}, with a name in it"),
        ('{ file = "" }', f"must be {HOW}, with a name in it"),
        ('{ file = "a\\u0000b" }', f"must be {HOW}, with a name in it"),
        ('{ credential = "../key" }', "must name a credential, not a path"),
        ('{ credential = ".." }', "must name a credential, not a path"),
        ('{ env = "NOPE" }', "environment variable NOPE is not set or empty; set it, or name another"),
        ('{ env = "EMPTY" }', "environment variable EMPTY is not set or empty; set it, or name another"),
        ('{ env = "BLANK" }', "environment variable BLANK is empty; put the secret into it"),
        ('{ env = "TWO" }', "environment variable TWO contains characters that no header allows"),
        ('{ env = "UMLAUT" }', "environment variable UMLAUT contains characters that no header allows"),
        ('{ file = "none" }', "file none cannot be read: No such file or directory; it must exist"),
        ('{ file = "." }', "file . is not a regular file"),
        ('{ file = "pipe" }', "file pipe is not a regular file"),
        ('{ file = "empty" }', "file empty is empty; put the secret into it"),
        ('{ file = "large" }', "file large is larger than 8192 bytes"),
        ('{ file = "binary" }', "file binary contains characters that no header allows"),
        (
            '{ credential = "x" }',
            "CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential=x:PATH",
        ),
    ],
)
def test_a_secret_that_is_not_there_is_told_with_the_fix(
    refuse: Refuse, tmp_path: Path, reference: str, fault: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_text(CANARY * 1_000)
    (tmp_path / "binary").write_bytes(b"\xff" + CANARY.encode())
    environ = {"EMPTY": "", "BLANK": "\n", "TWO": f"{CANARY}\n{CANARY}", "UMLAUT": f"ü{CANARY}"}
    [told] = refuse(f"\n[providers.mulerouter]\napi_key = {reference}", environ)
    assert told.startswith("config.toml:3: providers.mulerouter.api_key: ")
    assert fault in told
    assert CANARY not in told


def test_a_file_that_may_not_be_read_is_told(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def denied(path: Path, flags: int) -> int:
        if str(path) != "/etc/key":
            return real(path, flags)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("notifier.config.secret_sources.os.open", denied)
    [told] = refuse('[providers.mulerouter]\napi_key = { file = "/etc/key" }')
    assert "file /etc/key cannot be read: Permission denied" in told


def test_the_entry_that_is_wrong_is_told_by_its_number(refuse: Refuse) -> None:
    [told] = refuse("[server]\ntokens = [{ env = 'A' }, 'b']", {"A": "a"})
    assert "entry 2 must not contain the secret itself" in told


@pytest.mark.parametrize("secret", ["no-prefix-0123456789", "whsec_!!!", "whsec_c2hvcnQ="])
def test_a_signing_secret_is_one_that_can_sign(refuse: Refuse, secret: str) -> None:
    [told] = refuse("[callbacks]\nsecrets = [{ env = 'S' }]", {"S": secret})
    assert told.startswith("config.toml:2: callbacks.secrets: entry 1 cannot sign: ")
    assert "whsec_ and 24 to 64 random bytes in base64" in told
    assert secret not in told


def test_a_secret_file_that_everybody_can_read_is_noted(read: Read, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY)
    (tmp_path / "key").chmod(0o644)
    config = read('[providers.mulerouter]\napi_key = { file = "key" }')
    assert config.notes == ("file key contains a secret and can be read by every user; chmod 600 it",)
    (tmp_path / "key").chmod(0o640)
    assert read('[providers.mulerouter]\napi_key = { file = "key" }').notes == ()


@pytest.mark.parametrize(
    ("reference", "origin"),
    [
        ('{ env = "K" }', "K"),
        ('{ file = "key" }', "file key"),
        ('{ credential = "key" }', "credential key"),
    ],
)
def test_a_secret_knows_where_it_came_from(read: Read, tmp_path: Path, reference: str, origin: str) -> None:
    """The configuration's own word for it, so that a fix can name it."""
    (tmp_path / "key").write_text("sk-1")
    (tmp_path / "key").chmod(0o600)
    environ = {"K": "sk-1", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    key = read(f"[providers.mulerouter]\napi_key = {reference}", environ).providers["mulerouter"].api_key
    assert key == Secret("sk-1")
    assert key.origin == origin

"""The client certificate is looked into when the configuration is read: a fault there stops the start."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.config.conftest import Read, Refuse

BOTH = '[callbacks.tls]\ncert = "own.pem"\nkey = "own.key"'
NO_KEY = "has no unencrypted key of the certificate; put it there, as PEM"


@pytest.fixture
def leaf(tmp_path: Path) -> trustme.LeafCert:
    """A certificate in own.pem, its key in own.key."""
    leaf = trustme.CA().issue_cert("notifier.example")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    (tmp_path / "own.key").chmod(0o600)
    return leaf


@pytest.mark.usefixtures("leaf")
def test_relative_paths_start_from_the_folder_of_the_file(read: Read, tmp_path: Path) -> None:
    config = read(BOTH)
    assert config.callbacks.tls.cert == str(tmp_path / "own.pem")
    assert config.callbacks.tls.key == str(tmp_path / "own.key")
    assert config.notes == ()


def test_the_key_may_be_in_the_file_of_the_certificate(
    read: Read, leaf: trustme.LeafCert, tmp_path: Path
) -> None:
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    assert read('[callbacks.tls]\ncert = "own.pem"').callbacks.tls.key == ""


@pytest.mark.usefixtures("leaf")
def test_both_may_come_by_variables(read: Read, tmp_path: Path) -> None:
    cert, key = str(tmp_path / "own.pem"), str(tmp_path / "own.key")
    config = read("", {"NOTIFIER_CALLBACKS__TLS__CERT": cert, "NOTIFIER_CALLBACKS__TLS__KEY": key})
    assert (config.callbacks.tls.cert, config.callbacks.tls.key) == (cert, key)


@pytest.mark.usefixtures("leaf")
def test_a_certificate_without_its_key_is_a_fault(refuse: Refuse) -> None:
    assert refuse('[callbacks.tls]\ncert = "own.pem"') == [
        f"config.toml:2: callbacks.tls.cert: file own.pem {NO_KEY}"
    ]


@pytest.mark.usefixtures("leaf")
def test_a_key_without_a_certificate_is_a_fault(refuse: Refuse) -> None:
    assert refuse('[callbacks.tls]\nkey = "own.key"') == [
        "config.toml:2: callbacks.tls.key: is the key of no certificate; set cert too, or remove key"
    ]


@pytest.mark.usefixtures("leaf")
def test_the_key_of_another_certificate_is_a_fault(refuse: Refuse, tmp_path: Path) -> None:
    trustme.CA().issue_cert("notifier.example").private_key_pem.write_to_path(str(tmp_path / "own.key"))
    assert refuse(BOTH) == [f"config.toml:3: callbacks.tls.key: file own.key {NO_KEY}"]


@pytest.mark.parametrize("password", [b"secret", b"-----"])
def test_an_encrypted_key_is_a_fault_and_nobody_is_asked(
    refuse: Refuse, leaf: trustme.LeafCert, tmp_path: Path, password: bytes
) -> None:
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    (tmp_path / "own.key").write_bytes(encrypted)
    assert refuse(BOTH) == [f"config.toml:3: callbacks.tls.key: file own.key {NO_KEY}"]


@pytest.mark.usefixtures("leaf")
def test_a_key_that_everybody_can_read_is_noted(read: Read, tmp_path: Path) -> None:
    (tmp_path / "own.key").chmod(0o644)
    (note,) = read(BOTH).notes
    assert note.endswith("own.key contains a secret and can be read by every user; chmod 600 it")


def test_missing_files_are_faults(refuse: Refuse) -> None:
    cert, key = refuse(BOTH)
    assert cert.startswith("config.toml:2: callbacks.tls.cert: file own.pem cannot be read")
    assert key.startswith("config.toml:3: callbacks.tls.key: file own.key cannot be read")


def test_two_authorities_for_one_host_are_a_fault(refuse: Refuse, tmp_path: Path) -> None:
    """Connections are shared by origin, and so is whom they trust."""
    for name in ("one", "two"):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    tables = [
        f'[providers.{name}]\nbase_url = "https://api.example/{name}"\nca_file = "{name}.pem"'
        for name in ("one", "two")
    ]
    assert refuse("\n".join(tables)) == [
        "config.toml:6: providers.two.ca_file: differs from the one of one, which has the same host; "
        "merge the files"
    ]

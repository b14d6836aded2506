"""A file of certificates is looked into when the configuration is read: a fault there stops the start."""

import os
from pathlib import Path

import pytest
import trustme

from tests.config.conftest import Read, Refuse


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_a_relative_path_starts_from_the_folder_of_the_file(read: Read, pem: Path) -> None:
    assert read('[callbacks]\nca_file = "ca.pem"').callbacks.ca_file == str(pem)


def test_an_absolute_path_stays_as_it_is(read: Read, pem: Path) -> None:
    """And may come by its variable."""
    assert read("", {"NOTIFIER_CALLBACKS__CA_FILE": str(pem)}).callbacks.ca_file == str(pem)


def test_empty_means_none(read: Read) -> None:
    assert read('[callbacks]\nca_file = ""').callbacks.ca_file == ""


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"not a certificate", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_a_fault(refuse: Refuse, pem: Path, content: bytes) -> None:
    pem.write_bytes(content)
    assert refuse('[callbacks]\nca_file = "ca.pem"') == [
        "config.toml:2: callbacks.ca_file: file ca.pem contains no certificate; put the CA's into it, as PEM"
    ]


def test_a_file_that_is_not_there_is_a_fault(refuse: Refuse) -> None:
    assert refuse('[callbacks]\nca_file = "gone.pem"') == [
        "config.toml:2: callbacks.ca_file: file gone.pem cannot be read: No such file or directory; "
        "it must exist and be readable for this user"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_fault(refuse: Refuse, pem: Path) -> None:
    pem.chmod(0)
    (fault,) = refuse('[callbacks]\nca_file = "ca.pem"')
    assert "cannot be read: Permission denied" in fault


def test_a_folder_is_no_file(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    (fault,) = refuse('[callbacks]\nca_file = "certs"')
    assert fault.startswith("config.toml:2: callbacks.ca_file: file certs ")


def test_another_type_is_a_fault(refuse: Refuse) -> None:
    assert refuse("[callbacks]\nca_file = true") == [
        "config.toml:2: callbacks.ca_file: must be text, not true or false"
    ]

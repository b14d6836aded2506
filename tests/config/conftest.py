"""One way to read a configuration in a test: from text, with an environment of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from notifier.config.load import InvalidConfig, load
from notifier.config.model import Config


class Read(Protocol):
    def __call__(self, text: str = "", environ: Mapping[str, str] | None = None) -> Config: ...


class Refuse(Protocol):
    def __call__(self, text: str = "", environ: Mapping[str, str] | None = None) -> list[str]: ...


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a configuration file of this text."""

    def read(text: str = "", environ: Mapping[str, str] | None = None) -> Config:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return load(path, environ or {})

    return read


@pytest.fixture
def refuse(read: Read, tmp_path: Path) -> Refuse:
    """Read one that is to be refused; returns its faults as text, the folder left out."""

    def refuse(text: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(InvalidConfig) as refused:
            read(text, environ)
        assert str(refused.value) == "\n".join(map(str, refused.value.errors))
        assert refused.value.exit_status == 78
        return [str(fault).replace(f"{tmp_path}/", "") for fault in refused.value.errors]

    return refuse

"""Read the files of the catalogue. Only the files that are named are parsed: a daemon needs one or two."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

_SUFFIX = ".toml"


@lru_cache(maxsize=1)
def list_presets() -> tuple[str, ...]:
    """List the names of the providers of the catalogue."""
    names = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


@lru_cache(maxsize=64)
def read_preset(name: str) -> dict[str, Any]:
    """Return the file of a provider as TOML; ``README.md`` describes its tables. Raise KeyError."""
    if name not in list_presets():
        raise KeyError(name)
    return tomllib.loads(read_preset_text(name))


def read_preset_text(name: str) -> str:
    """Return the text of the file of a provider."""
    return files(__package__).joinpath(f"{name}{_SUFFIX}").read_text(encoding="utf-8")

"""Load file and environment into one ``Config``, or report all their errors at once."""

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from notifier.config.environment import apply_overrides, find_misspelt
from notifier.config.errors import ENVIRONMENT, ConfigError, InvalidConfig
from notifier.config.file_owner import find_foreign_owner
from notifier.config.model import CallbackSettings, Config
from notifier.config.presets import PresetLoader
from notifier.config.read_file import read_whole
from notifier.config.schema import ROOT
from notifier.config.secret_sources import SecretResolver
from notifier.config.toml_hints import find_hint
from notifier.config.tree_reader import KeyErrors, TreeReader
from notifier.config.validate import ConfigValidator
from notifier.core.formats.addresses import KINDS
from notifier.core.nearest import find_nearest

__all__ = ["ConfigError", "InvalidConfig", "find_file", "load"]

FILE_NAME = "config.toml"
MAX_FILE_BYTES = 65_536  # no record of why; changing it needs a measurement
SYSTEM_FILE = Path("/etc/notifier", FILE_NAME)

_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\s*$")


def find_file(
    flag: str | None,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    home: Path | None = None,
    *,
    system_file: Path = SYSTEM_FILE,
) -> Path | None:
    """Return the configuration file to use, None for the defaults. Raise InvalidConfig.

    A file named by ``--config``, else by ``NOTIFIER_CONFIG``, must exist. Otherwise the first existing one
    applies: in the working directory, in the home directory, in the system's directory. One in the working
    directory must belong to this user or root.
    """
    cwd = cwd or Path()
    named = flag or environ.get("NOTIFIER_CONFIG")
    if named:
        path = cwd / named
        if not _is_file(path):
            fix = "name another" if flag else "set NOTIFIER_CONFIG to another, or unset it"
            raise InvalidConfig([ConfigError(str(path), None, "", f"there is no such file; {fix}")])
        return path
    if home is None and environ.get("HOME"):
        home = Path(environ["HOME"])
    at_home = home and home / ".config" / "notifier" / FILE_NAME
    if _is_file(cwd / FILE_NAME):
        _refuse_foreign(cwd / FILE_NAME)
        return cwd / FILE_NAME
    if at_home and _is_file(at_home, if_hidden=False):  # the systemd unit hides home directories
        return at_home
    return system_file if _is_file(system_file) else None


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Load the configuration. Raise InvalidConfig with all its errors at once."""
    source = "" if path is None else str(path)
    text = "" if path is None else _read_file(path)
    tree, syntax = _parse(text, source)
    errors = KeyErrors()
    unknown_variables = apply_overrides(tree, environ)
    resolver = SecretResolver(environ, Path() if path is None else path.parent)
    settings = TreeReader(resolver, errors).table(ROOT, tree, ())
    if not syntax:  # with a syntax error the settings are incomplete, so relations between them are unknown
        config = ConfigValidator(settings, errors, PresetLoader(resolver)).build(source or None)
        if not errors.texts and not unknown_variables:
            notes = (
                *resolver.notes,
                *find_misspelt(tree, environ),
                *_note_misspelt_kinds(config.callbacks.allow),
                *_note_shared_secrets(config.callbacks),
            )
            return replace(config, notes=notes)
    all_errors = [*syntax, *errors.list_errors(source, text, tree), *unknown_variables]
    raise InvalidConfig(sorted(all_errors, key=_sort_key), (*resolver.notes, *find_misspelt(tree, environ)))


def _note_misspelt_kinds(allowed: Iterable[str]) -> Iterator[str]:
    """Yield a note for each host name that looks like a misspelt kind of address."""
    for entry in allowed:
        meant = None if "." in entry or ":" in entry or entry.lower() in KINDS else find_nearest(entry, KINDS)
        if meant is not None:
            yield f'callbacks.allow: "{entry}" is read as the name of a host; did you mean "{meant}"?'


def _note_shared_secrets(callbacks: CallbackSettings) -> Iterator[str]:
    """Yield a note for each endpoint that shares a secret: the holders can forge callbacks to each other."""
    others = dict.fromkeys(callbacks.secrets, "callbacks.secrets")
    for pattern, settings in callbacks.endpoints.items():
        for secret in settings.secrets:
            other = others.setdefault(secret, pattern)
            if other != pattern:
                key = f'callbacks.endpoints."{pattern}".secrets'
                yield f"{key}: shares a secret with {other}; give it its own"


def _sort_key(error: ConfigError) -> tuple[bool, int, str]:
    is_variable = error.file == ENVIRONMENT
    return is_variable, error.line or 0, error.key if is_variable else ""


def refuse_stream(path: Path | None) -> None:
    """Raise InvalidConfig for a file that can be read once only: a second reading would find the defaults."""
    if path is not None and path.exists() and not path.is_file() and str(path) != os.devnull:
        text = "is no regular file, so it cannot be read again; restart with one"
        raise InvalidConfig([ConfigError(str(path), None, "", text)])


def _refuse_foreign(path: Path) -> None:
    """Raise InvalidConfig for a file of another user: it decides to which hosts secrets are sent."""
    try:
        owner = find_foreign_owner(path)
    except OSError:  # a link to nothing, or a hidden file: reading it says so
        return
    if owner is not None:
        fix = f"if you trust it, name it with --config {quote(str(path))}"
        text = f"belongs to another user (uid {owner}); {fix}"
        raise InvalidConfig([ConfigError(str(path), None, "", text)])


def _is_file(path: Path, *, if_hidden: bool = True) -> bool:
    """Return whether there is a file; ``if_hidden`` is the result without permission to look.

    From Python 3.14 on ``Path.exists`` does not distinguish a hidden file from a missing one.
    """
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return if_hidden
    except (OSError, ValueError):
        return path.is_symlink()  # a link to nothing is refused later: the defaults have no tokens


def _read_file(path: Path) -> str:
    try:
        raw = read_whole(path, MAX_FILE_BYTES + 1)
    except OSError as error:
        text = f"cannot be read: {error.strerror}; make it readable for this user, or name another file"
        raise InvalidConfig([ConfigError(str(path), None, "", text)]) from None
    if len(raw) > MAX_FILE_BYTES:
        text = f"is larger than {MAX_FILE_BYTES // 1024} KiB; is it the right file?"
        raise InvalidConfig([ConfigError(str(path), None, "", text)])
    try:
        return raw.decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InvalidConfig([ConfigError(str(path), line, "", "is not UTF-8; save it as that")]) from None


def _parse(text: str, source: str) -> tuple[dict[str, Any], list[ConfigError]]:
    try:
        return tomllib.loads(text), []
    except RecursionError:
        return {}, [ConfigError(source, None, "", "is nested too deeply")]
    except ValueError as error:  # TOMLDecodeError, and the ValueError of int() for thousands of digits
        message = str(error)
        place = _TOML_PLACE.search(message)
        words = message[: place.start()] if place else message
        if place and place[1]:
            line = int(place[1])
            hint = find_hint(words, text.split("\n")[line - 1])
            return {}, [ConfigError(source, line, "", f"{words} (column {place[2]}){hint}")]
        last = text.rstrip("\n").count("\n") + 1
        return {}, [
            ConfigError(source, last if place else None, "", f"{words}{' at the end' if place else ''}")
        ]

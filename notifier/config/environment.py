"""Override keys of the file by environment variables named ``NOTIFIER_<SECTION>__<KEY>``."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.config.errors import ENVIRONMENT, ConfigError
from notifier.config.parsers import InvalidType, suggest
from notifier.config.schema import ROOT, SettingKey, SettingTable
from notifier.config.toml_lines import KeyPath

_PREFIX = "NOTIFIER_"
_JOINT = "__"
_BUILT_IN = ("providers", "mulerouter")


@dataclass(frozen=True, slots=True)
class Override:
    """The text of a variable, in the place of a value of the file."""

    variable: str
    text: str


def apply_overrides(tree: dict[str, Any], environ: Mapping[str, str]) -> list[ConfigError]:
    """Put the variables into the tree of the file. Return the errors in their names."""
    errors: list[ConfigError] = []
    for variable in sorted(name for name in environ if name.startswith(_PREFIX) and _JOINT in name):
        names = variable.removeprefix(_PREFIX).lower().split(_JOINT)
        path = _resolve_path(names, tree)
        explanation = _explain_unknown(path)
        if explanation:
            errors.append(ConfigError(ENVIRONMENT, None, variable, explanation))
        else:
            _put(tree, path, Override(variable, environ[variable]))
    for variable, key, text in (
        ("MULEROUTER_BASE_URL", "base_url", environ.get("MULEROUTER_BASE_URL", "")),
        ("MULEROUTER_API_KEY", "api_key", '{ env = "MULEROUTER_API_KEY" }'),
    ):
        if environ.get(variable) and not _is_set(tree, (*_BUILT_IN, key)):
            _put(tree, (*_BUILT_IN, key), Override(variable, text))
    return errors


def find_misspelt(tree: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """List variables that have no effect and differ from an effective one only in their underscores."""
    read = {path.replace(_JOINT, "_"): path for path in map(variable_name, _paths(ROOT, tree, ()))}
    notes = []
    for variable in sorted(name for name in environ if name.startswith(_PREFIX) and _JOINT not in name):
        meant = read.get(variable.upper())
        if meant is not None:
            notes.append(f"{variable} is not read; did you mean {meant}?")
    return notes


def _paths(table: SettingTable, tree: object, before: KeyPath) -> Iterator[KeyPath]:
    """Yield the path of every key, for the providers in the file and the built-in one."""
    inside = tree if isinstance(tree, dict) else {}
    yield from ((*before, name) for name in table.keys)
    if table.named is not None and not table.named.has_variables:
        return
    names = {_BUILT_IN[1], *inside} if table.named is not None else set(table.tables)
    for name in sorted(names):
        inner = table.table(name)
        if inner is not None:
            yield from _paths(inner, inside.get(name), (*before, name))


def variable_name(path: Iterable[str]) -> str:
    """Return the name of the variable for a key."""
    return _PREFIX + _JOINT.join(path).upper().replace("-", "_")


def read_text(key: SettingKey, text: str) -> object:
    """Parse the value of a variable: as TOML where the type fits, else as text.

    Blanks around it, and quotes that `docker --env-file` keeps, belong to no value.
    """
    text = text.strip()
    value = _toml_value(text)
    if value is None or isinstance(value, str):
        return key.read(text if value is None else value)
    try:
        return key.read(value)
    except InvalidType as error:
        try:
            return key.read(text)
        except InvalidType:
            raise error from None


def _toml_value(text: str) -> object:
    try:
        content = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return content["value"] if len(content) == 1 else None


def _resolve_path(names: list[str], tree: Mapping[str, Any]) -> KeyPath:
    """Return the path. A provider's name is spelled as in the file: a variable cannot contain hyphens."""
    providers = tree.get("providers")
    if names[0] == "providers" and len(names) > 1 and isinstance(providers, dict):
        fitting = [name for name in providers if name.replace("-", "_") == names[1]]
        if names[1] not in providers and len(fitting) == 1:
            names[1] = fitting[0]
    return tuple(names)


def _explain_unknown(path: KeyPath) -> str:
    """Return the reason why no key has this path; empty for the path of a key."""
    table = ROOT
    for depth, name in enumerate(path[:-1]):
        inner = table.table(name)
        if inner is None:
            if name in table.keys:
                whole = variable_name(path[: depth + 1])
                return f"unknown key; {name} is one value, set it as a whole by {whole}"
            if table.named is not None:
                return f"unknown section; {table.named.rule}"
            near = suggest(name, table.names())
            return f"unknown section{near and _in_variables(near, path[:depth], path[depth + 1 :])}"
        table = inner
    if path[-1] in table.keys:
        return ""
    if table.table(path[-1]) is not None:
        return f"names a section; add {_JOINT} and one of its keys"
    near = suggest(path[-1], table.keys)
    return f"unknown key{near and _in_variables(near, path[:-1], ())}"


def _in_variables(near: str, before: KeyPath, after: KeyPath) -> str:
    """Rewrite a suggestion so that it names the variable to set."""
    lead, name, tail = near.split('"')
    return f'{lead}"{variable_name((*before, name, *after))}"{tail}'


def _is_set(tree: Mapping[str, Any], path: KeyPath) -> bool:
    value: Any = tree
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _put(tree: dict[str, Any], path: KeyPath, override: Override) -> None:
    table: Any = tree
    for name in path[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return  # the file has a value in place of a table, which is reported for the file
    table[path[-1]] = override

"""Read the tree of a TOML document along the schema: parsed values on one side, errors on the other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.config.environment import Override, read_text, variable_name
from notifier.config.errors import ENVIRONMENT, ConfigError
from notifier.config.parsers import InvalidValue, suggest
from notifier.config.schema import SettingKey, SettingTable
from notifier.config.secret_sources import SecretResolver
from notifier.config.toml_lines import KeyPath, find_line, map_lines

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass
class KeyErrors:
    """Collect errors by key path, before the lines of the keys are known."""

    texts: dict[KeyPath, str] = field(default_factory=dict)

    def add(self, path: KeyPath, text: str) -> None:
        """Add an error of a key. The first one of a key counts."""
        self.texts.setdefault(path, text)

    def has_error(self, *paths: KeyPath) -> bool:
        """Return whether one of these keys has an error already, so that a check of it means nothing."""
        return any(path[: len(wrong)] == wrong for path in paths for wrong in self.texts)

    def list_errors(self, source: str, text: str, tree: Mapping[str, Any]) -> list[ConfigError]:
        """List the errors with the places of their keys in the file or in the environment."""
        lines = map_lines(text) if self.texts and text else {}
        return [self._error_at(path, source, lines, tree) for path in self.texts]

    def _error_at(
        self, path: KeyPath, source: str, lines: Mapping[KeyPath, int], tree: Mapping[str, Any]
    ) -> ConfigError:
        variable = _variable_at(path, tree)
        if variable or not source:
            return ConfigError(ENVIRONMENT, None, variable or _dotted(path), self.texts[path])
        return ConfigError(source, find_line(path, lines), _dotted(path), self.texts[path])


@dataclass
class TreeReader:
    """Read the tree along the schema: values into the result, errors into ``errors``."""

    resolver: SecretResolver
    errors: KeyErrors

    def table(self, schema: SettingTable, content: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
        """Return the fields that this table sets, tables in it as dicts of their own."""
        values: dict[str, Any] = {}
        for name, value in content.items():
            here = (*path, name)
            inner = schema.table(name)
            if name in schema.keys:
                self._value(schema.keys[name], value, here, values)
            elif inner is None:
                self.errors.add(here, _unknown(schema, name, value))
            elif isinstance(value, dict):
                values[name] = self.table(inner, value, here)
            else:
                self.errors.add(here, f"must be a table: [{_dotted(here)}]")
        return values

    def _value(self, key: SettingKey, value: object, path: KeyPath, values: dict[str, Any]) -> None:
        try:
            read = read_text(key, value.text) if isinstance(value, Override) else key.read(value)
            values[key.field] = self.resolver.resolve(read)
        except InvalidValue as error:
            self.errors.add(path, str(error))


def _unknown(schema: SettingTable, name: str, value: object) -> str:
    if schema.named is not None:
        rule = schema.named.rule
        return rule if isinstance(value, dict) else f"unknown key; {rule}"
    kind = "section" if isinstance(value, dict) else "key"
    home = next((section for section, inner in schema.tables.items() if name in inner.keys), None)
    if home is not None and not isinstance(value, dict):
        return f"unknown key; it belongs in [{home}]"
    return f"unknown {kind}{suggest(name, schema.names())}"


def _variable_at(path: KeyPath, tree: Mapping[str, Any]) -> str | None:
    """Return the variable that set this key, or would set it in a table that only variables set."""
    texts: Any = tree
    for name in path:
        if not isinstance(texts, dict) or name not in texts:
            break
        texts = texts[name]
    if isinstance(texts, Override):
        return texts.variable
    return variable_name(path) if _has_only_overrides(texts) else None


def _has_only_overrides(texts: object) -> bool:
    if isinstance(texts, dict):
        return bool(texts) and all(_has_only_overrides(inner) for inner in texts.values())
    return isinstance(texts, Override)


def _dotted(path: KeyPath) -> str:
    return ".".join(name if _BARE_KEY.fullmatch(name) else f'"{name[:64]}"' for name in path)

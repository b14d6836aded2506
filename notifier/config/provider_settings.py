"""Build the settings of one provider from its preset and its own table, and check that they fit together."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from notifier.config.model import PollingSettings, ProviderSettings
from notifier.config.parsers import InvalidValue
from notifier.config.toml_lines import KeyPath
from notifier.core.polling.provider import MULEROUTER_WORDS, ProviderDescription, ResultDescription
from notifier.providers.catalogue import list_presets


@dataclass(frozen=True, slots=True)
class Preset:
    """The settings of a provider of the catalogue. ``key_variable`` is where its key usually is."""

    settings: Mapping[str, Any]
    key_variable: str = ""


BUILT_IN = ProviderSettings().name
_MULEROUTER = Preset({"task_path": ProviderDescription().task_path, "words": MULEROUTER_WORDS})
_NO_PLACES = dict.fromkeys(
    ("id", "created_at", "finished_at", "error_code", "error_title", "error_detail"), ""
)
_MERGED = ("words", "submit", "hint", "result", "polling", "headers", "http")
"""Keys whose members are replaced one by one, so that an added header keeps the version of the preset."""
_DESCRIPTION_FIELDS = {one.name for one in fields(ProviderDescription) if one.init}
_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")


class ErrorSink(Protocol):
    """Collects the errors of keys."""

    def add(self, path: KeyPath, text: str) -> None:
        """Add an error of a key."""
        ...

    def has_error(self, *paths: KeyPath) -> bool:
        """Return whether one of these keys has an error already."""
        ...


class PresetSource(Protocol):
    """Loads the providers of the catalogue (``presets.py``)."""

    def load(self, name: str, path: KeyPath) -> Preset:
        """Return a preset without its key. ``path`` is the table that uses it."""
        ...

    def find_key(self, preset: Preset) -> object:
        """Return the key from the usual variable; None if that is not set. Raise InvalidValue."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderBuilder:
    """Builds the providers. ``polling`` is the table for all of them."""

    errors: ErrorSink
    presets: PresetSource
    polling: PollingSettings

    def build(self, name: str, table: Mapping[str, Any]) -> ProviderSettings:
        """Return the settings of the table of that name."""
        own = dict(table)
        path = ("providers", name)
        preset_name = self._find_preset(name, own.pop("preset", None), path)
        preset = _MULEROUTER
        if preset_name not in {"", BUILT_IN}:
            preset = self.presets.load(preset_name, path)
        settings = _merge(preset.settings, own)
        if preset is not _MULEROUTER:
            settings = {"result_ttl_ms": 0, **_NO_PLACES, **settings}
        elif BUILT_IN not in {preset_name, name}:
            self._complete_own_table(settings, own, path)
        self._add_key(settings, preset, path)
        own_polling = settings.pop("polling", {})
        provider = replace(
            ProviderSettings(),
            name=name,
            polling=replace(self.polling, **own_polling),
            description=_describe(settings, preset),
            preset=preset_name,
            key_variable=preset.key_variable,
            **settings,
        )
        _check_description(provider, own, path, self.errors)
        return provider

    def _find_preset(self, name: str, preset: str | None, path: KeyPath) -> str:
        """Return the preset of a table: as it says, else that of its name, if there is one."""
        if preset is not None:
            return preset
        if name == BUILT_IN or self.errors.has_error((*path, "preset")):
            return ""
        return name if name in list_presets() else ""

    def _complete_own_table(self, settings: dict[str, Any], own: Mapping[str, Any], path: KeyPath) -> None:
        """Set what a table of one's own does not inherit from MuleRouter, and require what it needs."""
        needs_url = "base_url" not in own and not self.errors.has_error(
            (*path, "base_url"), (*path, "preset")
        )
        if needs_url:
            self.errors.add(
                (*path, "base_url"),
                'is needed; write base_url = "https://…", or preset = "NAME" of the catalogue',
            )
        settings.setdefault("result_ttl_ms", 0)
        if not _DESCRIPTION_FIELDS & own.keys():
            return  # it describes nothing: a further account or a mirror of MuleRouter
        settings.setdefault("submit", {})
        settings.setdefault("hint", {})
        settings["words"] = words = own.get("words", {})
        has_end = words.get("completed") or "completed" in settings.get("http", {}).values()
        if not has_end and not needs_url and not self.errors.has_error((*path, "words"), (*path, "http")):
            text = f'names no word for success; write [{".".join((*path, "words"))}] completed = ["…"]'
            self.errors.add((*path, "words"), text)

    def _add_key(self, settings: dict[str, Any], preset: Preset, path: KeyPath) -> None:
        if "api_key" in settings or self.errors.has_error((*path, "api_key")):
            return
        try:
            key = self.presets.find_key(preset)
        except InvalidValue as error:
            self.errors.add((*path, "api_key"), str(error))
        else:
            settings |= {} if key is None else {"api_key": key}


def _describe(settings: dict[str, Any], preset: Preset) -> ProviderDescription:
    """Take the fields of the description out of the settings."""
    described = {field: settings.pop(field) for field in _DESCRIPTION_FIELDS & settings.keys()}
    for name in {"submit", "hint", "words"} & described.keys():  # what is empty says nothing
        described[name] = {key: value for key, value in described[name].items() if value}
    result = described.pop("result", {})
    if result.get("path"):
        described["result"] = ResultDescription(**result)
    default_path = preset.settings["task_path"]
    is_own_path = described.get("task_path", default_path) != default_path
    return ProviderDescription(**described, has_own_task_path=is_own_path)


def _merge(preset: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a preset with those of a table in their place."""
    nested = {name: {**preset[name], **own[name]} for name in _MERGED if name in preset and name in own}
    return {**preset, **own, **nested}


def _check_description(
    provider: ProviderSettings, own: Mapping[str, Any], path: KeyPath, errors: ErrorSink
) -> None:
    for key, text in _find_mistakes(provider.description, own):
        if not errors.has_error((*path, *key)):
            errors.add((*path, *key), text)
    _check_words(provider, own.get("words", {}), path, errors)


def _find_mistakes(description: ProviderDescription, own: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    if description.auth_header.lower() in description.headers:
        yield ("headers",), "contains the header of the key too; leave it to api_key"
    if "{task_id}" not in description.task_path + description.body:
        where = "body" if description.method == "POST" and "task_path" not in own else "task_path"
        yield (where,), "must contain {task_id}: without it every task would have the same URL"
    if description.body and description.method == "GET":
        yield ("body",), 'would not be sent, because a GET has none; write method = "POST"'
    result = description.result
    if result is not None:
        unknown = set(_PLACEHOLDER.findall(result.path)) - {"task_id", "api_path", *result.values}
        for name in sorted(unknown):
            yield (
                ("result", "path"),
                f'contains {{{name}}}; write values = {{ {name} = "its place in the reply" }}',
            )
    elif own.get("result") and "path" not in own["result"]:
        yield ("result", "path"), 'is needed; write path = "/results/{task_id}"'


def _check_words(
    provider: ProviderSettings, own_words: Mapping[str, Any], path: KeyPath, errors: ErrorSink
) -> None:
    """Refuse a word in two lists. A list that the user did not write is named with where it comes from."""
    seen: dict[str, str] = {}
    for state, words in provider.description.words.items():
        for word in words:
            other = seen.setdefault(word.casefold(), state)
            if other != state:
                culprit, second = (state, other) if state in own_words else (other, state)
                text = f'"{word}" is listed in {other} and in {state}; it can mean only one of them'
                if second not in own_words:
                    origin = provider.preset or BUILT_IN
                    text += f"; {second} is the list of {origin}: write it anew without the word"
                errors.add((*path, "words", culprit), text)

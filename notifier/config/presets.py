"""Load a provider of the catalogue as the settings that its table would give."""

from dataclasses import dataclass

from notifier.config.parsers import SecretReference
from notifier.config.provider_settings import Preset
from notifier.config.schema import PROVIDER
from notifier.config.secret_sources import SecretResolver
from notifier.config.toml_lines import KeyPath
from notifier.config.tree_reader import KeyErrors, TreeReader
from notifier.providers.catalogue import read_preset


@dataclass(frozen=True, slots=True)
class PresetLoader:
    """Loads presets for the tables that use them."""

    resolver: SecretResolver

    def load(self, name: str, path: KeyPath) -> Preset:
        """Return a preset without its key. ``path`` is the table that uses it."""
        table = dict(read_preset(name)["provider"])
        variable = table.pop("api_key", {}).get("env", "")
        errors = KeyErrors()
        settings = TreeReader(self.resolver, errors).table(PROVIDER, table, path)
        if errors.texts:  # a test reads the whole catalogue
            raise AssertionError(errors.texts)
        return Preset(settings, variable)

    def find_key(self, preset: Preset) -> object:
        """Return the key from the usual variable; None if that is not set. Raise InvalidValue."""
        is_set = bool(preset.key_variable and self.resolver.environ.get(preset.key_variable))
        return self.resolver.find(SecretReference("env", preset.key_variable)) if is_set else None

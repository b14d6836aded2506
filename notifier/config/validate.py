"""Build the ``Config`` from the parsed settings and check the relations between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from notifier.config.model import (
    CallbackSettings,
    ClientCertificateSettings,
    Config,
    LogSettings,
    PollingSettings,
    ProviderSettings,
    RetentionSettings,
    ServerSettings,
    StoreSettings,
)
from notifier.config.parsers import InvalidValue, parse_each
from notifier.config.provider_settings import BUILT_IN, ErrorSink, PresetSource, ProviderBuilder
from notifier.config.toml_lines import KeyPath
from notifier.core.delivery.endpoint_settings import EndpointSettings, check_endpoint_pattern
from notifier.core.delivery.signature import BadSecret, key_of
from notifier.core.formats.addresses import LOOPBACK, classify_address, is_local_host
from notifier.core.formats.urls import url_to_origin
from notifier.core.secret import Secret
from notifier.outbound.tls import has_key_of_certificate


@dataclass
class ConfigValidator:
    """Build a configuration. ``settings`` has the fields that were set, by table; others keep defaults."""

    settings: Mapping[str, Any]
    errors: ErrorSink
    presets: PresetSource

    def build(self, source: str | None) -> Config:
        """Return the configuration. It may be used if ``errors`` stays empty."""
        settings = self.settings
        polling = replace(PollingSettings(), **settings.get("polling", {}))
        self._check_polling(polling, ("polling",))
        config = Config(
            server=replace(ServerSettings(), **settings.get("server", {})),
            store=replace(StoreSettings(), **settings.get("store", {})),
            providers=self._providers(polling),
            polling=polling,
            callbacks=self._callbacks(dict(settings.get("callbacks", {}))),
            retention=replace(RetentionSettings(), **settings.get("retention", {})),
            log=replace(LogSettings(), **settings.get("log", {})),
            source=source,
        )
        self._check_server(config.server)
        self._check_signers(config.callbacks.secrets, ("callbacks", "secrets"))
        return config

    def _providers(self, polling: PollingSettings) -> dict[str, ProviderSettings]:
        settings: Mapping[str, Any] = {BUILT_IN: {}, **self.settings.get("providers", {})}
        builder = ProviderBuilder(self.errors, self.presets, polling)
        providers = {name: builder.build(name, table) for name, table in settings.items()}
        for name, provider in providers.items():
            path = ("providers", name)
            if provider.polling != polling:
                self._check_polling(provider.polling, (*path, "polling"))
            self._check_base_url(provider, path)
        self._check_ca_files(providers)
        return providers

    def _check_ca_files(self, providers: Mapping[str, ProviderSettings]) -> None:
        """Refuse two files for one origin: connections are shared by origin, and so is whom they trust."""
        first: dict[str, ProviderSettings] = {}
        for name, provider in providers.items():
            if not provider.ca_file:
                continue
            other = first.setdefault(url_to_origin(provider.base_url), provider)
            if other.ca_file != provider.ca_file:
                text = f"differs from the one of {other.name}, which has the same host; merge the files"
                self.errors.add(("providers", name, "ca_file"), text)

    def _check_polling(self, polling: PollingSettings, path: KeyPath) -> None:
        least, most = (*path, "min_interval"), (*path, "max_interval")
        if polling.min_interval_ms <= polling.max_interval_ms:
            return
        if self.errors.has_error(least, most, ("polling", "min_interval"), ("polling", "max_interval")):
            return
        own = self._settings_at(path)
        self.errors.add(
            least if "min_interval_ms" in own else most,
            f"min_interval ({_seconds(polling.min_interval_ms)}) is longer than max_interval "
            f"({_seconds(polling.max_interval_ms)}); make it at most as long",
        )

    def _check_base_url(self, provider: ProviderSettings, path: KeyPath) -> None:
        here = (*path, "base_url")
        if provider.api_key is None or self.errors.has_error(here, (*path, "api_key")):
            return
        split = urlsplit(provider.base_url)
        if split.scheme == "http" and not is_local_host(split.hostname or ""):
            text = "would send the key over the internet unencrypted; use https"
            self.errors.add(here, text)

    def _check_server(self, server: ServerSettings) -> None:
        here = ("server", "listen")
        if self.errors.has_error(here, ("server", "tokens")) or server.tokens:
            return
        if not server.listen.startswith("unix:") and not _is_loopback(server.listen.rpartition(":")[0]):
            self.errors.add(
                here,
                "is reachable from other machines, and there is no token; "
                'set server.tokens = [{ file = "PATH" }], or listen on 127.0.0.1',
            )

    def _callbacks(self, settings: dict[str, Any]) -> CallbackSettings:
        endpoints: dict[str, EndpointSettings] = {}
        for name, own in settings.pop("endpoints", {}).items():
            path = ("callbacks", "endpoints", name)
            pattern = check_endpoint_pattern(name)  # the schema has refused other names
            if pattern in endpoints:
                self.errors.add(path, f"is the same endpoint as another table: {pattern}; merge them")
            endpoints[pattern] = EndpointSettings(**own)
            self._check_signers(endpoints[pattern].secrets, (*path, "secrets"))
        tls = ClientCertificateSettings(**settings.pop("tls", {}))
        self._check_client_certificate(tls, ("callbacks", "tls"))
        return replace(CallbackSettings(), **settings, tls=tls, endpoints=endpoints)

    def _check_client_certificate(self, tls: ClientCertificateSettings, path: KeyPath) -> None:
        cert, key = (*path, "cert"), (*path, "key")
        if self.errors.has_error(cert, key):
            return
        if tls.key and not tls.cert:
            self.errors.add(key, "is the key of no certificate; set cert too, or remove key")
        if tls.cert and not has_key_of_certificate(tls.cert, tls.key or None):
            place, file = (key, tls.key) if tls.key else (cert, tls.cert)
            text = f"file {file} has no unencrypted key of the certificate; put it there, as PEM"
            self.errors.add(place, text)

    def _check_signers(self, secrets: tuple[Secret, ...], path: KeyPath) -> None:
        try:
            parse_each(_check_signer, secrets)
        except InvalidValue as error:
            self.errors.add(path, f"{error}; one is whsec_ and 24 to 64 random bytes in base64")

    def _settings_at(self, path: KeyPath) -> Mapping[str, Any]:
        table = self.settings
        for name in path:
            table = table.get(name, {})
        return table


def _check_signer(secret: Secret) -> None:
    try:
        key_of(secret)
    except BadSecret as error:
        raise InvalidValue(f"cannot sign: {error}") from None


def _is_loopback(host: str) -> bool:
    try:
        return classify_address(ip_address(host.strip("[]"))) == LOOPBACK
    except ValueError:
        return host.lower() == "localhost"


def _seconds(ms: int) -> str:
    return f"{ms / 1_000:g}s"

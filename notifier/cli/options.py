"""The options that all commands share, the connection made of them, and types of arguments."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from notifier.cli.client import Address, ApiConnection, parse_address, resolve_daemon_address
from notifier.clock import wall_ms
from notifier.config.model import Config
from notifier.core.formats.times import InvalidDuration, format_instant, parse_duration, parse_instant
from notifier.errors import NotifierError

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_META_KEY = "notifier.cli"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The shared options of one call, given before or after the command, and the environment."""

    url: str | None = None
    token: str | None = None
    config: str | None = None
    is_json: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def find_config_file(self) -> Path | None:
        """Return the configuration file of this call, None if the defaults apply."""
        from notifier.config.load import find_file  # noqa: PLC0415 - most commands do without it

        return find_file(self.config, self.environ)

    def load_config(self) -> Config:
        """Read the configuration. Raise InvalidConfig with all its errors."""
        from notifier.config.load import load  # noqa: PLC0415 - most commands do without it

        return load(self.find_config_file(), self.environ)

    def connect(self) -> ApiConnection:
        """Return a connection to the daemon of --url, else of NOTIFIER_URL, else of the configuration."""
        url = self.url or self.environ.get("NOTIFIER_URL") or None
        token = self.token or self.environ.get("NOTIFIER_TOKEN") or None
        config = None if url and token else self._load_config_for(url)
        address = _resolve_address(url, config)
        if token is not None and url is None:
            _refuse_foreign_listener(address)
        if token is None and config is not None and config.server.tokens and _is_on_this_machine(address):
            token = config.server.tokens[0].reveal()
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise click.UsageError("the token has characters that a header cannot contain")
        return ApiConnection(address, token)

    def _load_config_for(self, url: str | None) -> Config | None:
        try:
            return self.load_config()
        except NotifierError:
            # With a URL the file is read for its token only, and its secrets may be readable to the daemon
            # alone. A file that is named by --config must be usable.
            if url is None or self.config is not None:
                raise
            return None


def _refuse_foreign_listener(address: Address) -> None:
    """Raise UsageError if a configuration directs a token that the user gave to another machine."""
    if not _is_on_this_machine(address):
        raise click.UsageError(
            f"server.listen is {address.text}, which is not this machine; to send the token there, add --url"
        )


def _is_on_this_machine(address: Address) -> bool:
    """Return whether the configuration's token may be sent there: to this machine, and to nothing else.

    The configuration may be that of any folder, and NOTIFIER_URL may name any host. Another host gets a token
    only by --token or NOTIFIER_TOKEN, and only if its address is given by --url or NOTIFIER_URL.
    """
    from notifier.outbound.local_addresses import is_local_address  # noqa: PLC0415 - most commands do without it

    return address.is_local or is_local_address(address.host)


def _resolve_address(url: str | None, config: Config | None) -> Address:
    try:
        return parse_address(url) if url else resolve_daemon_address(config.server.listen if config else "")
    except ValueError as error:
        raise click.UsageError(f"{url or 'server.listen'!r}: {error}") from None


def add_shared_options(*hidden: str) -> Callable[[F], F]:
    """Give a command the shared options. Those that it ignores are accepted and not listed."""

    def add(command: F) -> F:
        for name, help_text in (
            ("--json", "Print JSON."),
            ("--config", "The configuration file."),
            ("--token", "Bearer token for the daemon [NOTIFIER_TOKEN]."),
            ("--url", "The daemon: http://host:port or unix:/path [NOTIFIER_URL]."),
        ):
            command = click.option(
                name,
                is_flag=name == "--json",
                metavar={"--config": "PATH", "--token": "TOKEN", "--url": "URL"}.get(name),
                help=help_text,
                hidden=name in hidden,
                expose_value=False,
                callback=_store_option,
            )(command)
        return command

    return add


def pass_context(command: Callable[Concatenate[CommandContext, P], R]) -> Callable[P, R]:
    """Pass the shared options to a command as its first argument."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(CommandContext(**click.get_current_context().meta.get(_META_KEY, {})), *args, **kwargs)

    call.__doc__ = command.__doc__
    call.__name__ = getattr(command, "__name__", "command")
    return call


def format_example(*lines: str) -> str:
    """Return the text below a command's help."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


class IdParam(click.ParamType[str]):
    """An id of notifier. It becomes part of a URL path, so that nothing else is accepted.

    ``hint`` says how to find one. ``others`` has, by prefix, the hint for an id of another kind; {id} in it
    is that id.
    """

    def __init__(self, name: str, prefix: str, hint: str, others: Mapping[str, str]) -> None:
        self.name = name
        self._prefix = prefix
        self._hint = hint
        self._others = others

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return an id unchanged. Fail with a hint for anything else."""
        if not re.fullmatch(rf"{self._prefix}[A-Za-z0-9_-]{{1,80}}", value):
            other = self._others.get(value[:4]) if re.fullmatch(r"[A-Za-z0-9_-]{1,84}", value) else None
            hint = self._hint if other is None else other.format(id=value)
            self.fail(f"{value!r} is not the id of a {self.name} ({self._prefix}…); {hint}", param, ctx)
        return value


class DurationParam(click.ParamType[str | float]):
    """A duration such as 2.5s, 10m or 1h30m, or a number of seconds, in the form of the API."""

    name = "duration"

    def __init__(self, *, allow_zero: bool = False) -> None:
        self._allow_zero = allow_zero

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | float:
        """Return a valid duration unchanged, a number as float."""
        duration = float(value) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", str(value)) else value
        try:
            parse_duration(duration, allow_zero=self._allow_zero)
        except InvalidDuration as error:
            self.fail(str(error), param, ctx)
        return duration


class InstantParam(click.ParamType[str]):
    """An instant in RFC 3339, or a duration before now, in the form of the API."""

    name = "instant"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the instant in RFC 3339."""
        at = parse_instant(value)
        if at is not None:
            return format_instant(at)
        try:
            return format_instant(wall_ms() - parse_duration(value))
        except InvalidDuration:
            self.fail(
                f"{value!r} is neither an instant such as 2026-11-23T12:00:00Z nor a duration such as 6h"
            )


WATCH_ID = IdParam(
    "watch",
    "wch_",
    "find it with `notifier ls`, or `notifier ls --task-id TASK_ID`",
    {"dlv_": "`notifier deliveries {id}` shows that delivery, and its watch"},
)
DELIVERY_ID = IdParam(
    "delivery",
    "dlv_",
    "find it with `notifier deliveries`",
    {"wch_": "`notifier deliveries --watch {id}` lists those of that watch"},
)
DURATION = DurationParam()
DURATION_OR_ZERO = DurationParam(allow_zero=True)
INSTANT = InstantParam()


def _store_option(ctx: click.Context, param: click.Parameter, value: str | bool | None) -> None:
    """Store an option in the dictionary that click's contexts share.

    The option of the command is parsed later than that of the group, so that it wins.
    """
    if value is not None and value is not False:
        name = "is_json" if param.name == "json" else param.name
        ctx.meta.setdefault(_META_KEY, {})[name] = value

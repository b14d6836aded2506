"""The command providers: list the providers of the catalogue, or print the table of one."""

import re
from typing import Any

import click
import msgspec

from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json
from notifier.cli.tables import Column, format_table
from notifier.core.nearest import find_nearest
from notifier.providers.catalogue import list_presets, read_preset, read_preset_text

_TABLE = re.compile(r"^\[provider\]$.*?(?=^\[limits\]$)", re.MULTILINE | re.DOTALL)
_HEADER = re.compile(r"^\[provider(?=[\].])", re.MULTILINE)
_COLUMNS = (Column("NAME"), Column("KEY"), Column("WHAT"))


@click.command(
    "providers",
    short_help="List the providers of the catalogue.",
    epilog=format_example("notifier providers", "notifier providers replicate"),
)
@click.argument("name", required=False)
@add_shared_options("--url", "--token", "--config")
@pass_context
def providers(context: CommandContext, *, name: str | None) -> int:
    """List the providers that notifier knows, or print the table of one with its sources.

    [providers.NAME] in the configuration and a key are enough to use one; keys of that table win over those
    of the catalogue. The printed table can be copied and changed for a provider that is not listed.
    """
    if name is None:
        _print_list(context)
        return 0
    if name not in list_presets():
        near = find_nearest(name, list_presets())
        hint = f"did you mean {near}?" if near else "`notifier providers` lists them"
        raise click.UsageError(f"the catalogue has no provider {escape(name)!r}; {hint}")
    if context.is_json:
        print_json(msgspec.json.encode({"name": name, **read_preset(name)}))
    else:
        print_data(format_preset(name), end="")
    return 0


def _print_list(context: CommandContext) -> None:
    presets = {name: read_preset(name) for name in list_presets()}
    if context.is_json:
        entries = [
            {"name": name, "about": preset["about"], "key": _key_variable(preset), **preset["limits"]}
            for name, preset in presets.items()
        ]
        print_json(msgspec.json.encode({"providers": entries}))
        return
    rows = [(name, _key_variable(preset) or "-", preset["about"]) for name, preset in presets.items()]
    for line in format_table(_COLUMNS, rows):
        print_data(line)


def _key_variable(preset: dict[str, Any]) -> str | None:
    variable: str | None = preset["provider"].get("api_key", {}).get("env")
    return variable


def format_preset(name: str) -> str:
    """Return the table of a provider as TOML, with what is known about it as comments."""
    preset = read_preset(name)
    lines = [preset["about"], f"Checked on {preset['checked']}. Sources:"]
    lines += (f"- {each['what']}: {_describe_source(each)}" for each in preset["sources"])
    for title in ("unconfirmed", "missing"):
        lines += [f"{title.capitalize()}:", *(f"- {text}" for text in preset[title])] if preset[title] else []
    lines += (f"{key.replace('_', ' ').capitalize()}: {text}" for key, text in preset["limits"].items())
    match = _TABLE.search(read_preset_text(name))
    if match is None:  # a test reads the whole catalogue
        raise AssertionError(name)
    table = _HEADER.sub(f"[providers.{name}", match[0])
    return "".join(f"# {line}\n" for line in lines) + "\n" + table.rstrip() + "\n"


def _describe_source(source: dict[str, Any]) -> str:
    parts = [source["at"], source.get("file"), source.get("revision"), f"of {source['date']}"]
    return ", ".join(str(part) for part in parts if part)

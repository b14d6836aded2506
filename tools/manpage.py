"""notifier(1), made from the commands' own help: ``python -m tools.manpage > man/notifier.1``."""

import sys
from collections.abc import Iterator

import click

from notifier import __version__
from notifier.cli import commands

_EXIT = """
0 done; for wait: the task completed
1 negative answer; for wait: any other outcome
2 wait ran out, the task still runs
64 wrong usage
69 the daemon cannot be reached
74 standard output cannot be written
75 another daemon holds the database
77 refused
78 the configuration or the database cannot be used
"""
_ENVIRONMENT = """
NOTIFIER_URL the daemon that commands ask: http://host:port or unix:/path
NOTIFIER_TOKEN the token for it
NOTIFIER_CONFIG the configuration file
NOTIFIER_SECTION__KEY overrides that key of the configuration
MULEROUTER_API_KEY, MULEROUTER_BASE_URL as the mulerouter command takes them
NO_COLOR no colours
"""
_FILES = """
./config.toml, ~/.config/notifier/config.toml, /etc/notifier/config.toml the configuration: the first there is
notifier.db the database; store.url names another
notifier.secret the signing secrets, beside the database
notifier.db.vN.backup the database before its last migration
"""


def page() -> str:
    """Return the whole page in roff, the same for the same commands."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" Made by tools/manpage.py from the commands; `make man` makes it anew.'
    yield f'.TH NOTIFIER 1 "" "notifier {__version__}" "User commands"'
    yield from _section("NAME", "notifier \\- turn tasks of poll\\-only APIs into signed callbacks")
    yield from _section("SYNOPSIS", ".B notifier", "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]...")
    yield ".SH DESCRIPTION"
    yield from _prose(commands.help or "")
    yield ".SH OPTIONS"
    yield from _options(_shared())
    yield ".SH COMMANDS"
    yield from _commands(commands, "notifier")
    for heading, table in (("EXIT STATUS", _EXIT), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {heading}"
        for entry in table.strip().splitlines():
            yield from _entry(entry, split=", " in entry)


def _section(heading: str, *lines: str) -> Iterator[str]:
    yield f".SH {heading}"
    yield from lines


def _commands(group: click.Group, path: str) -> Iterator[str]:
    context = _context(group, path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield from _command(command, f"{path} {name}")


def _command(command: click.Command, path: str) -> Iterator[str]:
    context = _context(command, path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_plain(path)} {_plain(usage)}".rstrip()
    yield from _prose(command.help or "")
    shared = _shared()
    yield from _options([record for record in _records(command, context) if record not in shared])
    yield from _example(command.epilog or "")


def _shared() -> list[tuple[str, str]]:
    """Return the options that may be before the command or after it."""
    return _records(commands, _context(commands, "notifier"))


def _context(command: click.Command, path: str) -> click.Context:
    """With the names of --help that the whole program has: a command keeps those it was first asked with."""
    return click.Context(command, info_name=path, **commands.context_settings)


def _records(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    return [record for each in options if (record := each.get_help_record(context)) is not None]


def _options(records: list[tuple[str, str]]) -> Iterator[str]:
    for names, text in records:
        yield ".TP"
        yield f"\\fB{_plain(names)}\\fR"
        yield _text(text)


def _prose(help_text: str) -> Iterator[str]:
    for number, paragraph in enumerate(help_text.split("\n\n")):
        if number:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _example(epilog: str) -> Iterator[str]:
    lines = epilog.replace("\b", "").strip().splitlines()
    if lines:
        yield ".PP"
        yield _text(lines[0])
        yield ".PP"
        yield ".nf"
        yield ".RS"
        yield from (_text(line.removeprefix("  ")) for line in lines[1:])
        yield ".RE"
        yield ".fi"


def _entry(line: str, *, split: bool) -> Iterator[str]:
    """One row of a table: its names, which may be several with commas between, and what they mean."""
    names: list[str] = []
    words = line.split(" ")
    while words and (not names or (split and names[-1].endswith(","))):
        names.append(words.pop(0))
    yield ".TP"
    yield f"\\fB{_plain(' '.join(names))}\\fR"
    yield _text(" ".join(words))


def _text(line: str) -> str:
    """Return a line that roff takes for text, whatever it begins with."""
    plain = _plain(line)
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def _plain(text: str) -> str:
    """Mask what roff reads as its own: backslashes, and hyphens that are to be copied as they are."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\[u2026]").replace("×", "\\(mu")


if __name__ == "__main__":
    sys.stdout.write(page())

"""The command init: a commented configuration to begin with, and what to do next."""

import contextlib
import os
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import click
import msgspec

from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.errors import NotifierError

FILE_NAME = "config.toml"
KEY_NAME = "mulerouter.key"
DATABASE_NAME = "notifier.db"
KEY_VARIABLE = "MULEROUTER_API_KEY"


class FileExists(NotifierError):
    """A file would be overwritten."""

    code = "already_there"
    exit_status = 1


class NotWritable(NotifierError):
    """The place cannot be written to."""

    code = "cannot_write"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class InitPaths:
    """Where the configuration and what belongs to it will be; absolute paths."""

    config: Path
    database: Path

    @property
    def key(self) -> Path:
        """The API key, beside the configuration."""
        return self.config.with_name(KEY_NAME)


@click.command(
    "init",
    short_help="Write a commented configuration.",
    epilog=example(
        "notifier init", "notifier init --user", "notifier --config /etc/notifier/config.toml init"
    ),
)
@click.option("--user", "is_users", is_flag=True, help="In ~/.config/notifier, found from every folder.")
@shared("--url", "--token")
@pass_given
def init(given: CommandContext, *, is_users: bool) -> int:
    """Write a commented configuration: ./config.toml, or where --config or --user says; overwrites nothing.

    On a terminal it asks for the API key, which goes into a file of its own with mode 0600; elsewhere it asks
    nothing.
    """
    if is_users and given.config is not None:
        raise click.UsageError("--user and --config name two places; give one of them.")
    places = _places(given, is_users=is_users)
    _refuse_to_overwrite(places.config)
    key = _ask_for_key(given)
    if key:
        _refuse_to_overwrite(places.key)
        write_new(places.key, f"{key}\n", 0o600)
    try:
        write_new(places.config, configuration(places, has_key_file=bool(key)), 0o644)
    except NotifierError:
        if key:
            places.key.unlink(missing_ok=True)  # of no use without it, and in the way of the next time
        raise
    _make_folder(places.database.parent)
    _tell(given, places, has_key_file=bool(key))
    return 0


def configuration(places: InitPaths, *, has_key_file: bool) -> str:
    """Fill in the template: the key's place if there is a file of it, and the database's absolute path."""
    text = resources.files(__package__).joinpath("init.toml").read_text("utf-8")
    # A TOML string takes the escapes of a JSON string.
    text = text.replace('url = "notifier.db"', f"url = {msgspec.json.encode(str(places.database)).decode()}")
    switched_off = f'#api_key = {{ file = "{KEY_NAME}" }}'
    return text.replace(switched_off, switched_off[1:]) if has_key_file else text


def _places(given: CommandContext, *, is_users: bool) -> InitPaths:
    if not is_users:
        config = Path(given.config or FILE_NAME).absolute()
        return InitPaths(config, config.with_name(DATABASE_NAME))
    home = _home(given)
    data = Path(given.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return InitPaths(home / ".config" / "notifier" / FILE_NAME, data / "notifier" / DATABASE_NAME)


def _home(given: CommandContext) -> Path:
    try:
        return Path(given.environ.get("HOME") or Path.home())
    except RuntimeError as fault:
        cause = "there is no home: HOME is not set, and the system knows none of this user"
        raise NotWritable(cause, "set HOME, or name a place with --config") from fault


def _refuse_to_overwrite(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExists(f"{path} is there already", "edit it, or name another place with --config")


def _ask_for_key(given: CommandContext) -> str:
    """The key that a person types in; empty where nobody is there to ask, or the environment has it."""
    if given.is_json or given.environ.get(KEY_VARIABLE) or not _is_attended():
        return ""
    prompt = f"MuleRouter API key (empty: it is to come from {KEY_VARIABLE})"
    typed: str = click.prompt(prompt, default="", hide_input=True, show_default=False, err=True)
    key = typed.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise click.UsageError("an API key is one word of ASCII signs; nothing was written.")
    return key


def _is_attended() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def write_new(path: Path, text: str, mode: int) -> None:
    """Make the file, whole or not at all, with its mode from the first moment on; none there is opened."""
    _make_folder(path.parent)
    handle: int | None = None
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _refuse_to_overwrite(path)
    except OSError as fault:
        if handle is not None:  # then it is ours
            path.unlink(missing_ok=True)
        raise NotWritable(f"{path} cannot be written ({fault.strerror})", _ELSEWHERE) from fault


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise NotWritable(f"{folder} cannot be made ({fault.strerror})", _ELSEWHERE) from fault


_ELSEWHERE = "name a place that you may write to with --config"


def _tell(given: CommandContext, places: InitPaths, *, has_key_file: bool) -> None:
    steps = _next_steps(given, places, has_key_file=has_key_file)
    if given.is_json:
        key_file = str(places.key) if has_key_file else None
        told = {"file": str(places.config), "key_file": key_file, "next": steps}
        print_json(msgspec.json.encode(told))
        return
    print_data(escape(str(places.config)))
    print_note("next:")
    for step in steps:
        print_note(f"  {escape(step)}")


def _next_steps(given: CommandContext, places: InitPaths, *, has_key_file: bool) -> list[str]:
    option = ""
    if given.config is not None and not _is_found_here(given, places.config):
        option = f" --config {places.config}"
    is_without_key = not has_key_file and not given.environ.get(KEY_VARIABLE)
    return [
        *([f"export {KEY_VARIABLE}=sk-…"] if is_without_key else []),
        f"notifier check --online{option}",
        f"notifier run{option}",
    ]


def _is_found_here(given: CommandContext, file: Path) -> bool:
    from notifier.config.load import find_file  # noqa: PLC0415 - most commands do without it

    with contextlib.suppress(NotifierError, OSError):
        found = find_file(None, given.environ)
        return found is not None and found.absolute() == file
    return False

"""The command init: write a commented configuration, and print the next steps."""

import contextlib
import os
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import click
import msgspec

from notifier.atomic_file import write_file
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.errors import NotifierError

FILE_NAME = "config.toml"
KEY_NAME = "mulerouter.key"
DATABASE_NAME = "notifier.db"
KEY_VARIABLE = "MULEROUTER_API_KEY"


class FileExists(NotifierError):
    """The file to be written exists already."""

    code = "already_there"
    exit_status = 1


class NotWritable(NotifierError):
    """A file or folder cannot be created there."""

    code = "cannot_write"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class InitPaths:
    """The absolute paths of the configuration and of the files that belong to it."""

    config: Path
    database: Path

    @property
    def key(self) -> Path:
        """Return the path of the API key, beside the configuration."""
        return self.config.with_name(KEY_NAME)


@click.command(
    "init",
    short_help="Write a commented configuration.",
    epilog=format_example(
        "notifier init", "notifier init --user", "notifier --config /etc/notifier/config.toml init"
    ),
)
@click.option(
    "--user", "is_users", is_flag=True, help="Write to ~/.config/notifier, for use in every directory."
)
@add_shared_options("--url", "--token")
@pass_context
def init(context: CommandContext, *, is_users: bool) -> int:
    """Write a commented configuration to ./config.toml, or to the path of --config or --user.

    No file is overwritten. On a terminal the command prompts for the API key, and writes it to a file of its
    own with mode 0600.
    """
    if is_users and context.config is not None:
        raise click.UsageError("--user and --config name two paths; give one of them.")
    paths = _choose_paths(context, is_users=is_users)
    _refuse_existing(paths.config)
    key = _prompt_for_key(context)
    if key:
        _refuse_existing(paths.key)
        create_file(paths.key, f"{key}\n", 0o600)
    try:
        create_file(paths.config, render_configuration(paths, has_key_file=bool(key)), 0o644)
    except NotifierError:
        if key:
            # Without the configuration the key is not used, and the next init would refuse to overwrite it.
            paths.key.unlink(missing_ok=True)
        raise
    _create_folder(paths.database.parent)
    _print_result(context, paths, has_key_file=bool(key))
    return 0


def render_configuration(paths: InitPaths, *, has_key_file: bool) -> str:
    """Fill the template with the database's absolute path, and with the key's file if there is one."""
    text = resources.files(__package__).joinpath("init.toml").read_text("utf-8")
    # A TOML string takes the escapes of a JSON string.
    text = text.replace('url = "notifier.db"', f"url = {msgspec.json.encode(str(paths.database)).decode()}")
    switched_off = f'#api_key = {{ file = "{KEY_NAME}" }}'
    return text.replace(switched_off, switched_off[1:]) if has_key_file else text


def _choose_paths(context: CommandContext, *, is_users: bool) -> InitPaths:
    if not is_users:
        config = Path(context.config or FILE_NAME).absolute()
        return InitPaths(config, config.with_name(DATABASE_NAME))
    home = _find_home(context)
    data = Path(context.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return InitPaths(home / ".config" / "notifier" / FILE_NAME, data / "notifier" / DATABASE_NAME)


def _find_home(context: CommandContext) -> Path:
    try:
        return Path(context.environ.get("HOME") or Path.home())
    except RuntimeError as error:
        cause = "HOME is not set, and the system knows no home directory of this user"
        raise NotWritable(cause, "set HOME, or give a path with --config") from error


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExists(f"{path} exists already", "edit it, or give another path with --config")


def _prompt_for_key(context: CommandContext) -> str:
    """Prompt for the API key. Return "" without a terminal, or if the environment has the key."""
    if context.is_json or context.environ.get(KEY_VARIABLE) or not _is_attended():
        return ""
    prompt = f"MuleRouter API key (empty to use {KEY_VARIABLE})"
    typed: str = click.prompt(prompt, default="", hide_input=True, show_default=False, err=True)
    key = typed.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise click.UsageError("an API key is one word of ASCII characters; nothing was written.")
    return key


def _is_attended() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def create_file(path: Path, text: str, mode: int) -> None:
    """Create a file with this mode, whole or not at all; what exists is not opened."""
    _create_folder(path.parent)
    try:
        write_file(path, text.encode(), may_replace=False, mode=mode)
    except FileExistsError:
        _refuse_existing(path)
    except OSError as error:
        raise NotWritable(f"{path} cannot be written ({error.strerror})", _FIX_NOT_WRITABLE) from error


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(f"{folder} cannot be created ({error.strerror})", _FIX_NOT_WRITABLE) from error


_FIX_NOT_WRITABLE = "give a path with --config that you may write to"


def _print_result(context: CommandContext, paths: InitPaths, *, has_key_file: bool) -> None:
    steps = _list_next_steps(context, paths, has_key_file=has_key_file)
    if context.is_json:
        key_file = str(paths.key) if has_key_file else None
        report = {"file": str(paths.config), "key_file": key_file, "next": steps}
        print_json(msgspec.json.encode(report))
        return
    print_data(escape(str(paths.config)))
    print_note("next:")
    for step in steps:
        print_note(f"  {escape(step)}")


def _list_next_steps(context: CommandContext, paths: InitPaths, *, has_key_file: bool) -> list[str]:
    option = ""
    if context.config is not None and not _is_default_file(context, paths.config):
        option = f" --config {paths.config}"
    is_without_key = not has_key_file and not context.environ.get(KEY_VARIABLE)
    return [
        *([f"export {KEY_VARIABLE}=sk-…"] if is_without_key else []),
        f"notifier check --online{option}",
        f"notifier run{option}",
    ]


def _is_default_file(context: CommandContext, file: Path) -> bool:
    from notifier.config.load import find_file  # noqa: PLC0415 - most commands do without it

    with contextlib.suppress(NotifierError, OSError):
        default_file = find_file(None, context.environ)
        return default_file is not None and default_file.absolute() == file
    return False

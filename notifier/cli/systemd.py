"""The command systemd: print the units of this package, adapted to this installation."""

import os
import re
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from ipaddress import ip_address
from pathlib import Path

import click

from notifier.cli.client import parse_address
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_note

EXECUTABLE = "/opt/notifier/bin/notifier"
KEY_FILE = "/etc/notifier/mulerouter-api-key"
LISTEN = "127.0.0.1:8484"
_PLAIN_WORD = re.compile(r"[\w@+=:,./\[\]-]+", re.ASCII)
_RUNTIME_DIRECTORY = "/run/notifier/"
# from the service, by ProtectHome= and PrivateTmp= of the unit
_HIDDEN_FOLDERS = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108 - compared, not used


@click.command(
    "systemd",
    short_help="Print the systemd units for this installation.",
    epilog=format_example(
        "notifier systemd | sudo tee /etc/systemd/system/notifier.service",
        "notifier systemd --socket | sudo tee /etc/systemd/system/notifier.socket",
        "sudo systemctl daemon-reload && sudo systemctl enable --now notifier",
    ),
)
@click.option(
    "--socket", "is_socket", is_flag=True, help="Print notifier.socket instead of notifier.service."
)
@click.option("--listen", metavar="ADDRESS", help=f"host:port or unix:/path [server.listen, {LISTEN}].")
@click.option("--key-file", metavar="PATH", default=KEY_FILE, help=f"The file of the API key [{KEY_FILE}].")
@click.option("--executable", metavar="PATH", help="The command that the service runs [this one].")
@add_shared_options("--url", "--token", "--json")
@pass_context
def systemd(
    context: CommandContext, *, is_socket: bool, listen: str | None, key_file: str, executable: str | None
) -> int:
    """Print the unit of the service, or of its socket, on stdout, and how to install it on stderr.

    --listen and --config become part of the environment of the service. Without them it uses
    /etc/notifier/config.toml.
    """
    if is_socket:
        print_data(_render_socket_unit(_find_listen_address(context, listen)), end="")
        _print_next_step(
            "notifier.socket", "sudo systemctl daemon-reload && sudo systemctl enable --now notifier.socket"
        )
        return 0
    command = executable or _find_own_path()
    print_data(
        _render_service_unit(
            command, _check_absolute("--key-file", key_file), _list_environment(context, listen)
        ),
        end="",
    )
    _print_next_step(
        "notifier.service", "sudo systemctl daemon-reload && sudo systemctl enable --now notifier"
    )
    print_note(f"write the API key to {escape(key_file)}, for root alone (chmod 600); each start reads it")
    _warn_if_hidden(command, context.config)
    return 0


def read_unit(name: str) -> str:
    """Return the text of a unit of this package or checkout."""
    return _find_folder().joinpath(name).read_text("utf-8")


def _find_folder() -> Traversable:
    packaged = resources.files("notifier").joinpath("systemd")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "systemd"


def _render_service_unit(command: str, key_file: str, environment: list[tuple[str, str]]) -> str:
    text = read_unit("notifier.service").replace(EXECUTABLE, _check_word("--executable", command))
    text = text.replace(KEY_FILE, key_file)
    lines = "".join(f'Environment="{name}={value}"\n' for name, value in environment)
    return text.replace("[Service]\n", f"[Service]\n{lines}", 1)


def _render_socket_unit(listen: str) -> str:
    stream = listen.removeprefix("unix:")
    if stream.startswith(_RUNTIME_DIRECTORY):
        raise click.UsageError(
            f"{stream}: {_RUNTIME_DIRECTORY} is removed with the service, and the socket in it; "
            "use unix:/run/notifier.sock"
        )
    if not stream.startswith("/") and not _is_ip(stream.rpartition(":")[0].strip("[]")):
        raise click.UsageError(
            f"{stream}: systemd does not resolve names; give --listen an address such as {LISTEN}"
        )
    return read_unit("notifier.socket").replace(f"ListenStream={LISTEN}", f"ListenStream={stream}")


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _find_listen_address(context: CommandContext, listen: str | None) -> str:
    return _parse_listen(listen) if listen else context.load_config().server.listen


def _list_environment(context: CommandContext, listen: str | None) -> list[tuple[str, str]]:
    variables = []
    if listen is not None:
        variables.append(("NOTIFIER_SERVER__LISTEN", _parse_listen(listen)))
    if context.config is not None:
        variables.append(
            ("NOTIFIER_CONFIG", _check_absolute("--config", str(Path(context.config).absolute())))
        )
    return variables


def _parse_listen(listen: str) -> str:
    """Return the address in the form that ``server.listen`` accepts."""
    from notifier.config.parsers import parse_listen as read_listen  # noqa: PLC0415 - most commands do without it

    try:
        address = parse_address(listen)
        if "://" in listen and address.socket_path is None:
            raise ValueError(f"leave out the scheme, as in {LISTEN}")
        text = str(read_listen(listen if address.socket_path is None else address.text))
    except ValueError as error:
        raise click.UsageError(f"--listen {listen!r}: {error}") from None
    return _check_word("--listen", text)


def _check_absolute(option: str, path: str) -> str:
    if not path.startswith("/"):
        raise click.UsageError(
            f"{option} {path!r}: give an absolute path, because a service has another working directory"
        )
    return _check_word(option, path)


def _check_word(option: str, text: str) -> str:
    """Return a text that needs no quoting in a unit. systemd gives other characters a meaning."""
    if not _PLAIN_WORD.fullmatch(text):
        raise click.UsageError(
            f"{option} {text!r}: spaces, quotes, % and $ are not allowed in a unit; use another path"
        )
    return text


def _find_own_path() -> str:
    """Return the path of the command that was called, or of the one that pip puts beside this Python.

    Links are not resolved, because a link stays valid over an upgrade.
    """
    command = Path(sys.argv[0]).absolute()
    if command.name == "notifier" and os.access(command, os.X_OK):
        return str(command)
    return str(Path(sys.executable).with_name("notifier"))


def _print_next_step(name: str, command: str) -> None:
    print_note(f"save it as /etc/systemd/system/{name}, then: {command}")


def _warn_if_hidden(command: str, config: str | None) -> None:
    for path in _list_hidden_paths(command, config):
        print_note(f"warning: {escape(path)} is hidden from the service, as are home directories and /tmp")
        print_note(
            "  fix: python3 -m venv /opt/notifier && /opt/notifier/bin/pip install THE-REPOSITORY, and"
        )
        print_note(
            "       /opt/notifier/bin/notifier systemd; a configuration goes to /etc/notifier/config.toml"
        )
        return


def _list_hidden_paths(command: str, config: str | None) -> Iterator[str]:
    """List the paths that the sandbox hides, of the command, its Python and the configuration."""
    python = Path(command).with_name("python")
    paths = [Path(command), python.resolve() if python.exists() else python]
    if config is not None:
        paths.append(Path(config).absolute())
    yield from (str(path) for path in paths if str(path).startswith(_HIDDEN_FOLDERS))

"""The command open: open the daemon's page in a browser, by a link that logs in once."""

import html
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from notifier.atomic_file import write_file
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.errors import NotifierError

REDIRECT_NAME = "open.html"


class LoginLink(msgspec.Struct, frozen=True):
    """The response of ``POST /v1/login``. ``expires_at`` is None if the daemon needs no login."""

    path: str
    expires_at: str | None = None


class PageNotReachable(NotifierError):
    """The daemon listens on a Unix socket, which browsers cannot open."""

    code = "no_page"
    exit_status = 64


@click.command(
    "open",
    short_help="Open the page in a browser.",
    epilog=format_example("notifier open", "notifier open --print"),
)
@click.option("--print", "is_print", is_flag=True, help="Only print the address.")
@add_shared_options()
@pass_context
def open_(context: CommandContext, *, is_print: bool) -> int:
    """Print the address of the page, and open it in a browser if this is a terminal.

    If the daemon has tokens, the link logs in one browser, once and within a minute. The login is valid for
    12 hours.
    """
    response = context.connect().request("POST", "/v1/login")
    if response.origin.startswith("unix:"):
        raise PageNotReachable(
            f"the daemon listens at {response.origin}, which no browser can open",
            "to use the page, set server.listen to a port of 127.0.0.1",
        )
    login = response.read(LoginLink)
    url = response.origin + login.path
    if context.is_json:
        print_json(msgspec.json.encode({"url": url, "expires_at": login.expires_at}))
        return 0
    print_data(escape(url))
    if login.expires_at is not None:
        print_note("this link logs in one browser, once, within a minute")
    if sys.stdout.isatty() and not is_print:
        _open_browser(url, context.environ, has_code=login.expires_at is not None)
    return 0


def _open_browser(url: str, environ: Mapping[str, str], *, has_code: bool) -> None:
    """Open the page. A link with a code is opened by a file, because every user can read a command line."""
    import webbrowser  # noqa: PLC0415 - a command's start is CPU time, and others need none

    try:
        webbrowser.open(_write_redirect(url, environ).as_uri() if has_code else url)
    except OSError as error:
        print_note(f"no browser was opened: {escape(str(error))}; open the link above")


def _write_redirect(url: str, environ: Mapping[str, str]) -> Path:
    """Write a page, mode 0600, that leads to ``url``, in place of the one before. Return its path."""
    folder = _find_private_folder(environ)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / REDIRECT_NAME
    target = html.escape(url)
    text = (
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0;url={target}"><a href="{target}">notifier</a>\n'
    )
    write_file(file, text.encode(), may_replace=True)
    return file.absolute()


def _find_private_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this session; without one of our own, the cache in the home directory."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    with suppress(OSError):
        if runtime and Path(runtime).stat().st_uid == os.geteuid():
            return Path(runtime, "notifier")
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "notifier")

"""The command backup: copy the database to a file, also while the daemon runs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.cli.signals import SignalReceived, raise_on_signals
from notifier.daemon.signing_secrets import secret_path
from notifier.errors import NotifierError

if TYPE_CHECKING:
    from notifier.store.sqlite.backup import Backup


class PathNotAccessible(NotifierError):
    """A file or folder that this user may not read or enter."""

    code = "backup_failed"
    exit_status = 1


@click.command(
    "backup",
    short_help="Copy the database to a file.",
    epilog=format_example(
        "notifier backup /var/backups/notifier-$(date +%F).db",
        "notifier backup --database /srv/notifier.db /mnt/notifier.db --force",
    ),
)
@click.argument("dest", type=click.Path(path_type=Path))
@click.option(
    "--database",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The database; the configuration is not read.",
)
@click.option("--force", is_flag=True, help="Replace DEST if it exists.")
@add_shared_options("--url", "--token")
@pass_context
def backup(context: CommandContext, *, dest: Path, database: Path | None, force: bool) -> int:
    """Copy the database to DEST, and its signing secrets to DEST.secret.

    The daemon may run: the copy shows one moment. It is checked before it gets its name, so that DEST is
    always complete. Both files contain secrets, and only their owner can read them.

    To restore: stop the daemon; remove the database with its -wal and -shm; move DEST to its path, and
    DEST.secret to that of notifier.secret; start the daemon. A watch that has ended since the backup ends
    again, and its callbacks are sent again with a new webhook-id.
    """
    source = Path(database or context.load_config().store.url).absolute()
    try:
        with raise_on_signals():
            copy = _copy(source, dest.absolute(), may_replace=force)
    except SignalReceived as received:
        return received.exit_status
    except OSError as error:
        raise PathNotAccessible(
            f"{error.filename or dest} cannot be accessed ({error.strerror})",
            "run this as the user of the daemon, with a DEST that this user may write to",
        ) from error
    if context.is_json:
        report = {
            "path": str(copy.path),
            "secret": str(copy.secret) if copy.secret else None,
            "bytes": copy.size_bytes,
            "schema": copy.version,
            "watches": copy.watches,
        }
        print_json(msgspec.json.encode(report))
        return 0
    print_data(escape(str(copy.path)))
    print_note(f"{copy.watches} watches, {copy.size_bytes:,} bytes, checked")
    if copy.secret is not None:
        secret_name = secret_path(str(source)).name
        print_note(f"{escape(secret_name)} was copied to {escape(str(copy.secret))}")
    return 0


def _copy(source: Path, target: Path, *, may_replace: bool) -> "Backup":
    # SQLite, which other commands do without
    from notifier.store.sqlite.backup import back_up  # noqa: PLC0415
    from notifier.store.sqlite.database_files import files_in_use  # noqa: PLC0415

    secret = secret_path(str(source))
    _refuse_target(target, (secret, *files_in_use(source)))
    return back_up(source, target, secret=secret if secret.is_file() else None, may_replace=may_replace)


def _refuse_target(target: Path, in_use: Iterable[Path]) -> None:
    """Raise UsageError for a target that ``--force`` may not replace either.

    These are files of the database, and devices: root could replace /dev/null by a file.
    """
    if target.is_dir():
        raise click.UsageError(f"{target} is a directory; DEST must name a file")
    if any(_is_same_file(each, target) for each in in_use):
        raise click.UsageError(f"{target} is a file of the database in use")
    if target.exists() and not target.is_file():
        raise click.UsageError(f"{target} is not a regular file; DEST must name one")


def _is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths name one file, even if it does not exist yet."""
    if one.exists() and other.exists():
        return one.samefile(other)
    folders = (one.parent, other.parent)
    return one.name == other.name and all(map(Path.exists, folders)) and Path.samefile(*folders)

"""The command backup: a copy of the database that can be restored, made while the daemon works."""

from pathlib import Path

import click
import msgspec

from notifier.cli.options import Given, example, pass_given, shared
from notifier.cli.output import safe, say, tell, tell_json
from notifier.daemon.signing import secret_path


@click.command(
    "backup",
    short_help="Copy the database to a file.",
    epilog=example(
        "notifier backup /var/backups/notifier-$(date +%F).db",
        "notifier backup --database /srv/notifier.db /mnt/notifier.db --force",
    ),
)
@click.argument("dest", type=click.Path(path_type=Path))
@click.option(
    "--database",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The database, without asking the configuration.",
)
@click.option("--force", is_flag=True, help="Replace what stands at DEST.")
@shared("--url", "--token")
@pass_given
def backup(given: Given, *, dest: Path, database: Path | None, force: bool) -> int:
    """Copy the database to DEST, and the signing secrets beside it to DEST.secret.

    The daemon may run; the copy is of one moment. It is read through before it gets its name, so what stands
    at DEST is whole. Both files hold what must stay private: only their owner can read them.

    To restore: stop the daemon; remove the database with its -wal and -shm; put DEST in its place, and
    DEST.secret in the place of notifier.secret; start the daemon. What ended after the backup ends again
    then, and is told again under a new webhook-id.
    """
    from notifier.store.backup import back_up  # noqa: PLC0415 - SQLite, which other commands do without

    final = dest.absolute()
    if final.is_dir():
        raise click.UsageError(f"{dest} is a directory; DEST names the file to be made")
    source = Path(database or given.load().store.url).absolute()
    if _is_same(source, final):
        raise click.UsageError(f"{dest} is the database itself")
    secret = secret_path(str(source))
    made = back_up(source, final, secret=secret if secret.is_file() else None, may_replace=force)
    if given.is_json:
        told = {
            "path": str(made.path),
            "secret": str(made.secret) if made.secret else None,
            "bytes": made.size_bytes,
            "schema": made.version,
            "watches": made.watches,
        }
        tell_json(msgspec.json.encode(told))
        return 0
    tell(safe(str(made.path)))
    say(f"{made.watches} watches, {made.size_bytes:,} bytes, read through and sound")
    if made.secret is not None:
        say(f"the signing secrets of {safe(secret.name)} are in {safe(str(made.secret))}")
    return 0


def _is_same(source: Path, final: Path) -> bool:
    return final.exists() and source.exists() and source.samefile(final)

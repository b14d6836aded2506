"""A reload asked for by signal, with an answer: how systemd's ExecReload learns what came of it.

Who asks binds a datagram socket in the service's runtime directory and sends SIGHUP; once the configuration
is read, the daemon answers on every such socket. This needs neither address, token nor credentials: before
systemd 254 an ExecReload cannot read these, and a reload may just be about to change the others.
"""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from notifier.core.formats.text import cut
from notifier.errors import NotifierError

_PREFIX = "reload-"
_MAX_REPLY_BYTES = 64 * 1024
_MAX_ERROR_CHARS = 4 * 1024  # one always fits: a sign is at most twelve bytes of JSON
REPLY_TIMEOUT_S = 30.0


class ReloadUnanswered(NotifierError):
    """The daemon did not say what came of the reload."""

    code = "unanswered"
    exit_status = 69


def is_exec_reload(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is an ExecReload of a service with a runtime directory."""
    return environ.get("MAINPID", "").isdigit() and _folder(environ) is not None


def request_reload(
    environ: Mapping[str, str] = os.environ,
    *,
    kill: Callable[[int, int], None] = os.kill,
    timeout_s: float = REPLY_TIMEOUT_S,
) -> tuple[str, ...]:
    """Have the daemon reload; returns the faults that kept it from it. Raises Unanswered."""
    pid, folder = int(environ["MAINPID"]), _folder(environ) or Path()
    try:
        with _mailbox(folder / f"{_PREFIX}{os.getpid()}") as mailbox:
            mailbox.settimeout(timeout_s)
            kill(pid, signal.SIGHUP)
            errors: list[str] = json.loads(mailbox.recv(_MAX_REPLY_BYTES))
    except TimeoutError:
        cause = f"the daemon (process {pid}) has not answered for {timeout_s:g} s"
        raise ReloadUnanswered(cause, "look at its log: journalctl -u notifier") from None
    except OSError as error:
        raise ReloadUnanswered(
            f"the daemon (process {pid}) cannot be asked: {error.strerror}",
            f"see that it runs (systemctl status notifier), and that its user may write in {folder}",
        ) from None
    return tuple(errors)


def report_reload(errors: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """Tell all who ask what came of the reload. Who has gone, or does not read, is passed over."""
    folder = _folder(environ)
    if folder is None:
        return
    datagram = _encode(errors)
    for mailbox in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(datagram, str(mailbox))


@contextlib.contextmanager
def _mailbox(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(path))
        try:
            yield bound
        finally:
            path.unlink(missing_ok=True)


def _folder(environ: Mapping[str, str]) -> Path | None:
    first = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(first) if first else None


def _encode(errors: Sequence[str]) -> bytes:
    """As many as go into one datagram, cut if need be; none would say that there was no fault."""
    texts = [cut(error, _MAX_ERROR_CHARS) for error in errors]
    while len(datagram := json.dumps(texts).encode()) > _MAX_REPLY_BYTES:
        texts = texts[: len(texts) // 2]
    return datagram

"""Request a reload by signal and receive its result, for ExecReload= of systemd.

The requesting process binds a datagram socket in the runtime directory of the service and sends SIGHUP. After
the reload the daemon sends the result to every such socket. This needs neither address, token nor
credentials. Before systemd 254 an ExecReload cannot read credentials, and the reload may change the others.
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
_MAX_REPLY_BYTES = 64 * 1024  # one datagram; no record of why; changing it needs a measurement
_MAX_ERROR_CHARS = 4 * 1024  # one error always fits: JSON has at most 12 bytes for a character
REPLY_TIMEOUT_S = 30.0  # no record of why; changing it needs a measurement


class ReloadUnanswered(NotifierError):
    """The daemon did not report the result of the reload."""

    code = "unanswered"
    exit_status = 69


def is_exec_reload(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process is the ExecReload of a service with a runtime directory."""
    return environ.get("MAINPID", "").isdigit() and _folder(environ) is not None


def request_reload(
    environ: Mapping[str, str] = os.environ,
    *,
    kill: Callable[[int, int], None] = os.kill,
    timeout_s: float = REPLY_TIMEOUT_S,
) -> tuple[str, ...]:
    """Let the daemon reload. Return the errors that prevented it. Raise ReloadUnanswered."""
    pid, folder = int(environ["MAINPID"]), _folder(environ) or Path()
    try:
        with _mailbox(folder / f"{_PREFIX}{os.getpid()}") as mailbox:
            mailbox.settimeout(timeout_s)
            kill(pid, signal.SIGHUP)
            errors: list[str] = json.loads(mailbox.recv(_MAX_REPLY_BYTES))
    except TimeoutError:
        cause = f"the daemon (process {pid}) has not responded for {timeout_s:g} s"
        raise ReloadUnanswered(cause, "read its log: journalctl -u notifier") from None
    except OSError as error:
        raise ReloadUnanswered(
            f"the daemon (process {pid}) cannot be signalled: {error.strerror}",
            f"check that it runs (systemctl status notifier), and that its user may write to {folder}",
        ) from None
    return tuple(errors)


def report_reload(errors: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """Send the result of a reload to every waiting process. Skip one that has ended or does not read."""
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
    """Encode as many errors as one datagram holds, cut if needed. No error would mean success."""
    texts = [cut(error, _MAX_ERROR_CHARS) for error in errors]
    while len(datagram := json.dumps(texts).encode()) > _MAX_REPLY_BYTES:
        texts = texts[: len(texts) // 2]
    return datagram

"""Read a configuration that may be a pipe, without waiting for a writer that never comes."""

import os
import select
import stat
from pathlib import Path

PIPE_TIMEOUT_S = 10.0  # a program that prints a configuration needs less; no record of a measurement
_CHUNK_BYTES = 65_536  # the capacity of a pipe: pipe(7)


def read_whole(path: Path, limit: int) -> bytes:
    """Return the content, at most ``limit`` bytes. Raise OSError, also for a pipe without a writer."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        content = b""
        while len(content) < limit and (chunk := _read_chunk(handle, limit - len(content))):
            content += chunk
        if not content and stat.S_ISFIFO(os.fstat(handle).st_mode):
            raise OSError(None, "it is a pipe that nobody writes to", str(path))
        return content
    finally:
        os.close(handle)


def _read_chunk(handle: int, limit: int) -> bytes:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    if not poll.poll(PIPE_TIMEOUT_S * 1_000):
        raise OSError(None, f"nothing was written to it for {PIPE_TIMEOUT_S:g} s")
    return os.read(handle, min(limit, _CHUNK_BYTES))

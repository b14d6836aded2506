"""Output goes on without a reader: bounded, in order, and what is dropped is counted."""

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from notifier.daemon.output_queue import QueuedStream, queue_output


@contextmanager
def full_pipe() -> Iterator[tuple[int, int, int]]:
    """A pipe whose next write blocks: its two ends, and how many bytes are in it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    size = 0
    try:
        while True:
            size += os.write(writer, b"x" * 1024)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    yield reader, writer, size
    os.close(reader)
    os.close(writer)


def read_lines(reader: int, skip: int, until: str) -> list[str]:
    """The lines after the first ``skip`` bytes, up to the line ``until``."""
    content = b""
    while not content[skip:].endswith(f"{until}\n".encode()):
        content += os.read(reader, 65_536)
    return content[skip:].decode().splitlines()


def queued(writer: int, on_dropped: list[int], **more: int) -> QueuedStream:
    stream = os.fdopen(writer, "w", closefd=False)
    return QueuedStream(stream, on_dropped.append, **more)


@pytest.mark.fault(131)
def test_a_full_pipe_blocks_no_writer_and_keeps_the_order() -> None:
    """All lines that fit into the queue arrive once somebody reads."""
    with full_pipe() as (reader, writer, size):
        stream = queued(writer, [])
        stream.start()
        for n in range(500):
            stream.write(f"line {n}\n")
        assert read_lines(reader, size, "line 499") == [f"line {n}" for n in range(500)]
        stream.finish()


@pytest.mark.fault(131)
def test_what_the_queue_does_not_hold_is_counted_and_reported_once() -> None:
    """The report comes when there is room again, after the lines that were in time."""
    with full_pipe() as (reader, writer, size):
        reported = threading.Event()
        counts: list[int] = []

        def report(count: int) -> None:
            counts.append(count)
            stream.write("dropped\n")
            reported.set()

        stream = QueuedStream(os.fdopen(writer, "w", closefd=False), report, max_bytes=700)
        stream.start()
        for n in range(100, 200):
            stream.write(f"line {n}\n")  # 9 bytes each
        lines = read_lines(reader, size, "dropped")
        assert reported.wait(10)
        assert lines == [*(f"line {n}" for n in range(100, 177)), "dropped"]
        assert counts == [23]
        stream.finish()


@pytest.mark.fault(131)
def test_the_end_does_not_wait_for_a_reader_without_limit() -> None:
    """What nobody reads is lost then."""
    with full_pipe() as (_, writer, _):
        stream = queued(writer, [])
        stream.start()
        stream.write("lost\n")
        stream.finish(limit_s=0.01)


def test_a_pipe_that_is_not_blocking_loses_nothing() -> None:
    """Another process that shares the pipe may have made it so."""
    with full_pipe() as (reader, writer, size):
        os.set_blocking(writer, False)
        stream = queued(writer, [])
        stream.start()
        stream.write("line\n")
        assert read_lines(reader, size, "line") == ["line"]
        stream.finish()


def test_a_reader_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with queue_output(lambda _: None):
            print("line")
        assert sys.stdout is stream


def test_a_stream_without_a_descriptor_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with queue_output(lambda _: None):
        assert sys.stdout is stream

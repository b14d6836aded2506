"""Power cuts: ``python -m tests.disk.power``, under the shim.

What a store writes in a day's work is recorded, call by call. Then the power goes at any of them: what was
synced is on the disk, of what was not any 512-byte sectors are. The file is opened and judged by what had
been answered until then.
"""

import argparse
import asyncio
import json
import random
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.disk.account import Account, complaints
from tests.disk.plants import PLANTS
from tests.disk.scenarios import SCENARIOS, Scenario, at_work, register, store_in
from tests.disk.shim import Shim, quick_folder

SECTOR = 512
DAYS_WORK = ("migration", "polling", "delivery", "checkpoint", "pruning", "busy")
ROUNDS = 12


class Call(NamedTuple):
    """One call to the disk, or a note of what was answered (``what`` is n)."""

    what: str
    name: str
    offset: int
    data: bytes


@dataclass
class File:
    """What is surely on the disk, and what may be."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        """All of it is on the disk."""
        for call in self.pending:
            _apply(self.synced, call, lambda: True)
        self.pending = []

    def after_a_cut(self, rng: random.Random) -> bytes:
        """Some of it is."""
        content, odds = bytearray(self.synced), rng.choice((0.0, 0.5, 0.9, 1.0))
        for call in self.pending:
            _apply(content, call, lambda: rng.random() < odds)
        return bytes(content)


def _apply(content: bytearray, call: Call, is_kept: object) -> None:
    assert callable(is_kept)
    if call.what == "t":
        if is_kept():
            del content[call.offset :]
            content.extend(bytes(call.offset - len(content)))
        return
    for start in range(0, len(call.data), SECTOR):
        if is_kept():
            piece, place = call.data[start : start + SECTOR], call.offset + start
            content.extend(bytes(max(0, place + len(piece) - len(content))))
            content[place : place + len(piece)] = piece


def read(path: Path) -> Iterator[Call]:
    """The calls of a recording."""
    with path.open("rb") as file:
        while head := file.read(2):
            name = file.read(head[1]).decode()
            offset, size = struct.unpack("=qq", file.read(16))
            yield Call(chr(head[0]), name, offset, file.read(size))


def cut(calls: Sequence[Call], start: dict[str, bytes], folder: Path, rng: random.Random) -> list[str]:
    """Let these calls happen and the power go; leaves the files in ``folder``, returns what was answered.

    A name that was taken away may be back: folders are synced with the next file at the soonest.
    """
    files = {name: File(bytearray(content)) for name, content in start.items()}
    gone: dict[str, File] = {}
    answered: list[str] = []
    for call in calls:
        match call.what:
            case "n":
                answered.append(call.data.decode())
            case "s":
                files.setdefault(call.name, File()).sync()
                gone.clear()
            case "u":
                gone[call.name] = files.pop(call.name, File())
            case _:
                files.setdefault(call.name, File()).pending.append(call)
    back = {name: file for name, file in gone.items() if name not in files and rng.random() < 0.5}
    for name, file in {**back, **files}.items():
        (folder / name).write_bytes(file.after_a_cut(rng))
    return answered


class Busy:
    """A long run of registrations with the log written back now and then."""

    async def prepare(self, folder: Path) -> None:
        async with store_in(folder):
            pass

    async def act(self, folder: Path, account: Account) -> None:
        async with at_work(folder, account) as store:
            for turn in range(ROUNDS):
                await register(store, account, *(f"t-{turn}-{n}" for n in range(4)))
                await account.of("maintain", str(turn), store.maintain())


def work() -> dict[str, Scenario]:
    """What is recorded."""
    known = {**SCENARIOS, "busy": Busy()}
    return {name: known[name] for name in DAYS_WORK}


def main() -> int:
    """Record, cut, and print what was tried and found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cuts", type=int, default=800)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--plant", choices=list(PLANTS), help="with this bug: it must be found")
    given = parser.parse_args()
    if given.plant:
        PLANTS[given.plant]()
    rng, shim, wrong = random.Random(given.seed), Shim(), []
    calls = 0
    with tempfile.TemporaryDirectory(dir=quick_folder()) as scratch:
        for name, scenario in work().items():
            start, recorded = _recorded(name, scenario, Path(scratch), shim)
            calls += sum(call.what != "n" for call in recorded)
            share = given.cuts // len(DAYS_WORK) + (name == "busy") * (given.cuts % len(DAYS_WORK))
            wrong += [f"{name}, {each}" for each in _tried(share, start, recorded, Path(scratch), rng)]
    tried = {"cuts": given.cuts, "calls": calls, "seed": given.seed, "lost": len(wrong), "wrong": wrong[:20]}
    print(json.dumps(tried, indent=1))
    return 1 if wrong else 0


def _recorded(
    name: str, scenario: Scenario, scratch: Path, shim: Shim
) -> tuple[dict[str, bytes], list[Call]]:
    folder = scratch / name
    folder.mkdir()
    asyncio.run(scenario.prepare(folder))
    start = {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock"}
    shim.record(scratch / f"{name}.calls")
    asyncio.run(scenario.act(folder, Account(shim.note)))
    return start, list(read(scratch / f"{name}.calls"))


def _tried(
    cuts: int, start: dict[str, bytes], recorded: Sequence[Call], scratch: Path, rng: random.Random
) -> Iterator[str]:
    for number in range(cuts):
        at = rng.randrange(len(recorded) + 1)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            answered = cut(recorded[:at], start, Path(folder), rng)
            for each in asyncio.run(complaints(Path(folder), answered)):
                yield f"cut {number} after {at} of {len(recorded)} calls: {each}"


if __name__ == "__main__":
    sys.exit(main())

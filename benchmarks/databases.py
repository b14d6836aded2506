"""A database for each number of watches that wait."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.bench import Bench
from benchmarks.filling import Filled
from benchmarks.processes import job

SIZES = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Database:
    """A file in which so many watches wait."""

    waiting: int
    file: Path
    bytes_each: float


async def databases(bench: Bench, folder: Path, wanted: Sequence[int]) -> list[Database]:
    """Make a database of each size, from the least on, each out of the one before."""
    empty = msgspec.json.decode(await job("benchmarks.filling", str(folder / "empty.db"), "0"), type=Filled)
    growing, have, made = folder / "growing.db", 0, []
    for waiting in wanted:
        printed = await job("benchmarks.filling", str(growing), str(waiting - have))
        file, have = folder / f"{waiting}.db", waiting
        copied(growing, file)
        each = (msgspec.json.decode(printed, type=Filled).size - empty.size) / waiting
        made.append(Database(waiting, file, each))
        bench.say(f"{waiting} waiting: filled, {each:.0f} bytes each")
    growing.unlink()
    return made


def copied(source: Path, target: Path) -> None:
    """Copy through to the disk, so that no write-back of it falls into a measurement."""
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())

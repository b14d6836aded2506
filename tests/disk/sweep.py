"""A fault at the n-th call to the disk, for every n: ``python -m tests.disk.sweep``, under the shim.

Each case is a fork that acts on a copy of a prepared folder and is failed once, or until it has acted. After
it the file is opened anew and judged by what was answered. Where the process has survived, its store must
first take a write again by itself.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.disk.account import Account, complaints
from tests.disk.plants import PLANTS
from tests.disk.scenarios import SCENARIOS, run
from tests.disk.shim import Kind, Shim, quick_folder

KINDS = [Kind.EXIT, Kind.TORN, Kind.EIO, Kind.FULL, Kind.READONLY, Kind.SLOW]
SLOW_MS = 20
STRUCK = 99
"""The exit status of a case that the shim has ended."""
_BUG = 3


@dataclass
class Tally:
    """What was tried and what was found wrong."""

    cases: Counter[str] = field(default_factory=Counter)
    calls: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    ended: int = 0
    wrong: list[str] = field(default_factory=list)


def sweep(names: list[str], kinds: list[Kind], stride: int, tally: Tally) -> Tally:
    """Try every ``stride``-th call of each scenario with each kind of fault."""
    shim = Shim()
    with tempfile.TemporaryDirectory(dir=quick_folder()) as scratch:
        for name in names:
            prepared = Path(scratch, f"{name}-prepared")
            prepared.mkdir()
            asyncio.run(SCENARIOS[name].prepare(prepared))
            tally.calls[name] = _calls(name, prepared, shim)
            for place, (kind, at) in enumerate(_cases(kinds, tally.calls[name], stride)):
                folder = Path(scratch, f"{name}-{place}")
                shutil.copytree(prepared, folder)
                _try(name, folder, shim, kind, at, tally)
                shutil.rmtree(folder)
    return tally


def _cases(kinds: list[Kind], calls: int, stride: int) -> Iterator[tuple[Kind, int]]:
    for turn, kind in enumerate(kinds):  # staggered, so that a wide stride still comes to every call
        yield from ((kind, at) for at in range(1 + turn % stride, calls + 1, stride))


def _calls(name: str, prepared: Path, shim: Shim) -> int:
    """How many calls to the disk there are, when none fails."""
    folder = prepared.with_name(f"{name}-counted")
    shutil.copytree(prepared, folder)
    shim.arm(0, Kind.NONE)
    asyncio.run(run(name, folder, Account(lambda _: None, shim.pause)))
    calls = shim.disarm()
    if calls == 0:
        sys.exit("the shim sees no call of SQLite's: it is linked in a way that LD_PRELOAD does not reach")
    return calls


def _try(name: str, folder: Path, shim: Shim, kind: Kind, at: int, tally: Tally) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_case(name, folder, shim, kind, at, writing))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    tally.cases[kind.name.lower()] += 1
    tally.ended += status == STRUCK
    tally.refused += any(not line.startswith("did ") for line in lines)
    found = asyncio.run(complaints(folder, [line for line in lines if not line.startswith("! ")]))
    found += [line for line in lines if line.startswith("! ")]
    if status not in (0, STRUCK):
        found.append(f"it ended with {status}")
    tally.wrong += [f"{name}, {kind.name.lower()} at {at} of {tally.calls[name]}: {each}" for each in found]


def _case(name: str, folder: Path, shim: Shim, kind: Kind, at: int, writing: int) -> int:
    """The child: act under the fault, then see that all is well without it. Returns its exit status."""

    def tell(line: str) -> None:
        os.write(writing, f"{line}\n".encode())

    try:
        shim.arm(at, kind, SLOW_MS)
        asyncio.run(run(name, folder, Account(tell, shim.pause)))
        shim.disarm()
    except BaseException:
        tell(f"! {traceback.format_exc()!r}")
        return _BUG
    return 0


def main() -> int:
    """Try, and print the tally as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stride", type=int, default=1, help="try every n-th call")
    parser.add_argument("--kind", action="append", choices=[kind.name.lower() for kind in KINDS], help="this")
    parser.add_argument("--plant", choices=list(PLANTS), help="with this bug: it must be found")
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="this scenario")
    given = parser.parse_args()
    if given.plant:
        PLANTS[given.plant]()
    kinds = [kind for kind in KINDS if not given.kind or kind.name.lower() in given.kind]
    tally = sweep(given.only or list(SCENARIOS), kinds, given.stride, Tally())
    print(json.dumps(tally.__dict__, indent=1))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Look for a response that notifier reads otherwise than curl or h11 do.

``python -m tests.wire.fuzz COUNT [SEED]`` composes odd responses and asks both. ``python -m tests.wire.fuzz
--atheris COUNT`` lets libFuzzer mutate responses by coverage and asks h11; it needs the package atheris.
Prints each disagreement, and exits with 1 if there was one. Decision 0011 records runs.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.wire.differential import (
    curls_verdicts,
    disagreement,
    h11s_verdict,
    notifiers_verdict,
    odd_response,
)

BATCH = 500


async def compare(count: int, seed: int) -> int:
    """Compose, ask, and return the number of disagreements."""
    rng, differing = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count // BATCH):
            responses = [odd_response(rng) for _ in range(BATCH)]
            verdicts = await curls_verdicts(responses, Path(folder))
            for response, by_curl in zip(responses, verdicts, strict=True):
                ours = await notifiers_verdict([response])
                message = disagreement(response, ours, h11s_verdict(response), by_curl)
                if message is not None:
                    differing += 1
                    print(f"{response!r:.300}\n  {message}")
    print(f"{count // BATCH * BATCH} responses of seed {seed}: {differing} disagreements")
    return differing


def mutate(count: int) -> None:
    """Run libFuzzer. It ends the process, with a report if one mutation raised."""
    import atheris  # noqa: PLC0415 - a package that is installed for this alone

    atheris.instrument_all()
    runner = asyncio.Runner()

    def judge(response: bytes) -> None:
        ours = runner.run(notifiers_verdict([response]))
        message = disagreement(response, ours, h11s_verdict(response), None)
        if message is not None:
            raise AssertionError(message)

    with tempfile.TemporaryDirectory() as folder:
        rng = random.Random(0)
        for number in range(300):
            (Path(folder) / str(number)).write_bytes(odd_response(rng))
        atheris.Setup([sys.argv[0], folder, f"-atheris_runs={count}", "-max_len=4096"], judge)
        atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == "--atheris":
        mutate(int(sys.argv[2]))
    else:
        seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
        sys.exit(min(1, asyncio.run(compare(int(sys.argv[1]), seed))))

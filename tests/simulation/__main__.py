"""``python -m tests.simulation SEED DAYS TEMPO``: one simulation, and what it came to."""

import sys
import time

from tests.simulation.days import TEMPI, run
from tests.simulation.report import failure, summary


def main(seed: str = "1", days: str = "5", tempo: str = "calm") -> int:
    """Run it and say what it brought; the exit status is 1 when a promise was broken."""
    began = time.perf_counter()
    result = run(seed, float(days), tempo=TEMPI[tempo])
    told = summary(result, time.perf_counter() - began)
    if result.breaches:
        print(failure(result, float(days), TEMPI[tempo]))
    print(told)
    return 1 if result.breaches else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

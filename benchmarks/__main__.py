"""``python -m benchmarks``: run all scenarios, print the table, write RESULTS.md and README's few figures.

``--quick`` tries everything at a fraction of the load and writes nothing. The exit status is 1 when a goal
was missed.
"""

import argparse
import asyncio
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import machine, report
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.scenario_callback import callback
from benchmarks.scenario_crowd import crowd
from benchmarks.scenario_delivering import delivering
from benchmarks.scenario_idle import idle
from benchmarks.scenario_learning import learning
from benchmarks.scenario_page import page
from benchmarks.scenario_peers import peers
from benchmarks.scenario_polling import polling
from benchmarks.scenario_registering import registering
from benchmarks.scenario_returning import returning
from benchmarks.scenario_scaling import scaling
from benchmarks.scenario_scaling_peers import scaling_peers
from benchmarks.scenario_starting import starting

Scenario = Callable[[Bench], Awaitable[list[Figure]]]

SCENARIOS: dict[str, Scenario] = {
    "idle": idle,
    "starting": starting,
    "registering": registering,
    "polling": polling,
    "delivering": delivering,
    "callback": callback,
    "returning": returning,
    "crowd": crowd,
    "scaling": scaling,
    "page": page,
    "peers": peers,
    "scaling-peers": scaling_peers,
    "learning": learning,
}
RESULTS = Path(__file__).with_name("RESULTS.md")
README = Path(__file__).parents[1] / "README.md"
LIMIT_S = 3_600.0


async def run(bench: Bench, names: list[str], figures: list[Figure]) -> None:
    """Add the figures of scenarios, in turn and within a limit; a signal ends them and their processes."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.timeout(LIMIT_S):
        for name in names:
            figures += await SCENARIOS[name](bench)


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small loads, to try it; nothing is written")
    parser.add_argument(
        "--only", choices=SCENARIOS, action="append", help="this scenario, and others named so; no RESULTS.md"
    )
    parser.add_argument("--results", type=Path, help="write the table there, whichever scenarios ran")
    parser.add_argument("--disk", type=Path, default=Path(tempfile.gettempdir()), help="where databases go")
    given = parser.parse_args()
    bench = Bench(is_quick=given.quick, disk=given.disk)
    facts = machine.facts(given.disk)
    figures: list[Figure] = []
    try:
        asyncio.run(run(bench, given.only or list(SCENARIOS), figures))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    finally:  # what was measured before something failed is worth reading, but is no result
        print(f"\n{report.terminal(figures)}")
    results = given.results or (None if given.quick or given.only else RESULTS)
    if results is not None:
        results.write_text(report.markdown(figures, facts))
    if results == RESULTS:
        README.write_text(report.renewed(README.read_text(), figures))
    return 1 if any(figure.is_reached is False for figure in figures) else 0


if __name__ == "__main__":
    raise SystemExit(main())

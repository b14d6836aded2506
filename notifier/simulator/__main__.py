"""The simulated upstream as a process: prints where it is as one line of JSON, ends on SIGTERM or Ctrl-C."""

import argparse
import asyncio
import json
import signal

from notifier.simulator.serving import serve
from notifier.simulator.upstream import Upstream


async def run(host: str, port: int, key: str | None) -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with serve(Upstream(key=key), host, port) as url:
        print(json.dumps({"url": url}), flush=True)
        await ended.wait()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m notifier.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 is any free one")
    parser.add_argument("--key", help="the only key accepted; without it any is")
    given = parser.parse_args()
    asyncio.run(run(given.host, given.port, given.key))


if __name__ == "__main__":
    main()

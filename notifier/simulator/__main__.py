"""Run the simulated provider. It prints its URL as one line of JSON and ends on SIGTERM or Ctrl-C.

``notifier simulator`` does the same.
"""

import argparse
import asyncio
import json
import signal
import sys

from notifier.simulator.catalogue_provider import CatalogueProvider
from notifier.simulator.script import describe_words
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider


async def run(host: str, port: int, key: str | None, provider: str = "mulerouter") -> None:
    """Serve until a signal ends the process."""
    app: SimulatedProvider | CatalogueProvider = SimulatedProvider(key=key)
    base_path = ""
    if provider != "mulerouter":
        app = CatalogueProvider(provider, key=key)
        base_path = app.base_path
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with serve(app, host, port) as origin:
        url = f"{origin}{base_path}"
        print(json.dumps({"url": url}), flush=True)
        if sys.stderr.isatty():
            print(*_describe(url, key, provider), sep="\n", file=sys.stderr, flush=True)
        await ended.wait()


def _describe(url: str, key: str | None, provider: str) -> list[str]:
    """Describe what to set and what to submit. The key itself is not printed."""
    key_hint = "any" if key is None else "…"
    if provider != "mulerouter":
        setting = f'[providers.{provider}] base_url = "{url}"'
        return [f"A simulated {provider}; Ctrl-C ends. Set {setting}, api_key: {key_hint}", *describe_words()]
    return [
        f"A simulated MuleRouter; Ctrl-C ends. Set MULEROUTER_BASE_URL={url} MULEROUTER_API_KEY={key_hint}",
        *describe_words(),
    ]


def main() -> None:
    """Parse the arguments and run."""
    args = make_parser().parse_args()
    try:
        asyncio.run(run(args.host, args.port, args.key))
    except OSError as error:
        cause = f"cannot listen on {args.host}:{args.port}: {error.strerror or error}"
        sys.exit(f"simulator: {cause}; give another --port or --host")


def _port(text: str) -> int:
    """Parse a port. The system would use the last 16 bits of a larger number."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m notifier.simulator",
        description=__doc__,
        epilog="\n".join(describe_words()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=0, help="0 is any free one")
    parser.add_argument("--key", help="the only key accepted; without it any is")
    return parser


if __name__ == "__main__":
    main()

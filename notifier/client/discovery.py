"""Find the daemon: the address of the program, else of the environment, else the default."""

import os
from collections.abc import Mapping

from notifier.client.address import Address, parse_address

DEFAULT_URL = "http://127.0.0.1:8484"


def find_daemon(
    url: str | None, token: str | None, environ: Mapping[str, str] = os.environ
) -> tuple[Address, str | None]:
    """Return the address and the token. Raise ValueError for one that cannot be used."""
    address = parse_address(url or environ.get("NOTIFIER_URL") or DEFAULT_URL)
    token = token or environ.get("NOTIFIER_TOKEN") or None
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise ValueError("the token has signs that cannot stand in a header")
    return address, token

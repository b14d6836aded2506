"""Whom we trust: the system's certificates, and those of one file. There is no way to trust everybody."""

import functools
import ssl


@functools.lru_cache(maxsize=8)
def trusting(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name; a shared one, since it weighs a megabyte.

    Raises OSError (no such file; ssl.SSLError: no certificate in it).
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    context.set_alpn_protocols(("http/1.1",))
    return context

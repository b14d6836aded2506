"""Make TLS contexts that trust the certificates of the system and of one file. None trusts every peer."""

import functools
import hashlib
import ssl
from pathlib import Path


def make_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name. It is shared, because it takes a megabyte.

    A changed file gives another context. Raise OSError for a missing file, and its subclass ssl.SSLError for
    one without a certificate.
    """
    content = b"" if ca_file is None else Path(ca_file).read_bytes()
    return _make_context(ca_file, hashlib.sha256(content).digest())


@functools.lru_cache(maxsize=8)
def _make_context(ca_file: str | None, _content: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    context.set_alpn_protocols(("http/1.1",))
    return context

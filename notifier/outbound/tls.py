"""Whom we trust: the system's certificates, and those of one file. There is no way to trust everybody."""

import functools
import hashlib
import ssl
from pathlib import Path


def make_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name; a shared one, since it weighs a megabyte.

    It is another one when the file's content is another. Raises OSError (no such file; ssl.SSLError: no
    certificate in it).
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

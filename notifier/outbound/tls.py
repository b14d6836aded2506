"""TLS: the certificates that are trusted, and a session without a socket.

No setting trusts every certificate.
"""

import functools
import hashlib
import ssl
from pathlib import Path

_RECORD_BYTES = 16 * 1024  # RFC 8446, 5.1: the longest record


def make_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name; callers share it, because it takes a megabyte.

    A changed file content gives another context. Raise OSError if there is no such file, or no certificate in
    it (ssl.SSLError).
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


class TlsSession:
    """One TLS session as a function over bytes.

    The transports of asyncio drop an answer that has come when writing fails; here it can still be decrypted.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.is_established = False

    def receive(self, data: bytes, plain: bytearray) -> bool:
        """Decrypt data onto ``plain``. Return False at the end of the session. Raise ssl.SSLError."""
        self._incoming.write(data)
        try:
            if not self.is_established:
                self._object.do_handshake()
                self.is_established = True
            while piece := self._object.read(_RECORD_BYTES):
                plain += piece
        except ssl.SSLWantReadError:
            return True
        return False

    def encrypt(self, data: bytes) -> None:
        """Encrypt data; ``outgoing`` returns it."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view) :]

    def outgoing(self) -> bytes:
        """Return what is to be sent to the peer."""
        return self._outgoing.read()

"""TLS: the certificates that are trusted, and a session without a socket.

No setting trusts every certificate.
"""

import functools
import hashlib
import ssl
from pathlib import Path

_RECORD_BYTES = 16 * 1024  # RFC 8446, 5.1: the longest record


def make_tls_context(
    ca_file: str | None = None, cert_file: str | None = None, key_file: str | None = None
) -> ssl.SSLContext:
    """Return a context that verifies certificate and name; callers share it, because it takes a megabyte.

    A peer that requires a client certificate gets the one of ``cert_file``; without ``key_file`` its key is
    in the same file. A changed file content gives another context. Raise OSError if a file is missing, or
    does not contain what it should (ssl.SSLError).
    """
    contents = [b"" if file is None else Path(file).read_bytes() for file in (ca_file, cert_file, key_file)]
    digests = tuple(hashlib.sha256(content).digest() for content in contents)
    return _make_context(ca_file, cert_file, key_file, digests)


def has_key_of_certificate(cert_file: str, key_file: str | None) -> bool:
    """Return whether a file (None: the same one) has the unencrypted key of a certificate."""
    try:
        _load_client_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert_file, key_file)
    except OSError:
        return False
    return True


@functools.lru_cache(maxsize=8)
def _make_context(
    ca_file: str | None, cert_file: str | None, key_file: str | None, _digests: tuple[bytes, ...]
) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    if cert_file is not None:
        _load_client_certificate(context, cert_file, key_file)
    context.set_alpn_protocols(("http/1.1",))
    return context


def _load_client_certificate(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    """Load a certificate and its key. Raise OSError."""
    # Without a password OpenSSL would ask for that of an encrypted key on the terminal.
    context.load_cert_chain(cert_file, key_file, password="-")  # noqa: S106 - no password fits


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

"""Exchange one request and reply with the daemon's API, by the standard library alone.

The exchange uses one address, no proxy of the environment, and follows no redirect. A command needs one
request and must start quickly, so there is no connection pool and no HTTP library to import.
"""

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from notifier import __version__
from notifier.client.address import Address
from notifier.client.errors import Problem, SocketRefused, Unreachable, problem_class
from notifier.errors import NotifierError

MAX_REPLY_BYTES = 64 * 1024 * 1024  # above a page of 500 watches with everything that they may hold
CALL_TIMEOUT_S = 30.0  # no record of why; changing it needs a measurement
HOW_TO_START = (
    "start it with `notifier run`, or `systemctl start notifier`; or name it by --url or NOTIFIER_URL"
)

T = TypeVar("T")


class Headers(Protocol):
    """The headers of a reply, from ``http.client`` or httpx, with names in any case."""

    def get(self, name: str, /) -> str | None:
        """Return the first value, or None."""
        ...


@dataclass(frozen=True, slots=True)
class ApiReply:
    """The JSON of a 2xx reply: ``raw`` has the bytes, ``read`` decodes them."""

    raw: bytes
    origin: str
    status: int = 200

    def read(self, kind: type[T]) -> T:
        """Decode the reply as ``kind``. Raise Unreachable for another shape: it is not from our daemon."""
        try:
            return msgspec.json.decode(self.raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            detail = f"its response is not what notifier {__version__} expects: {error}"
            raise _not_notifier(self.origin, detail) from None

    def parts(self) -> "dict[str, ApiReply]":
        """Split an object into its members, in their order."""
        members = self.read(dict[str, msgspec.Raw])
        return {name: ApiReply(bytes(raw), self.origin) for name, raw in members.items()}

    def member(self, name: str, kind: type[T]) -> T:
        """Decode one member of an object. Without it the reply is not of our daemon: raise Unreachable."""
        missing = ApiReply(b"null", self.origin)
        return self.parts().get(name, missing).read(kind)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request in the form of the arguments of ``HTTPConnection.request``."""

    method: str
    target: str
    content: bytes | None
    headers: Mapping[str, str]


def encode_call(
    address: Address,
    token: str | None,
    method: str,
    path: str,
    *,
    body: object = None,
    query: Mapping[str, object] | None = None,
) -> ApiCall:
    """Encode a request. Omit query parameters that are None."""
    parameters = {name: value for name, value in (query or {}).items() if value is not None}
    target = address.prefix + path + (f"?{urlencode(parameters)}" if parameters else "")
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"notifier/{__version__}",
    }
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if body is None:
        return ApiCall(method, target, None, headers)
    headers["Content-Type"] = "application/json"
    return ApiCall(method, target, msgspec.json.encode(body), headers)


class ApiConnection:
    """The daemon at one address. Every request opens a connection."""

    def __init__(self, address: Address, token: str | None = None) -> None:
        self._address = address
        self._token = token

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> ApiReply:
        """Send one request and return the reply. Raise Unreachable, SocketRefused or ApiProblem."""
        call = encode_call(self._address, self._token, method, path, body=body, query=query)
        connection = _connection(self._address, timeout_s)
        try:
            connection.request(call.method, call.target, call.content, call.headers)
            with connection.getresponse() as reply:  # the reply, too, keeps the socket open
                raw = reply.read(MAX_REPLY_BYTES + 1)
            if reply.length and len(raw) <= MAX_REPLY_BYTES:  # a read with a limit does not raise it
                raise IncompleteRead(raw, reply.length)
        except (OSError, HTTPException, UnicodeError) as error:
            raise describe_no_reply(error, self._address, timeout_s) from error
        finally:
            connection.close()
        return parse_reply(reply.status, reply.headers, raw, self._address)


def describe_no_reply(error: Exception, address: Address, timeout_s: float) -> NotifierError:
    """Return the error that explains to the user why no reply came."""
    place = address.text
    if isinstance(error, PermissionError):
        fix = "run as the daemon's user, or as a member of the socket's group"
        return SocketRefused(f"{place} may not be opened by this user", fix)
    if isinstance(error, TimeoutError):
        cause = f"the daemon at {place} did not answer within {timeout_s:.0f} s"
        return Unreachable(cause, "look at its log")
    if isinstance(error, RemoteDisconnected | IncompleteRead):
        cause = f"the daemon at {place} closed the connection before its response was complete"
        return Unreachable(cause, "repeat the call; if the error persists, look at the log", is_broken=True)
    if isinstance(error, HTTPException):
        return _not_notifier(place, f"its response is no HTTP ({type(error).__name__})")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"no TLS is spoken at {place}", "write http:// if it is a daemon with no proxy before it"
        )
    cause = f"no daemon responds at {place} ({_describe_error(error)})"
    is_broken = isinstance(error, ConnectionError | FileNotFoundError)
    return Unreachable(cause, HOW_TO_START, is_broken=is_broken)


def parse_reply(status: int, headers: Headers, raw: bytes, address: Address) -> ApiReply:
    """Return the JSON of a 2xx reply, or raise the error that the reply describes."""
    place = address.text
    kind = (headers.get("Content-Type") or "text/plain").partition(";")[0].strip().lower()
    if len(raw) > MAX_REPLY_BYTES:
        raise _not_notifier(place, f"its response is larger than {MAX_REPLY_BYTES // 2**20} MiB")
    if status < 300 and kind == "application/json" and is_json(raw):
        return ApiReply(raw, place, status)
    problem = _problem(raw) if kind in ("application/problem+json", "application/json") else None
    if status in _REFUSAL_FIXES:
        raise _refusal(status, problem, place)
    if problem is None or status < 400:
        raise _not_notifier(place, f"notifier does not respond with {status} and {kind}")
    raise problem_class(status)(status, problem, _fix(status, headers))


def _refusal(status: int, problem: Problem | None, place: str) -> NotifierError:
    """Return the error for a refusal. Without a problem it comes from a proxy or from another program."""
    if problem is not None:
        return problem_class(status)(status, problem, _REFUSAL_FIXES[status])
    detail = f"{place} responds with {status}, but not as notifier does"
    fix = "name the daemon by --url or NOTIFIER_URL; a proxy before it must let the request through"
    return problem_class(status)(status, Problem(f"http_{status}", detail=detail), fix)


_REFUSAL_FIXES: Mapping[int, str] = {
    401: "give one of server.tokens with --token or NOTIFIER_TOKEN",
    403: "ask the daemon directly, not through a page or a proxy that adds an Origin",
    421: "name the daemon by localhost or its IP address, or add the host to server.allowed_hosts",
}


def _fix(status: int, headers: Headers) -> str:
    wait = headers.get("Retry-After")
    if wait is not None and wait.isascii() and wait.isdigit():
        return f"try again in {wait} s"
    if status == 404:
        return "`notifier ls`, `notifier deliveries` and `notifier endpoints` list what there is"
    return ""


def is_json(raw: bytes) -> bool:
    """Return whether the bytes are JSON in UTF-8, with numbers of any size."""
    try:
        raw.decode()
        msgspec.json.decode(raw, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _problem(raw: bytes) -> Problem | None:
    try:
        return msgspec.json.decode(raw, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _not_notifier(place: str, detail: str) -> Unreachable:
    cause = f"the program at {place} is not notifier: {detail}"
    return Unreachable(cause, "name the daemon by --url or NOTIFIER_URL")


def _describe_error(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return "no such socket"
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno).lower()  # asyncio puts the address in place of these words
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _connection(address: Address, timeout_s: float) -> HTTPConnection:
    """Return a connection, which its first request opens."""
    if address.socket_path is not None:
        return _UnixConnection(address.socket_path, timeout_s)
    kind = HTTPSConnection if address.is_https else HTTPConnection
    return kind(address.host, address.port, timeout=timeout_s)


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket, with localhost as Host."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)

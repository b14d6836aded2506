"""The client of our own HTTP API, on nothing but the standard library.

It asks one address, trusts no proxy of the environment and follows no redirect. A command's start counts in
CPU time, and it needs one request: so there is no pool, and no HTTP library to import.
"""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from notifier import __version__
from notifier.errors import NotifierError

ANSWER_LIMIT = 64 * 1024 * 1024  # a page of 500 watches with all they may carry stays below it
PATIENCE_S = 30.0
START_IT = "start it with `notifier run`, or `systemctl start notifier`; or name another one with --url"

T = TypeVar("T")


class Unreachable(NotifierError):
    """No daemon of ours answers at this address."""

    code = "unreachable"
    exit_status = 69


class Fault(msgspec.Struct, frozen=True):
    """One field that was refused, and why."""

    pointer: str = ""
    detail: str = ""


class Problem(msgspec.Struct, frozen=True):
    """An error as the API tells it (RFC 9457)."""

    code: str
    title: str = ""
    detail: str = ""
    errors: tuple[Fault, ...] = ()


class ApiProblem(NotifierError):
    """The daemon answered that it cannot do this."""

    code = "problem"
    exit_status = 1

    def __init__(self, status: int, problem: Problem, fix: str = "") -> None:
        super().__init__(problem.detail or problem.title or f"HTTP {status}", fix)
        self.status = status
        self.problem = problem


class Refused(ApiProblem):
    """The daemon does not let this caller in."""

    exit_status = 77


class SocketRefused(NotifierError):
    """The daemon's socket may not be opened by this user."""

    code = "refused"
    exit_status = 77


@dataclass(frozen=True, slots=True)
class Address:
    """Where a daemon listens. ``socket_path`` is set for a Unix socket, and then the rest means nothing."""

    text: str
    host: str = "localhost"
    port: int = 80
    prefix: str = ""
    is_https: bool = False
    socket_path: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it can only be this machine."""
        return self.socket_path is not None or self.host in ("localhost", "127.0.0.1", "::1")


def parse_address(text: str) -> Address:
    """Read ``http://host:port``, ``host:port`` or ``unix:/path``; ValueError says what is wrong."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").replace("///", "/", 1)
        if not path.startswith("/"):
            raise ValueError("a Unix socket is written unix:/absolute/path")
        return Address(f"unix:{path}", socket_path=path)
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a daemon's address is http://host:port or unix:/path")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a daemon's address has no user, query or fragment; a token goes into --token")
    is_https = parts.scheme == "https"
    port = parts.port if parts.port is not None else (443 if is_https else 80)
    shown = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Address(shown, parts.hostname, port, parts.path.rstrip("/"), is_https)


def address_of(listen: str) -> Address:
    """Where to reach a daemon that listens there: at loopback, if it listens everywhere."""
    address = parse_address(listen)
    if address.socket_path is not None:
        return address
    if address.port == 0:
        raise ValueError("server.listen leaves the port to chance; name the daemon with --url")
    if address.host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
        return parse_address(f"127.0.0.1:{address.port}")
    if address.host == "::":
        return parse_address(f"[::1]:{address.port}")
    return address


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer's JSON: ``raw`` as it came, ``read`` for what a command wants of it."""

    raw: bytes
    origin: str

    def read(self, kind: type[T]) -> T:
        """Decode it as ``kind``; an answer of another shape is not our daemon's."""
        try:
            return msgspec.json.decode(self.raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            expected = f"its answer is not what notifier {__version__} expects: {wrong}"
            raise _stranger(self.origin, expected) from None

    def parts(self) -> "dict[str, Answer]":
        """The members of the object it is, in their order."""
        members = self.read(dict[str, msgspec.Raw])
        return {name: Answer(bytes(raw), self.origin) for name, raw in members.items()}


class Api:
    """The daemon at one address."""

    def __init__(self, address: Address, token: str | None = None) -> None:
        self._address = address
        self._headers = {"Accept": "application/json", "User-Agent": f"notifier/{__version__}"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> Answer:
        """One exchange. Parameters that are None are left out. Raises Unreachable or ApiProblem."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = self._address.prefix + path + (f"?{urlencode(given)}" if given else "")
        content = None if body is None else msgspec.json.encode(body)
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        connection = _connection(self._address, timeout_s)
        try:
            connection.request(method, target, content, headers)
            reply = connection.getresponse()
            raw = reply.read(ANSWER_LIMIT + 1)
        except (OSError, HTTPException, UnicodeError) as trouble:
            raise self._translated(trouble, timeout_s) from trouble
        finally:
            connection.close()
        return self._judged(reply, raw)

    def _translated(self, trouble: Exception, timeout_s: float) -> NotifierError:
        where = self._address.text
        if isinstance(trouble, PermissionError):
            fix = "run as the daemon's user, or as a member of the socket's group"
            return SocketRefused(f"{where} may not be opened by this user", fix)
        if isinstance(trouble, TimeoutError):
            cause = f"the daemon at {where} did not answer within {timeout_s:.0f} s"
            return Unreachable(cause, "look at its log")
        if isinstance(trouble, HTTPException):
            return _stranger(where, f"no whole HTTP answer came ({type(trouble).__name__})")
        return Unreachable(f"no daemon answers at {where} ({_in_words(trouble)})", START_IT)

    def _judged(self, reply: HTTPResponse, raw: bytes) -> Answer:
        where = self._address.text
        kind = reply.headers.get_content_type()
        if len(raw) > ANSWER_LIMIT:
            raise _stranger(where, "its answer has no end")
        if reply.status < 300 and kind == "application/json" and is_json(raw):
            return Answer(raw, where)
        problem = _problem(raw) if kind in ("application/problem+json", "application/json") else None
        if reply.status in (401, 403, 421):
            problem = problem or Problem(f"http_{reply.status}", detail=f"{where} answers {reply.status}")
            raise Refused(reply.status, problem, _REFUSAL_FIXES[reply.status])
        if problem is None or reply.status < 400:
            raise _stranger(where, f"it answers {reply.status} with no sound JSON but {kind}")
        raise ApiProblem(reply.status, problem, _fix(reply))


_REFUSAL_FIXES: Mapping[int, str] = {
    401: "give one of server.tokens with --token or NOTIFIER_TOKEN",
    403: "ask the daemon directly, not through a page or a proxy that adds an Origin",
    421: "name the daemon by localhost or its IP address, or add the host to server.allowed_hosts",
}


def _fix(reply: HTTPResponse) -> str:
    wait = reply.headers.get("Retry-After")
    if wait is not None and wait.isascii() and wait.isdigit():
        return f"try again in {wait} s"
    if reply.status == 404:
        return "`notifier ls` and `notifier deliveries` list what there is"
    return ""


def is_json(raw: bytes) -> bool:
    """Whether it is JSON in UTF-8; the numbers in it may be of any size."""
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


def _stranger(where: str, detail: str) -> Unreachable:
    return Unreachable(f"what answers at {where} is not notifier: {detail}", "name the daemon with --url")


def _in_words(trouble: Exception) -> str:
    if isinstance(trouble, OSError) and trouble.errno == errno.ENOENT:
        return "no such socket"
    if isinstance(trouble, OSError) and trouble.strerror:
        return trouble.strerror.lower()
    return str(trouble) or type(trouble).__name__


def _connection(address: Address, timeout_s: float) -> HTTPConnection:
    if address.socket_path is not None:
        return _UnixConnection(address.socket_path, timeout_s)
    kind = HTTPSConnection if address.is_https else HTTPConnection
    return kind(address.host, address.port, timeout=timeout_s)


class _UnixConnection(HTTPConnection):
    """HTTP through a Unix socket; the Host it names is localhost."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)

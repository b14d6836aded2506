"""Check callback URLs and base URLs. ``task_urls.py`` has the URLs of tasks.

Every exception of a library becomes an InvalidUrl with a message. Addresses are checked when connecting
(``formats/addresses.py``).
"""

import functools
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

MAX_URL_CHARS = 2_048  # CONTRACT P5: bounded; no record of why; changing it needs a measurement

SOCKET_PREFIX = "unix:"
MAX_SOCKET_PATH_BYTES = 107  # unix(7): sun_path has 108 bytes with its final NUL

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SOCKET_URL = re.compile(r"unix:((?:/[A-Za-z0-9._@+-]+)+)(?::(/[^?]*)?)?(?:\?(.*))?", re.ASCII)
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f\\]")
_NETLOC = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*))(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE = _PATH_SAFE + "?[]{}|^`"  # as browsers leave it: WHATWG URL, the query percent-encode set


class InvalidUrl(ValueError):
    """A URL, api_path or task id that is refused. The message says why."""


@dataclass(frozen=True, slots=True)
class UrlParts:
    """A URL in canonical parts. ``query`` has no question mark."""

    origin: str
    path: str
    query: str

    @property
    def text(self) -> str:
        """The whole URL."""
        return self.origin + self.path + (f"?{self.query}" if self.query else "")


@functools.lru_cache(maxsize=256)  # many watches have the same few callback URLs
def check_callback_url(text: str) -> str:
    """Return the canonical form of the URL of a receiver. Raise InvalidUrl.

    It is an http or https URL, or ``unix:/socket:/path`` for HTTP over a Unix socket.
    """
    parts = _parse_socket_url(text) if text.startswith(SOCKET_PREFIX) else parse_url(text)
    return _check_length(parts.text)


@functools.lru_cache(maxsize=256)
def check_http_url(text: str) -> str:
    """Return the canonical form of an http or https URL. Raise InvalidUrl.

    Scheme and host are in lower case, the host in ASCII, without a default port, with at least ``/`` as path.
    A fragment is refused, because it would never be sent. A dot at the end of a name stays, because a name
    without it may be looked up in the search domains of the system.
    """
    return _check_length(parse_url(text).text)


def check_base_url(text: str) -> str:
    """Return the canonical form of a base URL, without a slash at its end. Raise InvalidUrl."""
    parts = parse_url(text)
    if parts.query:
        raise InvalidUrl("a base URL has no query")
    return _check_length(parts.origin + parts.path.rstrip("/"))


def url_to_origin(url: str) -> str:
    """Return scheme, host and port of a canonical URL: ``http://127.0.0.1:9001``, ``unix:/run/app.sock``."""
    if url.startswith(SOCKET_PREFIX):
        return SOCKET_PREFIX + url.removeprefix(SOCKET_PREFIX).partition(":")[0]
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].partition('/')[0]}"


def url_to_endpoint(url: str) -> str:
    """Return a canonical URL without its query."""
    return url.partition("?")[0]


def split_socket_url(url: str) -> tuple[str, str] | None:
    """Return the path of the socket and the target of a request to it; None for another canonical URL."""
    if not url.startswith(SOCKET_PREFIX):
        return None
    socket_path, _, target = url.removeprefix(SOCKET_PREFIX).partition(":")
    return socket_path, target


def _check_length(url: str) -> str:
    if len(url) > MAX_URL_CHARS:
        raise InvalidUrl(f"a URL has at most {MAX_URL_CHARS} characters")
    return url


def _parse_socket_url(text: str) -> UrlParts:
    _check_text(text)
    match = _SOCKET_URL.fullmatch(text)
    if match is None:
        raise InvalidUrl(
            "a URL of a Unix socket is unix:/run/app.sock:/hook, its path of A-Z a-z 0-9 . _ @ + -"
        )
    socket_path, path, query = match.groups("")
    if has_dot_segment(socket_path):
        raise InvalidUrl("the path of a Unix socket has no segment . or ..")
    if len(socket_path) > MAX_SOCKET_PATH_BYTES:
        raise InvalidUrl(f"the path of a Unix socket has at most {MAX_SOCKET_PATH_BYTES} bytes")
    return UrlParts(f"{SOCKET_PREFIX}{socket_path}:", _check_path(path), _escape(query, _QUERY_SAFE))


def _check_text(text: str) -> None:
    _check_length(text)
    if _UNSENDABLE.search(text):
        raise InvalidUrl("a URL has no spaces, control characters or backslashes")
    if "#" in text:
        raise InvalidUrl("a URL here has no fragment (#…): it would not be sent")


def parse_url(text: str) -> UrlParts:
    """Return an http or https URL in its canonical parts. Raise InvalidUrl."""
    _check_text(text)
    try:
        split = urlsplit(text)
        return _canonicalize(split)
    except InvalidUrl:
        raise
    except Exception:  # of urllib, ipaddress or idna, for any invalid URL
        raise InvalidUrl("not a URL that can be read") from None


def _canonicalize(split: SplitResult) -> UrlParts:
    if split.scheme not in _DEFAULT_PORTS:
        raise InvalidUrl("a URL here starts with http:// or https://")
    if "@" in split.netloc:
        raise InvalidUrl("a URL here has no user or password before the host")
    match = _NETLOC.fullmatch(split.netloc)
    if match is None:
        raise InvalidUrl("no valid host and port stand after ://")
    bracketed, plain, port = match.groups()
    host = _check_host(plain) if bracketed is None else f"[{_check_ipv6(bracketed)}]"
    origin = f"{split.scheme}://{host}{_format_port(port, _DEFAULT_PORTS[split.scheme])}"
    return UrlParts(origin, _check_path(split.path), _escape(split.query, _QUERY_SAFE))


def _format_port(digits: str | None, default: int) -> str:
    if digits is None or int(digits) == default:
        return ""
    if not 1 <= int(digits) <= 65_535:
        raise InvalidUrl("a port is 1 to 65535")
    return f":{int(digits)}"


def _check_ipv6(text: str) -> str:
    if "%" in text:
        raise InvalidUrl("an IPv6 address here has no zone (%…)")
    address = IPv6Address(text)
    mapped = address.ipv4_mapped  # versions of Python format these differently
    return f"::ffff:{mapped}" if mapped else address.compressed


def _check_host(text: str) -> str:
    written = text.lower() if text.isascii() else _name_to_ascii(text)
    host = written.removesuffix(".")
    if not host:
        raise InvalidUrl("a URL needs a host")
    labels = host.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _check_ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidUrl("the host is no valid name")
    for label in labels:
        if label.startswith("xn--") and _name_to_ascii(label[4:].encode().decode("punycode")) != label:
            raise InvalidUrl("the host is no valid name")
    return written


def _name_to_ascii(text: str) -> str:
    """Convert as browsers do (UTS 46). IDNA 2008, and so the library, knows no emoji."""
    return ".".join(map(_label_to_ascii, idna.uts46_remap(text, std3_rules=False).split(".")))


def _label_to_ascii(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.InvalidCodepoint:
        return f"xn--{label.encode('punycode').decode('ascii')}"


def _check_ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise InvalidUrl("write an IPv4 address as four decimal numbers: 127.0.0.1") from None


def _check_path(path: str) -> str:
    if has_dot_segment(path):
        raise InvalidUrl("a URL here has no segment . or .. in its path")
    return _escape(path, _PATH_SAFE) or "/"


def has_dot_segment(path: str) -> bool:
    """Return whether a path has a segment ``.`` or ``..``, however it is written."""
    segments = re.sub("%2e", ".", path, flags=re.IGNORECASE).split("/")
    return "." in segments or ".." in segments


def _escape(text: str, safe: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise InvalidUrl("a % in a URL is followed by two hex digits; write %25 for the sign itself")
    return quote(text, safe=safe)

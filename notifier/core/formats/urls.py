"""Check callback URLs, and build and split the URL of a task.

Every exception of a library becomes an InvalidUrl with a message. Addresses are checked when connecting
(``formats/addresses.py``).
"""

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

MAX_URL_CHARS = 2_048  # CONTRACT P5: bounded; no record of why; changing it needs a measurement
MAX_API_PATH_CHARS = 512  # CONTRACT P5: bounded; no record of why; changing it needs a measurement

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_API_PATH = re.compile(r"(?:/[A-Za-z0-9._~:@!$&'()*+,=-]+)+")
_PLACES = re.compile(r"\{(api_path|task_id)\}")
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
class _Parts:
    """A URL in canonical parts. ``query`` has no question mark."""

    origin: str
    path: str
    query: str


@functools.lru_cache(maxsize=256)  # many watches have the same few callback URLs
def check_callback_url(text: str) -> str:
    """Return the canonical form of an http or https URL. Raise InvalidUrl.

    Scheme and host are in lower case, the host in ASCII, without a default port, with at least ``/`` as path.
    A fragment is refused, because it would never be sent. A dot at the end of a name stays, because a name
    without it may be looked up in the search domains of the system.
    """
    parts = _parse_url(text)
    return _check_length(parts.origin + parts.path + (f"?{parts.query}" if parts.query else ""))


def check_base_url(text: str) -> str:
    """Return the canonical form of a base URL, without a slash at its end. Raise InvalidUrl."""
    parts = _parse_url(text)
    if parts.query:
        raise InvalidUrl("a base URL has no query")
    return _check_length(parts.origin + parts.path.rstrip("/"))


def url_to_origin(url: str) -> str:
    """Return scheme, host and port of a canonical URL: ``http://127.0.0.1:9001``."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].partition('/')[0]}"


def url_to_endpoint(url: str) -> str:
    """Return a canonical URL without its query."""
    return url.partition("?")[0]


def check_task_id(text: str) -> str:
    """Return a task id unchanged. Raise InvalidUrl."""
    if not _TASK_ID.fullmatch(text):
        raise InvalidUrl("a task id is 1 to 200 of A-Z a-z 0-9 . _ : - and starts with a letter or digit")
    return text


@functools.lru_cache(maxsize=256)
def check_api_path(text: str) -> str:
    """Return an api_path unchanged. Raise InvalidUrl."""
    if len(text) > MAX_API_PATH_CHARS:
        raise InvalidUrl(f"an api_path has at most {MAX_API_PATH_CHARS} characters")
    if not _API_PATH.fullmatch(text):
        raise InvalidUrl("an api_path is /segments/of letters, digits and . _ ~ : @ ! $ & ' ( ) * + , = -")
    if _has_dot_segment(text):
        raise InvalidUrl("an api_path has no segment . or ..")
    return text


def build_task_url(base_url: str, task_path: str, api_path: str, task_id: str) -> str:
    """Build the URL of a task. ``task_path`` is of the provider description. Raise InvalidUrl."""
    values = {"api_path": check_api_path(api_path), "task_id": check_task_id(task_id)}
    path = _PLACES.sub(lambda place: values[place[1]], task_path)
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


@dataclass(frozen=True, slots=True)
class TaskUrlTemplate:
    """The URLs of the tasks of a provider: its base URL, and the ``task_path`` of its description."""

    base_url: str
    task_path: str


def split_task_url(text: str, places: Mapping[str, TaskUrlTemplate]) -> tuple[str, str, str]:
    """Split the URL of a task into provider name, api_path and task id. Raise InvalidUrl.

    ``places`` maps names of providers to their URLs. The longest base URL that the URL starts with, up to a
    slash, decides. If the ``task_path`` has no api_path, the api_path is the part before the task id.
    """
    parts = _parse_url(text)
    url = parts.origin + parts.path + (f"?{parts.query}" if parts.query else "")
    name, base_url = _find_provider(url, {name: place.base_url for name, place in places.items()})
    task_path = places[name].task_path
    match = _compile_pattern(task_path).fullmatch(url.removeprefix(base_url))
    if match is None:
        raise InvalidUrl(f"a task_url of {name} is like {base_url}{_add_slash(task_path)}")
    api_path = match.groupdict().get("api_path") or match.string[: match.start("task_id")].rstrip("/")
    task_id = match["task_id"]
    if build_task_url(base_url, task_path, api_path, task_id) != url:
        raise InvalidUrl(
            f"a task_url of {name} is like {base_url}{_add_slash(task_path)}, with one id throughout"
        )
    return name, api_path, task_id


@functools.lru_cache(maxsize=64)
def _compile_pattern(task_path: str) -> re.Pattern[str]:
    """Compile a pattern that finds the first api_path and task id that ``build_task_url`` inserts."""
    kinds = {"api_path": "/.+", "task_id": "[^/?&]+"}
    pieces: list[str] = []
    for literal, name in itertools.zip_longest(*[iter(_PLACES.split(_add_slash(task_path)))] * 2):
        pieces.append(re.escape(literal))
        if name is not None:
            is_first = f"<{name}>" not in "".join(pieces)
            pieces.append(f"(?P<{name}>{kinds[name]})" if is_first else kinds[name])
    return re.compile("".join(pieces))


def _add_slash(task_path: str) -> str:
    return task_path if task_path.startswith("{api_path}") else f"/{task_path.lstrip('/')}"


def _find_provider(url: str, base_urls: Mapping[str, str]) -> tuple[str, str]:
    bases = {name: check_base_url(base_url) for name, base_url in base_urls.items()}
    fitting = {name: base for name, base in bases.items() if url.startswith(f"{base}/")}
    longest = max(map(len, fitting.values()), default=0)
    names = [name for name, base in fitting.items() if len(base) == longest]
    if not names:
        raise InvalidUrl("no provider's base_url fits this task_url")
    if len(names) > 1:
        raise InvalidUrl(
            f"the base_url of {' and '.join(sorted(names))} fits this task_url; name the provider instead"
        )
    return names[0], url[:longest]


def _check_length(url: str) -> str:
    if len(url) > MAX_URL_CHARS:
        raise InvalidUrl(f"a URL has at most {MAX_URL_CHARS} characters")
    return url


def _parse_url(text: str) -> _Parts:
    _check_length(text)
    if _UNSENDABLE.search(text):
        raise InvalidUrl("a URL has no spaces, control characters or backslashes")
    if "#" in text:
        raise InvalidUrl("a URL here has no fragment (#…): it would not be sent")
    try:
        split = urlsplit(text)
        return _canonicalize(split)
    except InvalidUrl:
        raise
    except Exception:  # of urllib, ipaddress or idna, for any invalid URL
        raise InvalidUrl("not a URL that can be read") from None


def _canonicalize(split: SplitResult) -> _Parts:
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
    return _Parts(origin, _check_path(split.path), _escape(split.query, _QUERY_SAFE))


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
    if _has_dot_segment(path):
        raise InvalidUrl("a URL here has no segment . or .. in its path")
    return _escape(path, _PATH_SAFE) or "/"


def _has_dot_segment(path: str) -> bool:
    segments = re.sub("%2e", ".", path, flags=re.IGNORECASE).split("/")
    return "." in segments or ".." in segments


def _escape(text: str, safe: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise InvalidUrl("a % in a URL is followed by two hex digits; write %25 for the sign itself")
    return quote(text, safe=safe)

"""URLs: what a callback URL may look like, and how a task's URL is made and taken apart.

Whatever a library raises on the way is a BadUrl with words. Which addresses may be connected to is
another question, asked at the connect (``core/addresses.py``).
"""

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

MAX_URL_CHARS = 2_048
MAX_API_PATH_CHARS = 512

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
    """A URL, api_path or task id that is not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A URL in canonical parts. ``query`` stands without its question mark."""

    origin: str
    path: str
    query: str


@functools.lru_cache(maxsize=256)  # watches come by the thousand, and most have the same few receivers
def check_callback_url(text: str) -> str:
    """Return the canonical form of an http or https URL that one can send to; raises BadUrl.

    Scheme and host in lower case, the host in ASCII, no default port, at least ``/`` as path. A fragment
    is refused, since it would never be sent. A dot at the end of a name stays, because a name without it may
    be looked up in the search domains of the system.
    """
    parts = _parts_of(text)
    return _bounded(parts.origin + parts.path + (f"?{parts.query}" if parts.query else ""))


def check_base_url(text: str) -> str:
    """Return the canonical form of a provider's base URL, without slash at its end; raises BadUrl."""
    parts = _parts_of(text)
    if parts.query:
        raise InvalidUrl("a base URL has no query")
    return _bounded(parts.origin + parts.path.rstrip("/"))


def origin_of(url: str) -> str:
    """Scheme, host and port of a canonical URL: ``http://127.0.0.1:9001``."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].partition('/')[0]}"


def endpoint_of(url: str) -> str:
    """A canonical URL without its query."""
    return url.partition("?")[0]


def check_task_id(text: str) -> str:
    """Return a provider's task id as it is; raises BadUrl."""
    if not _TASK_ID.fullmatch(text):
        raise InvalidUrl("a task id is 1 to 200 of A-Z a-z 0-9 . _ : - and starts with a letter or digit")
    return text


@functools.lru_cache(maxsize=256)
def check_api_path(text: str) -> str:
    """Return an api_path as it is; raises BadUrl."""
    if len(text) > MAX_API_PATH_CHARS:
        raise InvalidUrl(f"an api_path has at most {MAX_API_PATH_CHARS} characters")
    if not _API_PATH.fullmatch(text):
        raise InvalidUrl("an api_path is /segments/of letters, digits and . _ ~ : @ ! $ & ' ( ) * + , = -")
    if _has_dot_segment(text):
        raise InvalidUrl("an api_path has no segment . or ..")
    return text


def task_url(base_url: str, task_path: str, api_path: str, task_id: str) -> str:
    """Make the URL that a task is asked for at. ``task_path`` is the dialect's; raises BadUrl."""
    values = {"api_path": check_api_path(api_path), "task_id": check_task_id(task_id)}
    path = _PLACES.sub(lambda place: values[place[1]], task_path)
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


@dataclass(frozen=True, slots=True)
class TaskUrlTemplate:
    """Where a provider's tasks are asked for: its base URL, and the dialect's ``task_path``."""

    base_url: str
    task_path: str


def split_task_url(text: str, places: Mapping[str, TaskUrlTemplate]) -> tuple[str, str, str]:
    """Take a task's URL apart: the provider's name, the api_path, the task id; raises BadUrl.

    ``places`` are the providers' by name. The longest base URL that the URL starts with, up to a slash, wins.
    Where the dialect asks for no api_path, it is what stands before the task id.
    """
    parts = _parts_of(text)
    url = parts.origin + parts.path + (f"?{parts.query}" if parts.query else "")
    name, base_url = _provider_of(url, {name: place.base_url for name, place in places.items()})
    task_path = places[name].task_path
    found = _pattern(task_path).fullmatch(url.removeprefix(base_url))
    if found is None:
        raise InvalidUrl(f"a task_url of {name} is like {base_url}{_rooted(task_path)}")
    api_path = found.groupdict().get("api_path") or found.string[: found.start("task_id")].rstrip("/")
    task_id = found["task_id"]
    if task_url(base_url, task_path, api_path, task_id) != url:
        raise InvalidUrl(
            f"a task_url of {name} is like {base_url}{_rooted(task_path)}, with one id throughout"
        )
    return name, api_path, task_id


@functools.lru_cache(maxsize=64)
def _pattern(task_path: str) -> re.Pattern[str]:
    """What finds in a path the first of each of the places that ``task_url`` fills in."""
    kinds = {"api_path": "/.+", "task_id": "[^/?&]+"}
    pieces: list[str] = []
    for literal, name in itertools.zip_longest(*[iter(_PLACES.split(_rooted(task_path)))] * 2):
        pieces.append(re.escape(literal))
        if name is not None:
            is_first = f"<{name}>" not in "".join(pieces)
            pieces.append(f"(?P<{name}>{kinds[name]})" if is_first else kinds[name])
    return re.compile("".join(pieces))


def _rooted(task_path: str) -> str:
    return task_path if task_path.startswith("{api_path}") else f"/{task_path.lstrip('/')}"


def _provider_of(url: str, base_urls: Mapping[str, str]) -> tuple[str, str]:
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


def _bounded(url: str) -> str:
    if len(url) > MAX_URL_CHARS:
        raise InvalidUrl(f"a URL has at most {MAX_URL_CHARS} characters")
    return url


def _parts_of(text: str) -> _Parts:
    _bounded(text)
    if _UNSENDABLE.search(text):
        raise InvalidUrl("a URL has no spaces, control characters or backslashes")
    if "#" in text:
        raise InvalidUrl("a URL here has no fragment (#…): it would not be sent")
    try:
        split = urlsplit(text)
        return _canonical(split)
    except InvalidUrl:
        raise
    except Exception:  # whatever urllib, ipaddress or idna trip over, it is the URL's fault
        raise InvalidUrl("not a URL that can be read") from None


def _canonical(split: SplitResult) -> _Parts:
    if split.scheme not in _DEFAULT_PORTS:
        raise InvalidUrl("a URL here starts with http:// or https://")
    if "@" in split.netloc:
        raise InvalidUrl("a URL here has no user or password before the host")
    found = _NETLOC.fullmatch(split.netloc)
    if found is None:
        raise InvalidUrl("no valid host and port stand after ://")
    bracketed, plain, port = found.groups()
    host = _host(plain) if bracketed is None else f"[{_ipv6(bracketed)}]"
    origin = f"{split.scheme}://{host}{_port(port, _DEFAULT_PORTS[split.scheme])}"
    return _Parts(origin, _path(split.path), _escaped(split.query, _QUERY_SAFE))


def _port(digits: str | None, default: int) -> str:
    if digits is None or int(digits) == default:
        return ""
    if not 1 <= int(digits) <= 65_535:
        raise InvalidUrl("a port is 1 to 65535")
    return f":{int(digits)}"


def _ipv6(text: str) -> str:
    if "%" in text:
        raise InvalidUrl("an IPv6 address here has no zone (%…)")
    address = IPv6Address(text)
    mapped = address.ipv4_mapped  # Pythons write these differently
    return f"::ffff:{mapped}" if mapped else address.compressed


def _host(text: str) -> str:
    written = text.lower() if text.isascii() else _name_to_ascii(text)
    host = written.removesuffix(".")
    if not host:
        raise InvalidUrl("a URL needs a host")
    labels = host.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _ipv4(host)
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


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise InvalidUrl("write an IPv4 address as four decimal numbers: 127.0.0.1") from None


def _path(path: str) -> str:
    if _has_dot_segment(path):
        raise InvalidUrl("a URL here has no segment . or .. in its path")
    return _escaped(path, _PATH_SAFE) or "/"


def _has_dot_segment(path: str) -> bool:
    segments = re.sub("%2e", ".", path, flags=re.IGNORECASE).split("/")
    return "." in segments or ".." in segments


def _escaped(text: str, safe: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise InvalidUrl("a % in a URL is followed by two hex digits; write %25 for the sign itself")
    return quote(text, safe=safe)

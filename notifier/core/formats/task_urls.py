"""Build the URL of a task from its ids, and split such a URL into them."""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from notifier.core.formats.urls import InvalidUrl, check_base_url, has_dot_segment, parse_url

MAX_API_PATH_CHARS = 512  # CONTRACT P5: bounded; no record of why; changing it needs a measurement
MAX_TASK_ID_CHARS = 200  # CONTRACT, HTTP
MAX_SIGNED_ID_CHARS = 256  # issue 16: ids with further signs, such as the names of Google's operations

_TASK_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:-]{{0,{MAX_TASK_ID_CHARS - 1}}}")
_API_PATH = re.compile(r"(?:/[A-Za-z0-9._~:@!$&'()*+,=-]+)+")
_PLACES = re.compile(r"\{(api_path|task_id)\}")
_API_PATH_PLACE = "{api_path}"


@dataclass(frozen=True, slots=True)
class TaskUrlTemplate:
    """The URLs of the tasks of a provider: its base URL, and what its description says of them.

    ``needs_api_path``: a registration must give one, because a request contains it.
    """

    base_url: str
    task_path: str
    hosts: tuple[str, ...] = ()
    id_signs: str = ""
    needs_api_path: bool = True

    @property
    def example(self) -> str:
        """How such a URL looks, for messages."""
        return f"{self.base_url}{_add_slash(self.task_path)}"


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """A task by the provider, api_path and id in its URL.

    ``origin`` is scheme and host if they are not those of the base URL, else empty. ``api_path`` is empty for
    a provider whose task_path has none.
    """

    provider: str
    api_path: str
    task_id: str
    origin: str = ""


def check_task_id(text: str, id_signs: str = "") -> str:
    """Return a task id unchanged. ``id_signs`` are further signs that it may hold. Raise InvalidUrl."""
    if _TASK_ID.fullmatch(text):
        return text
    if not id_signs:
        raise InvalidUrl("a task id is 1 to 200 of A-Z a-z 0-9 . _ : - and starts with a letter or digit")
    if not _compile_signed_id(id_signs).fullmatch(text):
        signs = " ".join(dict.fromkeys(f"._:-{id_signs}"))
        raise InvalidUrl(f"a task id here is 1 to {MAX_SIGNED_ID_CHARS} of A-Z a-z 0-9 {signs}")
    if has_dot_segment(text) or "" in text.split("/"):
        raise InvalidUrl("a task id has no segment . or .., and none that is empty")
    return text


@functools.lru_cache(maxsize=64)
def _compile_signed_id(id_signs: str) -> re.Pattern[str]:
    signs = re.escape(id_signs)
    return re.compile(rf"[A-Za-z0-9{signs}][A-Za-z0-9._:{signs}-]{{0,{MAX_SIGNED_ID_CHARS - 1}}}")


@functools.lru_cache(maxsize=256)
def check_api_path(text: str) -> str:
    """Return an api_path unchanged. Raise InvalidUrl."""
    if len(text) > MAX_API_PATH_CHARS:
        raise InvalidUrl(f"an api_path has at most {MAX_API_PATH_CHARS} characters")
    if not _API_PATH.fullmatch(text):
        raise InvalidUrl("an api_path is /segments/of letters, digits and . _ ~ : @ ! $ & ' ( ) * + , = -")
    if has_dot_segment(text):
        raise InvalidUrl("an api_path has no segment . or ..")
    return text


def build_task_url(base_url: str, task_path: str, api_path: str, task_id: str, id_signs: str = "") -> str:
    """Build the URL of a task. ``task_path`` is of the provider description. Raise InvalidUrl.

    No sign of an id needs an escape: those that do cannot be among ``id_signs``.
    """
    path = task_path
    if _API_PATH_PLACE in path:  # neither holds a brace, so no placeholder is filled twice
        path = path.replace(_API_PATH_PLACE, check_api_path(api_path))
    path = path.replace("{task_id}", check_task_id(task_id, id_signs))
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


def is_own_host(host: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a host is one of a provider's further hosts, such as ``*.bfl.ai``."""
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern for pattern in patterns
    )


def find_task_base(template: TaskUrlTemplate, origin: str) -> str:
    """Return the base URL of a task: on ``origin`` if that is a host of the provider now, else its own."""
    scheme, _, host = origin.partition("://")
    if scheme != "https" or not is_own_host(host, template.hosts):
        return template.base_url
    return origin + parse_url(template.base_url).path.rstrip("/")


def split_task_url(text: str, templates: Mapping[str, TaskUrlTemplate]) -> TaskPlace:
    """Split the URL of a task into its provider and ids. Raise InvalidUrl.

    ``templates`` maps names of providers to their URLs. The longest base URL that the URL starts with, up to
    a slash, decides; among several the one whose task_path fits.
    """
    url = parse_url(text).text
    bases = dict(_find_bases(url, templates))
    if not bases:
        raise InvalidUrl("no provider's base_url fits this task_url")
    longest = max(map(len, bases.values()))
    names = [name for name, base in bases.items() if len(base) == longest]
    fitting = [name for name in names if _match_path(url, bases[name], templates[name])] or names
    if len(fitting) > 1:
        raise InvalidUrl(
            f"the base_url of {' and '.join(sorted(fitting))} fits this task_url; name the provider beside it"
        )
    return _split(url, fitting[0], bases[fitting[0]], templates[fitting[0]])


def _split(url: str, name: str, base: str, template: TaskUrlTemplate) -> TaskPlace:
    match = _match_path(url, base, template)
    if match is None:
        raise InvalidUrl(f"a task_url of {name} is like {template.example}")
    ids = match.groupdict()
    if "task_id" not in ids:
        raise InvalidUrl(f"a URL of {name} does not name the task; give task_id instead")
    api_path, task_id = ids.get("api_path", ""), ids["task_id"]
    if build_task_url(base, template.task_path, api_path, task_id, template.id_signs) != url:
        raise InvalidUrl(f"a task_url of {name} is like {template.example}, with one id throughout")
    is_own_base = base == check_base_url(template.base_url)
    return TaskPlace(name, api_path, task_id, "" if is_own_base else parse_url(url).origin)


def _find_bases(url: str, templates: Mapping[str, TaskUrlTemplate]) -> Iterator[tuple[str, str]]:
    """Yield each provider that a URL may be of, with the base URL by which it is."""
    for name, template in templates.items():
        own = check_base_url(template.base_url)
        origin = parse_url(url).origin
        for base in dict.fromkeys([own, find_task_base(template, origin)]):
            if url.startswith(f"{base}/"):
                yield name, base


def _match_path(url: str, base: str, template: TaskUrlTemplate) -> re.Match[str] | None:
    return _compile_pattern(template.task_path, template.id_signs).fullmatch(url.removeprefix(base))


@functools.lru_cache(maxsize=64)
def _compile_pattern(task_path: str, id_signs: str) -> re.Pattern[str]:
    """Compile a pattern that finds the first api_path and task id that ``build_task_url`` inserts."""
    kinds = {"api_path": "/.+", "task_id": "[^?&]+" if "/" in id_signs else "[^/?&]+"}
    pieces: list[str] = []
    for literal, name in itertools.zip_longest(*[iter(_PLACES.split(_add_slash(task_path)))] * 2):
        pieces.append(re.escape(literal))
        if name is not None:
            is_first = f"<{name}>" not in "".join(pieces)
            pieces.append(f"(?P<{name}>{kinds[name]})" if is_first else kinds[name])
    return re.compile("".join(pieces))


def _add_slash(task_path: str) -> str:
    return task_path if task_path.startswith(_API_PATH_PLACE) else f"/{task_path.lstrip('/')}"

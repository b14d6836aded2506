"""Find the settings of one endpoint by its URL.

Standard Webhooks: keys should be unique per endpoint. With a secret for all, each receiver can forge
callbacks to the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.core.formats.urls import InvalidUrl, check_callback_url, url_to_endpoint, url_to_origin
from notifier.core.secret import Secret

_WILDCARD = "*"


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """The settings of the endpoints that a pattern matches. Without ``secrets`` those of all sign.

    ``headers`` go with each callback. Headers of the registration win over those of the same name.
    """

    secrets: tuple[Secret, ...] = ()
    headers: Mapping[str, str | Secret] = field(default_factory=dict)

    @property
    def all_secrets(self) -> tuple[Secret, ...]:
        """Return the signing secrets and those in headers, so that the log can hide them."""
        return (*self.secrets, *(value for value in self.headers.values() if isinstance(value, Secret)))


def check_endpoint_pattern(text: str) -> str:
    """Return the canonical form of a pattern: a URL without a query, or a prefix that ends in ``/*``.

    Raise InvalidUrl.
    """
    has_wildcard = text.endswith(f"/{_WILDCARD}")
    url = check_callback_url(text.removesuffix(_WILDCARD) if has_wildcard else text)
    if "?" in url:
        raise InvalidUrl("an endpoint has no query: its settings apply whatever the query is")
    if _WILDCARD in url:
        raise InvalidUrl("a * may stand only at the end, after a slash: http://host/path/*")
    return url + _WILDCARD if has_wildcard else url


def find_endpoint_settings(
    table: Mapping[str, EndpointSettings], url: str
) -> tuple[str, EndpointSettings] | None:
    """Return the pattern that matches a canonical URL best, with its settings; None without one.

    The exact URL wins, then the longest prefix.
    """
    endpoint = url_to_endpoint(url)
    if endpoint in table:
        return endpoint, table[endpoint]
    shortest = len(url_to_origin(url)) + 1
    while table and len(endpoint) >= shortest:
        endpoint = endpoint[: endpoint.rindex("/") + 1]
        if (pattern := endpoint + _WILDCARD) in table:
            return pattern, table[pattern]
        endpoint = endpoint[:-1]
    return None

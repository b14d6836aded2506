"""The settings of an endpoint are those of its exact URL, else of the longest prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.delivery.endpoint_settings import (
    EndpointSettings,
    check_endpoint_pattern,
    find_endpoint_settings,
)
from notifier.core.formats.urls import InvalidUrl

TABLE = {
    pattern: EndpointSettings()
    for pattern in (
        "http://h.example/*",
        "http://h.example/a/*",
        "http://h.example/a/b",
        "https://t.example/x",
        "unix:/run/app.sock:/*",
        "unix:/run/app.sock:/a",
    )
}


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://h.example/a/b", "http://h.example/a/b"),
        ("http://h.example/a/b?user=7", "http://h.example/a/b"),
        ("http://h.example/a/b/c", "http://h.example/a/*"),
        ("http://h.example/a/bb", "http://h.example/a/*"),
        ("http://h.example/a/", "http://h.example/a/*"),
        ("http://h.example/a", "http://h.example/*"),
        ("http://h.example/", "http://h.example/*"),
        ("http://h.example/?a/b", "http://h.example/*"),
        ("http://h.example.evil/a/b", None),
        ("http://h.example:81/a/b", None),
        ("https://h.example/a/b", None),
        ("https://t.example/x/y", None),
        ("https://t.example/x", "https://t.example/x"),
        ("unix:/run/app.sock:/a?b", "unix:/run/app.sock:/a"),
        ("unix:/run/app.sock:/a/b", "unix:/run/app.sock:/*"),
        ("unix:/run/app.sock:/", "unix:/run/app.sock:/*"),
        ("unix:/run/app.sock2:/a", None),
    ],
)
def test_the_exact_url_wins_then_the_longest_prefix(url: str, pattern: str | None) -> None:
    """The query does not count, and a prefix ends at a slash."""
    match = find_endpoint_settings(TABLE, url)
    assert (match and match[0]) == pattern


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTP://H.example:80/a", "http://h.example/a"),
        ("http://h.example", "http://h.example/"),
        ("http://H.example/*", "http://h.example/*"),
        ("unix:/run/app.sock", "unix:/run/app.sock:/"),
        ("unix:/run/app.sock:/*", "unix:/run/app.sock:/*"),
        ("http://h.example/ä/*", "http://h.example/%C3%A4/*"),
    ],
)
def test_a_pattern_has_one_form(text: str, canonical: str) -> None:
    """It is the form in which callback URLs are stored."""
    assert check_endpoint_pattern(text) == canonical
    assert check_endpoint_pattern(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "hook",
        "http://h.example*",
        "http://h.example/a*",
        "http://h.example/*/a/*",
        "http://h/?a=1",
        "unix:/run/*",
    ],
)
def test_a_pattern_that_could_never_match_is_refused(text: str) -> None:
    """A star elsewhere or a query would make a table without effect."""
    with pytest.raises(InvalidUrl):
        check_endpoint_pattern(text)


_SEGMENTS = st.lists(st.sampled_from(["a", "b", "bb", "c-d"]), max_size=5)


@given(_SEGMENTS, st.lists(_SEGMENTS, max_size=4))
def test_the_search_agrees_with_a_comparison_of_all_patterns(
    segments: list[str], prefixes: list[list[str]]
) -> None:
    """The walk up the path finds what a comparison with each pattern would."""
    url = "/".join(["http://h.example", *segments]) + ("" if segments else "/")
    patterns = {"/".join(["http://h.example", *prefix, "*"]) for prefix in prefixes}
    fitting = [pattern for pattern in patterns if url.startswith(pattern[:-1])]
    match = find_endpoint_settings(dict.fromkeys(patterns, EndpointSettings()), url)
    assert (match and match[0]) == max(fitting, key=len, default=None)

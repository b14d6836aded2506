"""The URL of a receiver on a Unix socket: ``unix:/socket:/path``."""

import pytest

from notifier.core.formats.urls import (
    InvalidUrl,
    check_base_url,
    check_callback_url,
    check_http_url,
    split_socket_url,
    url_to_endpoint,
    url_to_origin,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("unix:/run/app.sock:/hook", "unix:/run/app.sock:/hook"),
        ("unix:/run/app.sock", "unix:/run/app.sock:/"), ("unix:/run/app.sock:", "unix:/run/app.sock:/"),
        ("unix:/run/app.sock:/a:b/?q=[1]&u=http://h", "unix:/run/app.sock:/a:b/?q=[1]&u=http://h"),
        ("unix:/run/app.sock?a=1", "unix:/run/app.sock:/?a=1"),
        ("unix:/run/A_b-c@1+2/app", "unix:/run/A_b-c@1+2/app:/"),
        ("unix:/run/app.sock:/ü", "unix:/run/app.sock:/%C3%BC"),
    ],
)  # fmt: skip
def test_a_unix_socket_is_a_callback_url(text: str, canonical: str) -> None:
    """The path of the socket, a colon, then the path of the request."""
    assert check_callback_url(text) == canonical
    assert check_callback_url(canonical) == canonical
    assert url_to_endpoint(canonical) == canonical.partition("?")[0]
    split = split_socket_url(canonical)
    assert split is not None
    assert f"unix:{split[0]}:{split[1]}" == canonical
    assert url_to_origin(canonical) == f"unix:{split[0]}"


@pytest.mark.fault(92)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("unix:run/app.sock", "Unix socket"), ("unix:", "Unix socket"), ("unix:/", "Unix socket"),
        ("unix:/run/", "Unix socket"), ("unix://run/app.sock", "Unix socket"),
        ("unix:/run/a:b", "Unix socket"), ("unix:/run/%61", "Unix socket"), ("unix:@abstract", "Unix socket"),
        ("unix:/run/ü.sock", "Unix socket"), ("UNIX:/run/app.sock", "http://"),
        ("unix:/run/../etc/a", "segment"), ("unix:/run/./a", "segment"),
        ("unix:/run/app.sock:/../a", "segment"),
        ("unix:/run/app.sock:/%2e%2E/a", "segment"), ("unix:/run/app.sock:/a b", "spaces"),
        ("unix:/run/app.sock:/a\r\nX: y", "spaces"), ("unix:/run/app.sock:/#f", "fragment"),
        ("unix:/run/app.sock:/%zz", "hex"), ("unix:/" + "a" * 107, "107 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_unix_socket_is_refused_with_the_reason(text: str, why: str) -> None:
    """The path of the socket is absolute, plain ASCII and needs no decoding."""
    with pytest.raises(InvalidUrl, match=why):
        check_callback_url(text)


def test_no_socket_is_an_http_url() -> None:
    """Neither an output nor the URL of a provider may name a socket."""
    for check in (check_http_url, check_base_url):
        with pytest.raises(InvalidUrl, match="http://"):
            check("unix:/run/a.sock")
    assert split_socket_url("http://h/hook") is None

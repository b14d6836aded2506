import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.headers import InvalidHeader, check_callback_headers, is_reserved
from tests.core.texts import any_text


def test_headers_come_back_as_they_are_and_in_their_order() -> None:
    headers = {
        "X-Order": "42",
        "authorization": "Bearer abc.d-e",
        "A!#$%&'*+.^_`|~": "",
        "Cookie": 'a="b c"; d',
    }
    assert check_callback_headers(headers) == tuple(headers.items())
    assert check_callback_headers({}) == ()


@pytest.mark.threat(10)
@pytest.mark.parametrize(
    "name",
    [
        "Host", "host", "HOST", "Content-Type", "content-length", "Content-Encoding", "Transfer-Encoding",
        "transfer-x", "Connection", "webhook-id", "Webhook-Signature", "webhook-", "notifier-attempt",
        "Notifier-X", "User-Agent", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Proxy-Connection",
        "Proxy-Authorization", "Accept-Encoding",
    ],
)  # fmt: skip
def test_headers_that_are_ours_or_the_connections_are_refused(name: str) -> None:
    """In any case of letters."""
    with pytest.raises(InvalidHeader, match="not for users") as refused:
        check_callback_headers({"X-A": "1", name: "1"})
    assert refused.value.name == name


@pytest.mark.parametrize(
    "name", ["X-Host", "Hosts", "My-Content-Type", "Webhooks", "Notifier", "Tea", "Accept", "Date"]
)
def test_names_that_only_look_alike_are_taken(name: str) -> None:
    assert check_callback_headers({name: "1"}) == ((name, "1"),)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "X A",
        "X:A",
        "X\n",
        "\nX",
        "X\r\nY",
        "X\0",
        "é",
        "X(1)",
        "X/1",
        "X=1",
        'X"',
        "{X}",
        "X,Y",
        "ｘ",
        "a" * 101,
    ],
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(InvalidHeader, match="name is 1 to 100"):
        check_callback_headers({name: "1"})


@pytest.mark.fault(93)
@pytest.mark.threat(10)
@pytest.mark.parametrize(
    "value",
    [
        "a\r\nX: y", "a\nb", "a\rb", "a\n", "\n", "a\0b", "a\tb", "\x1b", "\x7f", "é", "\u2028", "a\u2028b",
        "\x85", "\ud800", " a", "a ", " ", "😀",
    ],
)  # fmt: skip
def test_a_value_that_is_not_visible_ascii_is_refused(value: str) -> None:
    """CR, LF, NUL and letters beyond it alike."""
    with pytest.raises(InvalidHeader, match="visible ASCII"):
        check_callback_headers({"X-A": value})


def test_bounds_are_16_headers_of_1024_characters() -> None:
    full = {f"X-{number}": "v" * 1_024 for number in range(16)}
    assert len(check_callback_headers(full)) == 16
    with pytest.raises(InvalidHeader, match="at most 1024"):
        check_callback_headers({"X-A": "v" * 8_192})
    with pytest.raises(InvalidHeader, match="at most 16") as refused:
        check_callback_headers(full | {"X-A": "1"})
    assert refused.value.name is None


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidHeader, match="twice"):
        check_callback_headers({"X-A": "1", "x-a": "2"})


@pytest.mark.threat(10)
@given(st.dictionaries(any_text, any_text))
def test_what_passes_can_be_written_on_one_line_each(headers: dict[str, str]) -> None:
    """Nothing in it can begin another header."""
    try:
        passed = check_callback_headers(headers)
    except InvalidHeader:
        return
    for name, value in passed:
        assert f"{name}: {value}".isascii()
        assert f"{name}: {value}".isprintable()
        assert not is_reserved(name)

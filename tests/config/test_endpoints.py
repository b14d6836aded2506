"""An endpoint can have secrets of its own."""

import pytest

from notifier.core.secret import Secret
from tests.config.conftest import Read, Refuse

A, B = "whsec_" + "A" * 44, "whsec_" + "B" * 44
ENVIRON = {"A": A, "B": B, "SHORT": "whsec_AAAA"}


def test_the_secrets_of_an_endpoint_sign_in_place_of_those_of_all(read: Read) -> None:
    """Each is found by the URL of the callback, and hidden in the log as every secret is."""
    config = read(
        '[callbacks]\nsecrets = [{ env = "A" }]\n'
        '[callbacks.endpoints."HTTP://Localhost:80/own"]\nsecrets = [{ env = "B" }]\n'
        '[callbacks.endpoints."http://localhost/plain/*"]\nsecrets = []\n',
        ENVIRON,
    )
    assert config.callbacks.find_secrets("http://localhost/own?x=1") == (Secret(B),)
    assert config.callbacks.find_secrets("http://localhost/plain/a") == (Secret(A),)
    assert config.callbacks.find_secrets("http://localhost/other") == (Secret(A),)
    assert set(config.all_secrets) >= {Secret(A), Secret(B)}
    assert config.notes == ()


def test_headers_may_be_texts_or_secrets(read: Read) -> None:
    """They go to this endpoint only, and their secrets are hidden in the log."""
    config = read(
        '[callbacks.endpoints."http://a/x"]\nheaders = { X-Team = "ab", Authorization = { env = "A" } }\n',
        ENVIRON,
    )
    assert config.callbacks.find_headers("http://a/x?y=1") == {"x-team": "ab", "authorization": Secret(A)}
    assert config.callbacks.find_headers("http://a/y") == {}
    assert Secret(A) in config.all_secrets


def test_a_shared_secret_is_noted(read: Read) -> None:
    """Who has it can forge callbacks to the other endpoint."""
    config = read(
        '[callbacks.endpoints."http://a/x"]\nsecrets = [{ env = "A" }]\n'
        '[callbacks.endpoints."http://a/y"]\nsecrets = [{ env = "A" }, { env = "B" }]\n',
        ENVIRON,
    )
    assert config.notes == (
        'callbacks.endpoints."http://a/y".secrets: shares a secret with http://a/x; give it its own',
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            '[callbacks.endpoints."hook"]\nsecrets = []',
            "config.toml:1: callbacks.endpoints.hook: an endpoint is a callback URL without its query, "
            'or a prefix that ends in /*: "http://127.0.0.1:9001/*"',
        ),
        (
            '[callbacks.endpoints."http://a/x"]\nsecret = []',
            'config.toml:2: callbacks.endpoints."http://a/x".secret: unknown key; did you mean "secrets"?',
        ),
        (
            '[callbacks.endpoints."http://a/x"]\nsecrets = [{ env = "SHORT" }]',
            'config.toml:2: callbacks.endpoints."http://a/x".secrets: entry 1 cannot sign',
        ),
        (
            '[callbacks.endpoints."http://a"]\n[callbacks.endpoints."http://A:80/"]',
            'config.toml:2: callbacks.endpoints."http://A:80/": is the same endpoint as another table: '
            "http://a/; merge them",
        ),
        (
            f'[callbacks.endpoints."http://a/x"]\nheaders = {{ Authorization = "{A}" }}',
            'config.toml:2: callbacks.endpoints."http://a/x".headers: must not contain keys as text; '
            'write Authorization = { env = "NAME" }',
        ),
        (
            '[callbacks.endpoints."http://a/x"]\nheaders = { webhook-id = "1" }',
            'config.toml:2: callbacks.endpoints."http://a/x".headers: cannot be sent',
        ),
        (
            f'[callbacks.endpoints."http://a/x"]\nsecrets = ["{A}"]',
            'config.toml:2: callbacks.endpoints."http://a/x".secrets: entry 1 must not contain the secret',
        ),
    ],
)
def test_a_bad_table_is_refused_with_its_place(refuse: Refuse, text: str, error: str) -> None:
    """The message names file, line and key, and never the secret."""
    [told] = refuse(text, ENVIRON)
    assert told.startswith(error)
    assert A not in told


def test_no_variable_can_name_an_endpoint(refuse: Refuse) -> None:
    """A URL does not fit into the name of a variable, and the refusal says what the name must be."""
    [told] = refuse("", {"NOTIFIER_CALLBACKS__ENDPOINTS__X__SECRETS": "[]"})
    assert "unknown section; an endpoint is a callback URL" in told

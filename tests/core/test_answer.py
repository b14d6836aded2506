"""Places in a provider's answer are JMESPath, also where no interpreter of it is asked."""

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.json_reading import JsonReading
from notifier.core.polling.provider_reply import ProviderReply

NAMES = st.sampled_from(["a", "b", "task_info", "status", "A1", "_x", "true", "null"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=12,
)


@given(document=DOCUMENTS, names=st.lists(NAMES, min_size=1, max_size=3))
def test_a_plain_place_is_what_jmespath_finds(document: object, names: list[str]) -> None:
    """The short cut for ``a.b`` gives what the library gives, whatever stands there."""
    place = ".".join(names)
    assert ProviderReply(JsonReading(b"", document)).at(place) == jmespath.search(place, document)


@pytest.mark.parametrize(
    ("place", "found"),
    [("data[0].url", "u"), ("data[*].url", ["u", "v"]), ('"a b"', 1), ("length(data)", 2), ("", None)],
)
def test_any_other_place_is_an_expression(place: str, found: object) -> None:
    """What is more than names goes to the library."""
    document = {"data": [{"url": "u"}, {"url": "v"}], "a b": 1}
    assert ProviderReply(JsonReading(b"", document)).at(place) == found

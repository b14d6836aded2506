import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.ids import DELIVERY, ENTROPY_BITS, EVENT, WATCH, is_id, new_id
from tests.core.texts import any_text

instants = st.integers(0, 2**48 - 1)
entropies = st.integers(0, 2**ENTROPY_BITS - 1)
GOOD = "wch_01HF7YAT00000000000000003V"


def test_the_id_of_a_known_instant_is_the_known_ulid() -> None:
    """The ULID specification's example: 1469918176385 is 01ARYZ6S41."""
    assert new_id(WATCH, 1_469_918_176_385, 0) == "wch_01ARYZ6S410000000000000000"


@pytest.mark.threat(15)
@given(st.sampled_from([WATCH, EVENT, DELIVERY]), instants, entropies)
def test_an_id_is_prefix_and_ulid_and_holds_no_dot(prefix: str, at: int, entropy: int) -> None:
    """A dot parts what is signed."""
    made = new_id(prefix, at, entropy)
    assert re.fullmatch(r"(wch|evt|dlv)_[0-9A-HJKMNP-TV-Z]{26}", made)
    assert is_id(made, prefix)


@given(instants, instants, entropies, entropies)
def test_ids_sort_by_their_instants(at: int, later: int, one: int, other: int) -> None:
    if at != later:
        assert (new_id(WATCH, at, one) < new_id(WATCH, later, other)) == (at < later)


@given(instants, st.lists(entropies, min_size=2, max_size=2, unique=True))
def test_other_entropy_makes_another_id(at: int, entropies: list[int]) -> None:
    assert new_id(WATCH, at, entropies[0]) != new_id(WATCH, at, entropies[1])


@given(st.integers(-(2**70), 2**70), st.integers(-(2**90), 2**90))
def test_an_id_of_any_numbers_is_valid(at: int, entropy: int) -> None:
    assert is_id(new_id(EVENT, at, entropy), EVENT)


@pytest.mark.parametrize(
    "text",
    [
        "", "wch", "wch_", GOOD[:-1], GOOD + "0", GOOD + "\n", " " + GOOD, GOOD.lower(), "evt" + GOOD[3:],
        "wch_8" + GOOD[5:], GOOD[:-1] + "U", GOOD[:-1] + "I", GOOD[:-1] + "é", GOOD[:-1] + ".", GOOD[4:],
        "wch-" + GOOD[4:], "wch_wch_" + GOOD[4:], None, 5, GOOD.encode(), [GOOD],
    ],
)  # fmt: skip
def test_what_is_no_id_is_told(text: object) -> None:
    assert is_id(GOOD, WATCH)
    assert not is_id(text, WATCH)


@given(any_text)
def test_telling_an_id_never_raises(text: str) -> None:
    assert not is_id(text, WATCH) or text.startswith("wch_")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.nearest import find_nearest

NAMES = ("task_id", "api_path", "provider", "callback_url", "callbacks", "metadata", "expire_after")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("task_id", "task_id"), ("taskid", "task_id"), ("taskId", "task_id"), ("TASK_ID", "task_id"),
        ("callback", "callbacks"), ("callbackUrl", "callback_url"), ("meta_data", "metadata"),
        ("expires_after", "expire_after"), ("apipath", "api_path"), ("provder", "provider"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_finds_the_name_that_was_meant(word: str, name: str) -> None:
    assert find_nearest(word, NAMES) == name


@pytest.mark.parametrize("word", ["", "x", "zzz", "colour", "Ω", "task_id" * 20, "a" * 1_000_000])
def test_what_is_close_to_nothing_gets_no_advice(word: str) -> None:
    assert find_nearest(word, NAMES) is None


def test_names_keep_their_case_and_the_first_of_two_alike_wins() -> None:
    assert find_nearest("LISTEN", ["Listen", "listen"]) == "Listen"


def test_a_very_long_word_is_not_even_compared() -> None:
    assert find_nearest("n" * 65, ["n" * 65]) is None


def test_without_names_there_is_no_advice() -> None:
    assert find_nearest("task_id", []) is None


@given(st.text(), st.lists(st.text()))
def test_advice_is_always_one_of_the_names(word: str, names: list[str]) -> None:
    found = find_nearest(word, names)
    assert found is None or found in names

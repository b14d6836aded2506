"""One sentence says what is wrong before it says what there is."""

from typing import Any

import pytest

from notifier.api.status_sentence import StatusSentence, describe_status

WELL: dict[str, Any] = {
    "trouble": None,
    "watches": {"watching": 3},
    "deliveries": {"pending": 0, "dead": 0},
    "expiring": 0,
    "held": 0,
    "troubled": 0,
    "refused": 0,
    "providers": {},
    "paths": 0,
}


def test_all_is_well_with_what_there_is() -> None:
    """Numbers are said in words that fit them."""
    assert describe_status(**WELL) == StatusSentence(
        True, "All is well: 3 tasks are being watched, no delivery waits."
    )
    few = {**WELL, "watches": {"watching": 1}, "deliveries": {"pending": 1}}
    assert describe_status(**few).text == "All is well: 1 task is being watched, 1 delivery waits."
    none = {**WELL, "watches": {}, "deliveries": {"pending": 2}}
    assert describe_status(**none).text == "All is well: nothing is being watched, 2 deliveries wait."


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trouble": "the poller has not ticked for 9 s"}, "the poller has not ticked for 9 s"),
        (
            {"providers": {"b": "provider refuses the key (401)"}},
            "b: provider refuses the key (401)",
        ),
        ({"deliveries": {"dead": 1}}, "1 delivery is dead"),
        ({"deliveries": {"dead": 2}}, "2 deliveries are dead"),
        ({"paths": 1}, "1 api_path is held back"),
        ({"paths": 2}, "2 api_paths are held back"),
        ({"held": 1}, "1 receiver is held back"),
        ({"troubled": 1}, "1 watched task has been in trouble for a minute or more"),
        ({"troubled": 10_000}, "at least 10000 watched tasks have been in trouble for a minute or more"),
        ({"refused": 1}, "1 callback was refused and is tried again"),
        ({"refused": 2}, "2 callbacks were refused and are tried again"),
        ({"expiring": 2}, "2 undelivered results expire soon"),
    ],
)
def test_what_is_wrong_is_said_first(wrong: dict[str, Any], said: str) -> None:
    """In the words that status and troubles have."""
    sentence = describe_status(**{**WELL, **wrong})
    assert not sentence.is_ok
    assert sentence.text.startswith(f"Needs a look: {said}. Else ")

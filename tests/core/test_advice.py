"""Whatever an attempt met, there is one thing to do about it, and nothing where it was taken."""

import pytest

from notifier.core.advice import FAULT_ADVICE, advise_on_attempt, advise_on_failure, advise_on_status
from notifier.core.delivery.judge_attempt import failure_class
from notifier.core.exchange import FailureKind, HttpReply, NoReply


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 600)])
def test_every_status_but_2xx_has_its_advice(status: int) -> None:
    assert advise_on_attempt(status, failure_class(HttpReply(status))) == advise_on_status(status) != ""


@pytest.mark.parametrize("fault", list(FailureKind))
def test_every_fault_has_its_advice(fault: FailureKind) -> None:
    """By the class that is kept with the attempt."""
    assert (
        advise_on_attempt(None, failure_class(NoReply(fault, "x")))
        == advise_on_failure(fault)
        == FAULT_ADVICE[fault]
    )


@pytest.mark.parametrize(("status", "fault"), [(204, None), (200, None), (None, None), (None, "unheard_of")])
def test_what_was_taken_or_is_not_known_has_none(status: int | None, fault: str | None) -> None:
    assert advise_on_attempt(status, fault) == ""

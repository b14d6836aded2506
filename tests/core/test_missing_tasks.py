"""A task that the provider does not know is lost, or part of an outage (CONTRACT, Names, "lost")."""

import pytest

from notifier.config.load import load
from notifier.core.causes.table import Code
from notifier.core.polling.missing_tasks import find_lost_min_ms, question_unknown
from notifier.core.polling.path_health import PathHealth, record_reply, record_vanished
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.verdict import Inconclusive, TaskUnknown

T = 1_000_000_000
PROVEN = record_reply(PathHealth(), T, has_status=True)


def vanishing() -> PathHealth:
    path = PROVEN
    for number in range(3):
        path = record_vanished(path, f"task-{number}", T)
    return path


@pytest.mark.fault(117)
@pytest.mark.parametrize(
    ("path", "is_seen", "is_proven", "code"),
    [
        (PathHealth(), False, True, None),
        (PROVEN, True, True, None),
        (vanishing(), True, True, Code.PROVIDER_TASKS_VANISHED),
        (vanishing(), False, True, None),
        (PathHealth(), False, False, Code.PROVIDER_TASK_PATH_UNPROVEN),
        (PROVEN, True, False, Code.PROVIDER_TASK_PATH_UNPROVEN),
        (vanishing(), True, False, Code.PROVIDER_TASK_PATH_UNPROVEN),
    ],
)
def test_what_is_unknown_may_be_an_outage(
    path: PathHealth, is_seen: bool, is_proven: bool, code: Code | None
) -> None:
    """Where seen tasks vanish together, and where a table of one's own has found no task yet."""
    verdict = question_unknown(TaskUnknown(404), path, T, is_seen=is_seen, is_proven=is_proven)
    if code is None:
        assert verdict == TaskUnknown(404)
    else:
        assert isinstance(verdict, Inconclusive)
        assert (verdict.cause.code, verdict.cause.params) == (code, {"status": 404})


@pytest.mark.parametrize(
    ("path", "is_seen", "expected"),
    [(PathHealth(), False, 150_000), (PathHealth(), True, 30_000), (PROVEN, False, 30_000)],
)
def test_a_task_that_may_be_too_young_is_given_longer(path: PathHealth, is_seen: bool, expected: int) -> None:
    assert find_lost_min_ms(path, is_seen=is_seen) == expected


def test_only_a_task_path_of_ones_own_needs_proof() -> None:
    assert not ProviderDescription().has_own_task_path
    config = load(None, {"NOTIFIER_PROVIDERS__MULEROUTER__TASK_PATH": "/v1/jobs/{task_id}"})
    assert config.providers["mulerouter"].description.has_own_task_path

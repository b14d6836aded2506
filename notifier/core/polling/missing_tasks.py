"""Judge what it means that a provider does not know a task: that it is lost, or an outage of its api_path.

CONTRACT, Names, "lost": a task of a table of one's own is not lost before that table has found one. When
three or more tasks of a path that were seen running vanish within a minute, it is an outage of the path. A
task that was never seen, on a path that has named none yet, may be too young to be known.
"""

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.polling.decide_poll import LOST_MIN_MS, LOST_MIN_UNPROVEN_MS
from notifier.core.polling.path_health import PathHealth, is_vanishing
from notifier.core.polling.verdict import Inconclusive, InconclusiveKind, TaskUnknown


def question_unknown(
    verdict: TaskUnknown, path: PathHealth, now: int, *, is_seen: bool, is_proven: bool
) -> TaskUnknown | Inconclusive:
    """Return the verdict, or the outage of the path that it is a part of.

    ``is_seen``: the task was seen running. ``is_proven``: the provider's table needs no proof, or has found a
    task since it was loaded.
    """
    params = {"status": verdict.status}
    if not is_proven:
        return Inconclusive(Cause(Code.PROVIDER_TASK_PATH_UNPROVEN, params), InconclusiveKind.VANISHED)
    if is_seen and is_vanishing(path, now):
        return Inconclusive(Cause(Code.PROVIDER_TASKS_VANISHED, params), InconclusiveKind.VANISHED)
    return verdict


def find_lost_min_ms(path: PathHealth, *, is_seen: bool) -> int:
    """Return how long a task must be unknown before it is called lost."""
    return LOST_MIN_MS if is_seen or path.proven_at is not None else LOST_MIN_UNPROVEN_MS

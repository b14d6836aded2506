"""Bring back the polls that the ``Retry-After`` of a failure put off, once the failure is over."""

from collections.abc import Callable, Iterable

import structlog

from notifier.core.polling.decision import PollAgain
from notifier.core.polling.verdict import Throttled, Verdict
from notifier.engine.background_tasks import BackgroundTasks
from notifier.errors import StoreUnavailable
from notifier.ports import Clock
from notifier.store.protocol import Store
from notifier.store.values import DeferredPath

RECALL_BATCH = 1_000  # rows of one step that holds the writer; no record of why 1 000

log = structlog.get_logger()


class DeferredPolls:
    """Remembers which api_paths have watches that were put off, so that no reply has to look for them.

    A 429 puts off watches of the provider as a whole, which is the path None.
    """

    def __init__(
        self, *, store: Store, clock: Clock, tasks: BackgroundTasks, run_at: Callable[[int], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._run_at = run_at
        self._paths: set[tuple[str, str | None]] = set()

    def restore(self, deferred: Iterable[DeferredPath]) -> None:
        """Add what was put off before a restart."""
        for path in deferred:
            self._paths.add((path.provider, None if path.is_throttled else path.api_path))

    def add(self, provider: str, api_path: str, verdict: Verdict, decision: object) -> None:
        """Note that the decision on a verdict has been recorded."""
        if isinstance(decision, PollAgain) and decision.paced_due_at is not None:
            self._paths.add((provider, None if isinstance(verdict, Throttled) else api_path))

    def recall(self, provider: str, api_path: str | None) -> None:
        """Bring back what was put off on a path that has just brought a reply, or at a provider (None)."""
        if (provider, api_path) in self._paths:
            self._paths.discard((provider, api_path))
            self._tasks.start(self._recall_all(provider, api_path), name=f"recall {provider}")

    async def _recall_all(self, provider: str, api_path: str | None) -> None:
        try:
            while await self._store.recall_deferred(provider, api_path=api_path, limit=RECALL_BATCH):
                self._run_at(self._clock.now())
        except StoreUnavailable as error:  # the next reply tries again
            self._paths.add((provider, api_path))
            log.warning("recall.delayed", provider=provider, **error.log_fields())

"""What the polls of a provider say about it and its api_paths: who is blocked, why, and what may be probed.

The rules are pure (``core/polling/path_health.py``, ``provider_health.py``). The monitor remembers the
values, and collects the circuit breakers that changed, because those that block are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from notifier.config.model import ProviderSettings
from notifier.core.causes.cause import Condition
from notifier.core.circuit_breaker import Permit
from notifier.core.polling import path_health, provider_health
from notifier.core.polling.evidence import PollEvidence, classify_verdict
from notifier.core.polling.missing_tasks import find_lost_min_ms, question_unknown
from notifier.core.polling.path_health import PathCondition, PathHealth
from notifier.core.polling.poll_choice import PathProbe
from notifier.core.polling.provider_health import ProviderHealth
from notifier.core.polling.verdict import (
    AccountRefused,
    Inconclusive,
    ResultPending,
    TaskUnknown,
    Throttled,
    Verdict,
)
from notifier.engine.path_load import PathLoad, PathLoads
from notifier.store.values import ProviderBreaker

DEFAULT_PAUSE_MS = 5_000  # after a 429 without Retry-After; no record of why; changing it needs a measurement
MAX_RETURN_MS = 60_000  # CONTRACT P7: a provider that is back is polled within 60 s
FORGET_MS = (
    600_000  # a blocked path with no due watch for so long is forgotten; no record of why; a trade-off
)


@dataclass(frozen=True, slots=True)
class PollTicket:
    """One poll that was started, and by what right: freely, as a probe of the provider, or of its path.

    ``is_seen``: the task was seen running before.
    """

    number: int
    api_path: str
    task_id: str
    started_at: int
    is_probe: bool = False
    is_path_probe: bool = False
    is_seen: bool = False


class ProviderMonitor:
    """The health of one provider and of its api_paths."""

    def __init__(self, provider: ProviderSettings) -> None:
        self.provider = provider
        self.health = ProviderHealth()
        self.paths = PathLoads()
        self._blocked: set[str] = set()  # of many paths few are blocked, and every poll asks which
        self._changed: list[ProviderBreaker] = []
        self._is_proven = False

    # -- conditions

    @property
    def condition(self) -> Condition | None:
        """Return why the provider is held back: as a whole, or because each path is, for the same cause."""
        if self.health.is_blocked:
            return self.health.condition
        if not self._blocked or len(self._blocked) < len(self.paths):
            return None
        conditions = [health.condition for health in self.list_blocked().values()]
        by_age = sorted((each for each in conditions if each is not None), key=lambda each: each.since or 0)
        return by_age[0] if len({each.cause.code for each in by_age}) == 1 else None

    def get_path_condition(self, api_path: str) -> Condition | None:
        """Return why the watches of an api_path are held back; None while they are not."""
        if self.health.is_blocked:
            return self.health.condition
        load = self.paths.get(api_path)
        if load is None or not load.health.is_blocked or load.health.condition is None:
            return None
        return replace(load.health.condition, is_of_path=True)

    def list_failing(self) -> Iterator[PathCondition]:
        """Yield the paths that something is wrong with."""
        for api_path, load in self.paths.items():
            if (condition := load.health.condition) is not None:
                probe_at = load.health.breaker.probe_at if load.health.is_blocked else None
                yield PathCondition(self.provider.name, api_path, condition, probe_at)

    def list_blocked(self) -> dict[str, PathHealth]:
        """Return the paths that are blocked."""
        return {name: self.paths[name].health for name in self._blocked if name in self.paths}

    # -- probes

    def permit(self, now: int) -> Permit:
        """Return whether requests may go out freely, singly, or not at all."""
        return provider_health.permit(self.health, now)

    def find_probes(self, now: int) -> dict[str, PathProbe]:
        """Return the blocked paths, each with the probe that may start now."""
        return {name: _find_probe(health, now) for name, health in self.list_blocked().items()}

    def find_next_probe(self, now: int) -> int | None:
        """Return when the next probe may start that may not yet: of the provider, or of a blocked path."""
        if self.health.is_blocked:
            return max(now, self.health.breaker.probe_at)
        blocked = self.list_blocked().values()
        instants = [at for path in blocked for at in (path.breaker.probe_at, path.fresh_probe_at) if at > now]
        return min(instants, default=None)

    def record_probe(self, load: PathLoad, probe: PathProbe | None, now: int, *, is_of_all: bool) -> None:
        """Record that a probe starts: of a blocked path, of the provider (``is_of_all``), or of both."""
        timeout_ms = self.provider.polling.request_timeout_ms + DEFAULT_PAUSE_MS
        if load.health.is_blocked and (is_of_all or probe is not None):
            is_fresh = probe is PathProbe.FRESH and not is_of_all
            load.health = path_health.record_probe(load.health, now, is_fresh=is_fresh, timeout_ms=timeout_ms)
        if is_of_all:
            self.health = provider_health.record_probe(self.health, now, timeout_ms=timeout_ms)

    # -- what polls bring

    def record(self, ticket: PollTicket, verdict: Verdict, now: int) -> Verdict:
        """Record what a poll brought.

        Return the verdict, or the outage that an unknown task turns out to be a part of.
        """
        load = self.paths.get_active(ticket.api_path, now)
        path_before, provider_before = load.health, self.health
        if isinstance(verdict, TaskUnknown):
            verdict = self._question(ticket, load, verdict, now)
        evidence = classify_verdict(verdict)
        failure = verdict.failure if isinstance(verdict, ResultPending) else verdict
        if not evidence.is_failure:
            self._record_reply(load, now, has_status=evidence is PollEvidence.STATUS)
        elif isinstance(failure, AccountRefused | Throttled | Inconclusive) and (
            evidence is not PollEvidence.TASK or ticket.is_path_probe
        ):
            self._record_failure(ticket, load, failure, evidence, now)
        self._note_path(ticket.api_path, path_before, load.health)
        self._note_provider(provider_before)
        return verdict

    def _question(
        self, ticket: PollTicket, load: PathLoad, verdict: TaskUnknown, now: int
    ) -> TaskUnknown | Inconclusive:
        if ticket.is_seen:
            load.health = path_health.record_vanished(load.health, ticket.task_id, now)
        is_proven = self._is_proven or not self.provider.description.has_own_task_path
        return question_unknown(verdict, load.health, now, is_seen=ticket.is_seen, is_proven=is_proven)

    def _record_reply(self, load: PathLoad, now: int, *, has_status: bool) -> None:
        load.health = path_health.record_reply(load.health, now, has_status=has_status)
        load.replied_at = now
        self.health = provider_health.record_reply(self.health, now)
        self._is_proven = self._is_proven or has_status

    def _record_failure(
        self,
        ticket: PollTicket,
        load: PathLoad,
        verdict: AccountRefused | Throttled | Inconclusive,
        evidence: PollEvidence,
        now: int,
    ) -> None:
        cause, cap_ms, api_path = verdict.cause, self._cap_ms, ticket.api_path
        load.health = path_health.record_failure(
            load.health, ticket.task_id, cause, now, is_probe=ticket.is_path_probe, cap_ms=cap_ms
        )
        if isinstance(verdict, Throttled):
            until = now + (verdict.retry_after_ms or DEFAULT_PAUSE_MS)
            self.health = provider_health.record_throttle(
                self.health, api_path, cause, now, until=until, is_probe=ticket.is_probe, cap_ms=cap_ms
            )
        elif evidence is PollEvidence.PROVIDER or ticket.is_probe:
            self.health = provider_health.record_failure(
                self.health,
                api_path,
                cause,
                now,
                is_probe=ticket.is_probe,
                cap_ms=cap_ms,
                has_working_path=self._has_working_path(api_path, now),
            )

    def _has_working_path(self, api_path: str, now: int) -> bool:
        """Return whether the latest poll of another path brought a reply, and not long ago."""
        since = now - self._recent_ms
        return any(
            load.replied_at is not None and load.replied_at >= since and not load.health.is_failing
            for name, load in self.paths.items()
            if name != api_path
        )

    def find_lost_min_ms(self, ticket: PollTicket) -> int:
        """Return how long the task of a poll must be unknown before it is called lost."""
        load = self.paths.get(ticket.api_path) or PathLoad()
        return find_lost_min_ms(load.health, is_seen=ticket.is_seen)

    @property
    def _cap_ms(self) -> int:
        """The longest wait for a probe: with the time that a probe may hang, within a minute in all."""
        return max(DEFAULT_PAUSE_MS, MAX_RETURN_MS - self.provider.polling.request_timeout_ms)

    @property
    def _recent_ms(self) -> int:
        """For so long the latest reply of a path counts: a path with a watch is polled in this time."""
        polling = self.provider.polling
        return max(MAX_RETURN_MS, polling.max_interval_ms * 11 // 10) + polling.request_timeout_ms

    # -- what is stored

    def _note_path(self, api_path: str, before: PathHealth, after: PathHealth) -> None:
        if before.breaker == after.breaker or not (before.is_blocked or after.is_blocked):
            return
        (self._blocked.add if after.is_blocked else self._blocked.discard)(api_path)
        breaker = ProviderBreaker(self.provider.name, api_path, after.breaker, after.failing_since)
        self._changed.append(breaker)

    def _note_provider(self, before: ProviderHealth) -> None:
        after = self.health
        if before.breaker != after.breaker and (before.is_blocked or after.is_blocked):
            self._changed.append(
                ProviderBreaker(self.provider.name, None, after.breaker, after.failing_since)
            )

    def pop_changed(self) -> list[ProviderBreaker]:
        """Return the breakers that changed since the last call and block, or did before."""
        changed, self._changed = self._changed, []
        return changed

    def restore(self, stored: ProviderBreaker, now: int) -> None:
        """Block as a breaker of before a restart did."""
        if stored.api_path is None:
            self.health = ProviderHealth(stored.breaker, stored.failing_since)
        else:
            load = self.paths.get_active(stored.api_path, now)
            load.health = PathHealth(stored.breaker, stored.failing_since)
            self._blocked.add(stored.api_path)

    def configure(self, provider: ProviderSettings) -> None:
        """Go on under changed settings. A new key, address or description deserves a fresh start."""
        before, self.provider = self.provider, provider
        is_same = (before.api_key, before.base_url, before.description) == (
            provider.api_key,
            provider.base_url,
            provider.description,
        )
        if not is_same:
            self._reset()

    def _reset(self) -> None:
        self._is_proven = False
        provider_before, self.health = self.health, ProviderHealth()
        self._note_provider(provider_before)
        for api_path, load in self.paths.items():
            path_before, load.health = load.health, PathHealth()
            self._note_path(api_path, path_before, load.health)

    def forget_idle(self, now: int) -> None:
        """Forget paths without a due watch for long. While the provider is blocked, none has any."""
        if self.health.is_blocked:
            return
        for api_path in list(self.paths.list_idle(now - self._recent_ms)):
            load = self.paths[api_path]
            if load.health.is_blocked and now - load.active_at < FORGET_MS:
                continue
            self._note_path(api_path, load.health, PathHealth())
            del self.paths[api_path]

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self.health = provider_health.shift_provider(self.health, delta_ms)
        for load in self.paths.values():
            load.shift(delta_ms)


def _find_probe(path: PathHealth, now: int) -> PathProbe:
    if path_health.permit(path, now) is Permit.PROBE:
        return PathProbe.ANY
    return PathProbe.FRESH if path_health.permits_fresh_probe(path, now) else PathProbe.NONE

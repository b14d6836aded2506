"""What is counted, and how it reads to Prometheus."""

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from notifier.api.status import TEXT_FORMAT
from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.model import ClaimedDelivery, DeliveryState, Watch, WatchState
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    NotPolled,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
)
from notifier.daemon.metrics import (
    MAX_PROVIDERS,
    OTHER,
    REFRESH_INTERVAL_S,
    Metrics,
    MetricsReport,
    label_verdict,
)
from notifier.ports import NO_METER, Meter
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from tests.builders import (
    DISK_FULL,
    HOUR,
    KEY_REFUSED,
    MINUTE,
    SECOND,
    SERVER_ERROR,
    THROTTLED,
    attempt,
    end,
    new_watch,
)
from tests.fakes import NOON, FakeClock
from tests.store.steps import GIVE_UP, add, claim, finish

VERDICTS: Mapping[str, Verdict] = {
    "running": Running("processing"),
    "completed": Finished(WatchState.COMPLETED, "completed", (), None, "{}"),
    "failed": Finished(WatchState.FAILED, "failed", (), None, "{}"),
    "unknown": TaskUnknown(404),
    "refused": AccountRefused(401, KEY_REFUSED),
    "throttled": Throttled(None, THROTTLED),
    "outage": Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR),
    "unclear": Inconclusive(Cause(Code.REPLY_EMPTY), InconclusiveKind.UNREADABLE),
    "unpolled": NotPolled(Condition(KEY_REFUSED)),
}


@dataclass
class Bench:
    """A scrape of the real store; the daemon's word is planted."""

    store: SqliteStore
    clock: FakeClock
    metrics: Metrics
    blocked_paths: dict[str, int] = field(default_factory=lambda: {"mulerouter": 0})
    provider_conditions: dict[str, Condition | None] = field(default_factory=lambda: {"mulerouter": None})
    trouble: Cause | None = None

    def __post_init__(self) -> None:
        self.scrape = MetricsReport(self.metrics, store=self.store, clock=self.clock, status=self)

    def why_not_ready(self) -> Cause | None:
        return self.trouble

    def conditions(self) -> Mapping[str, Condition | None]:
        return self.provider_conditions

    def count_blocked_paths(self) -> Mapping[str, int]:
        return self.blocked_paths

    async def samples(self) -> list[Sample]:
        return list(samples_of((await self.scrape.text()).decode()))

    async def value(self, name: str, **labels: str) -> float | None:
        """The value of the one series of this name and these labels; None when there is none."""
        found = [each.value for each in await self.samples() if (each.name, each.labels) == (name, labels)]
        assert len(found) <= 1
        return found[0] if found else None


def samples_of(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock, metrics = FakeClock(), Metrics()
    store = await open_store(
        tmp_path / "notifier.db",
        owner="daemon-1",
        now=NOON,
        rng=random.Random(1),
        open_driver=InlineDriver.open,
        meter=metrics,
    )
    yield Bench(store, clock, metrics)
    await store.close()


def watch(**over: object) -> Watch:
    new = new_watch()
    fields = {"id": "wch_1", "state": WatchState.WATCHING, "due_at": NOON, **over}
    return Watch(
        provider=str(fields.pop("provider", new.provider)),
        api_path=new.api_path,
        task_id=new.task_id,
        callbacks=(),
        metadata="{}",
        registered_at=NOON,
        expires_at=NOON + HOUR,
        **fields,  # type: ignore[arg-type]
    )


def dispatch(result_expires_at: int | None = None) -> ClaimedDelivery:
    return ClaimedDelivery(
        "dlv_1", "evt_1", "wch_1", "http://h/", (), b"", 1, NOON, GIVE_UP, result_expires_at, False
    )


def exercise(meter: Meter) -> None:
    """Tell all there is to tell, once each."""
    for verdict in VERDICTS.values():
        meter.record_poll(watch(), verdict, late_ms=40)
    done = Finished(WatchState.COMPLETED, "completed", (), None, "{}", finished_at=NOON)
    for state in WatchState:
        meter.record_end(watch(), done, end(state), now=NOON + SECOND)
    for fault in (None, "dns", "connect", "timeout", "http_4xx", "http_5xx"):
        sequel = Retry(NOON) if fault else Delivered()
        meter.record_attempt(dispatch(NOON + HOUR), attempt(failure=fault), sequel, now=NOON)
    meter.record_commit(3, 0.004)
    meter.record_lag(0.002)


def test_every_verdict_has_its_word() -> None:
    assert {word: label_verdict(verdict) for word, verdict in VERDICTS.items()} == {
        word: word for word in VERDICTS
    }


def test_where_nobody_counts_everything_may_be_told() -> None:
    exercise(NO_METER)
    assert NO_METER.stopwatch() == NO_METER.stopwatch()


async def test_polls_are_counted_by_provider_and_outcome(bench: Bench) -> None:
    for verdict in (VERDICTS["running"], VERDICTS["running"], VERDICTS["refused"]):
        bench.metrics.record_poll(watch(), verdict, late_ms=1_500)
    assert await bench.value("notifier_polls_total", provider="mulerouter", outcome="running") == 2
    assert await bench.value("notifier_polls_total", provider="mulerouter", outcome="refused") == 1
    assert await bench.value("notifier_poll_lateness_seconds_sum", provider="mulerouter") == 4.5


async def test_notice_delay_counts_from_the_tasks_own_end(bench: Bench) -> None:
    """But not from before we were told of the task, and not for one that nobody watched for a while."""
    name = "notifier_notice_delay_seconds"
    for finished_at, over in (
        (NOON + SECOND, {}),
        (NOON - HOUR, {}),
        (NOON, {"round": 1}),
        (None, {}),
    ):
        done = Finished(WatchState.COMPLETED, "completed", (), None, "{}", finished_at=finished_at)
        bench.metrics.record_end(watch(**over), done, end(), now=NOON + 3 * SECOND)
    bench.metrics.record_end(watch(), VERDICTS["unknown"], end(WatchState.LOST), now=NOON)
    assert await bench.value(f"{name}_count", provider="mulerouter") == 2
    assert await bench.value(f"{name}_sum", provider="mulerouter") == 2 + 3
    assert await bench.value("notifier_ended_watches_total", provider="mulerouter", state="completed") == 4
    assert await bench.value("notifier_ended_watches_total", provider="mulerouter", state="lost") == 1


async def test_the_margin_of_a_result_that_died_before_is_below_nought(bench: Bench) -> None:
    bench.metrics.record_attempt(dispatch(NOON - MINUTE), attempt(failure=None), Delivered(), now=NOON)
    bench.metrics.record_attempt(dispatch(NOON + MINUTE), attempt(failure=None), Delivered(), now=NOON)
    bench.metrics.record_attempt(dispatch(NOON + MINUTE), attempt(failure="dns"), Retry(NOON), now=NOON)
    assert await bench.value("notifier_result_margin_seconds_bucket", le="0.0") == 1
    assert await bench.value("notifier_result_margin_seconds_count") == 2
    assert await bench.value("notifier_attempts_total", outcome="accepted") == 2
    assert await bench.value("notifier_attempts_total", outcome="dns") == 1


async def test_a_replay_of_an_old_result_is_no_near_miss(bench: Bench) -> None:
    """A user had it sent again: how long its result lives says nothing about how soon we deliver."""
    again = replace(dispatch(NOON + MINUTE), is_replayed=True)
    bench.metrics.record_attempt(again, attempt(failure=None), Delivered(), now=NOON)
    assert await bench.value("notifier_result_margin_seconds_count") == 0
    assert await bench.value("notifier_attempts_total", outcome="accepted") == 1


async def test_providers_beyond_a_bound_are_not_told_apart(bench: Bench) -> None:
    """A label has few values, whatever reloads bring."""
    for number in range(MAX_PROVIDERS + 5):
        bench.metrics.record_poll(watch(provider=f"p{number}"), VERDICTS["running"], late_ms=0)
    polls = [each for each in await bench.samples() if each.name == "notifier_polls_total"]
    assert len(polls) == MAX_PROVIDERS + 1
    assert await bench.value("notifier_polls_total", provider=OTHER, outcome="running") == 5


async def test_what_the_store_holds_is_read_when_asked_for(bench: Bench) -> None:
    """Watches and deliveries by state, the oldest that waits: as /v1/status has them."""
    await add(bench.store, new_watch(), new_watch("task-2"))
    (first, _) = await claim(bench.store)
    await finish(bench.store, first, result_expires_at=NOON + HOUR)
    bench.clock.advance(50 * MINUTE)
    assert await bench.value("notifier_watches", state="watching") == 1
    assert await bench.value("notifier_watches", state="completed") == 1
    assert await bench.value("notifier_deliveries", state="pending") == 1
    assert await bench.value("notifier_oldest_waiting_delivery_seconds") == 50 * 60
    assert await bench.value("notifier_expiring_results") == 1
    assert await bench.value("notifier_shut_endpoints", state="paused") == 0


async def test_the_store_is_not_asked_again_within_seconds(bench: Bench) -> None:
    """However often somebody scrapes."""
    assert await bench.value("notifier_watches", state="watching") == 0
    await add(bench.store, new_watch())
    bench.clock.advance(int(REFRESH_INTERVAL_S * 1_000) - 1)
    assert await bench.value("notifier_watches", state="watching") == 0
    bench.clock.advance(1)
    assert await bench.value("notifier_watches", state="watching") == 1


async def test_endpoints_that_are_shut_are_counted_by_why(bench: Bench) -> None:
    await add(bench.store, new_watch())
    (claimed,) = await claim(bench.store)
    await finish(bench.store, claimed)
    (endpoint,) = await bench.store.endpoints(before=None, limit=5)
    await bench.store.pause_endpoint(endpoint.id)
    assert await bench.value("notifier_shut_endpoints", state="paused") == 1
    assert await bench.value("notifier_shut_endpoints", state="gone") == 0


async def test_a_paused_provider_shows_and_one_that_is_gone_does_not(bench: Bench) -> None:
    bench.provider_conditions = {"a": Condition(KEY_REFUSED, NOON), "b": None}
    assert await bench.value("notifier_provider_paused", provider="a") == 1
    assert await bench.value("notifier_provider_paused", provider="b") == 0
    bench.provider_conditions = {"b": None}
    assert await bench.value("notifier_provider_paused", provider="a") is None


async def test_paths_that_are_held_back_are_counted_by_provider(bench: Bench) -> None:
    """No path has a label of its own: there may be hundreds."""
    bench.blocked_paths = {"a": 2, "b": 0}
    assert await bench.value("notifier_paths_blocked", provider="a") == 2
    assert await bench.value("notifier_paths_blocked", provider="b") == 0
    bench.blocked_paths = {"b": 0}
    assert await bench.value("notifier_paths_blocked", provider="a") is None


async def test_readiness_is_that_of_readyz(bench: Bench) -> None:
    assert await bench.value("notifier_ready") == 1
    bench.trouble = DISK_FULL
    assert await bench.value("notifier_ready") == 0


async def test_the_writer_tells_of_each_commit(bench: Bench) -> None:
    before = await bench.value("notifier_commit_units_count") or 0
    await bench.store.heartbeat(now=NOON)
    assert await bench.value("notifier_commit_units_count") == before + 1
    assert await bench.value("notifier_commit_seconds_count") == before + 1


async def test_two_daemons_in_one_process_count_apart(bench: Bench) -> None:
    """The registry is of its own, and holds nothing of what other code has put into the global one."""
    Metrics().record_lag(1.0)
    assert await bench.value("notifier_loop_lag_seconds_count") == 0


def test_the_media_type_is_that_of_the_text() -> None:
    assert TEXT_FORMAT == CONTENT_TYPE_PLAIN_0_0_4


SUBJECTS = {
    "watches by state": ("notifier_watches", {"state"}),
    "polls and their outcomes by provider": ("notifier_polls_total", {"provider", "outcome"}),
    "ends by provider": ("notifier_ended_watches_total", {"provider", "state"}),
    "lateness": ("notifier_poll_lateness_seconds_bucket", {"provider", "le"}),
    "notice delay": ("notifier_notice_delay_seconds_bucket", {"provider", "le"}),
    "deliveries by outcome class": ("notifier_attempts_total", {"outcome"}),
    "deliveries by state, those waiting among them": ("notifier_deliveries", {"state"}),
    "the oldest that waits": ("notifier_oldest_waiting_delivery_seconds", set()),
    "breakers of providers": ("notifier_provider_paused", {"provider"}),
    "breakers of api_paths": ("notifier_paths_blocked", {"provider"}),
    "breakers of endpoints": ("notifier_shut_endpoints", {"state"}),
    "result expiry margin": ("notifier_result_margin_seconds_bucket", {"le"}),
    "results that expire undelivered": ("notifier_expiring_results", set()),
    "callback latency": ("notifier_delivery_delay_seconds_bucket", {"le"}),
    "writer batch size": ("notifier_commit_units_bucket", {"le"}),
    "writer commit time": ("notifier_commit_seconds_bucket", {"le"}),
    "loop lag": ("notifier_loop_lag_seconds_bucket", {"le"}),
    "readiness": ("notifier_ready", set()),
    "build info": ("notifier_build_info", {"version", "python", "sqlite"}),
}


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_all_that_somebody_may_be_woken_for_is_exported(bench: Bench, subject: str) -> None:
    """By labels of few values: each is a state, a class, a provider's name or a bound of a histogram."""
    exercise(bench.metrics)
    name, labels = SUBJECTS[subject]
    found = [each for each in await bench.samples() if each.name == name]
    assert found
    assert {frozenset(each.labels) for each in found} == {frozenset(labels)}


async def test_states_and_classes_are_there_before_anything_happened(bench: Bench) -> None:
    """An alert on a series that comes into being with its first event sees no rise."""
    samples = await bench.samples()
    for name, states in (
        ("notifier_watches", set(WatchState)),
        ("notifier_deliveries", set(DeliveryState)),
        ("notifier_shut_endpoints", {"closed", "paused", "gone"}),
    ):
        assert {each.labels["state"] for each in samples if each.name == name} == states

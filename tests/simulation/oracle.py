"""The judge: what the contract promises, held against everything that goes over the wire."""

import contextlib
import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notifier.core.delivery.endpoint import REFUSAL_STATUSES
from notifier.core.delivery.signature import BadSignature, verify
from notifier.core.event_body import mark_expired
from notifier.core.formats.urls import url_to_endpoint
from notifier.core.polling.path_health import FRESH_PROBE_MS
from tests.simulation.audit import DELIVERY, MORE_URGENT, WATCH_OF_TASK, Audit
from tests.simulation.books import Paced, Receipt, Watched
from tests.simulation.city import City, Tempo
from tests.simulation.peers import FINE, Receiver, Task, TaskKey, Upstream
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.life import Life

LEASE_MARGIN_MS = 15_000
SETTLING_MS = 5_000
RECOVERY_MS = 300_000
WORD_OF_TYPE = {"task.completed": "completed", "task.failed": "failed", "task.cancelled": "cancelled"}


@dataclass
class Oracle:
    """Keeps the books of one simulation; each breach of a promise goes to the world."""

    world: World
    city: City
    audit: Audit
    tempo: Tempo
    file: Path
    watched: dict[str, Watched] = field(default_factory=dict)
    receipts: dict[tuple[str, str], list[Receipt]] = field(default_factory=dict)
    sent_at: dict[str, int] = field(default_factory=dict)
    """When an endpoint was last sent anything."""
    events_of: dict[str, set[str]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    polled_at: dict[str, int] = field(default_factory=dict)
    disk_troubled_at: int = -1
    touched: dict[str, int] = field(default_factory=dict)
    _paced: dict[TaskKey, Paced] = field(default_factory=dict)
    _asked: dict[str, deque[int]] = field(default_factory=dict)

    def new_life(self, life: "Life") -> None:
        """Nothing is in flight any more."""
        self.life = life
        self.polling: Counter[str] = Counter()
        self.sending: Counter[str] = Counter()
        self._asked.clear()
        self.world.disturb()

    # -- polls

    @contextlib.contextmanager
    def poll(
        self, upstream: Upstream, task: Task | None, url: str, headers: Mapping[str, str]
    ) -> Iterator[None]:
        """Judge a request to a provider, and count it while it lasts."""
        life, name = self.life, upstream.name
        self._check_keys(f"a poll of {name}", {**headers, "": url}, own=f"sk-{name}-")
        self.polling[name] += 1
        self.polled_at[name] = self.world.elapsed_ms()
        self._check_budget(upstream)
        if task is not None:
            self._check_pace(upstream, task)
        try:
            yield
        finally:
            if life is self.life:
                self.polling[name] -= 1

    def _check_budget(self, upstream: Upstream) -> None:
        settings = self.city.configs[0].providers[upstream.name]
        if self.polling[upstream.name] > settings.max_in_flight:
            self.world.breach("P5 bounded", f"{self.polling[upstream.name]} polls of {upstream.name} at once")
        asked, now = self._asked.setdefault(upstream.name, deque()), self.world.elapsed_ms()
        asked.append(now)
        while asked[0] < now - 1_000:
            asked.popleft()
        most = 1.25 * settings.max_rate_per_s + 2
        if len(asked) > most:
            self.world.breach("P5 bounded", f"{len(asked)} polls of {upstream.name} within a second")

    def _check_pace(self, upstream: Upstream, task: Task) -> None:
        row = self.audit.row(WATCH_OF_TASK, task.key[2])
        if row is None:
            self.world.breach("P1 no loss", f"{task.key} is polled and not on disk")
            return
        now, last = self.world.elapsed_ms(), self._paced.get(task.key)
        self._paced[task.key] = Paced(now, row["round"], row["interval_ms"], self.life.number)
        if last is None or last.round != row["round"]:
            return
        if row["interval_ms"] < last.interval_ms:
            self.world.breach("pace", f"{task.key}: {last.interval_ms} ms shrank to {row['interval_ms']} ms")
        if max(self.world.calm_since, self._nudged(row["id"])) >= last.at:
            return
        gap = now - last.at
        is_last = self.life.now() >= row["expires_at"] - 1_000
        if gap < row["interval_ms"] - 200 and not is_last and row["missing"] is None:
            self.world.breach("pace", f"{task.key} asked again after {gap} ms, not {row['interval_ms']} ms")
        self._check_punctual(upstream, task, gap, last.at)
        if row["failures"] == 0 and task.poison is None and upstream.was_well_for(task.key, last.at):
            probed_before = upstream.count_newly_poisoned(task.key, last.at)
            self._check_undisturbed(task, row["interval_ms"], gap - probed_before * FRESH_PROBE_MS)

    def _check_punctual(self, upstream: Upstream, task: Task, gap: int, since: int) -> None:
        polling = self.city.configs[0].providers[upstream.name].polling
        most = polling.max_interval_ms * 11 // 10 + polling.request_timeout_ms + self._slack_ms
        is_calm = task.poison is None and upstream.was_well_for(task.key, since)
        if is_calm and gap > most:
            self.world.breach("P7 it comes back", f"{task.key} was asked for after {gap} ms, not {most} ms")

    def _check_undisturbed(self, task: Task, interval_ms: int, gap: int) -> None:
        """P5: a task that is well, on a path that is well, is polled on time whatever its neighbours do.

        Of those on a blocked path that have not failed before, one is probed each 5 s. ``gap`` is without
        the time for others that came first and failed.
        """
        if gap > interval_ms + self._slack_ms:
            self.world.breach(
                "P5 isolated parts", f"{task.key} was asked for after {gap} ms, not {interval_ms} ms"
            )

    def _check_asked(self, watched: Watched, task: Task, now: int) -> None:
        """P5: nothing is ended unasked unless its own path or its provider could not be asked."""
        last, upstream = self._paced.get(task.key), self.city.upstreams[task.key[0]]
        deadline = watched.since + watched.expire_after_ms
        since = watched.since if last is None else max(last.at, watched.since)
        if since < deadline - 3_000 and task.poison is None and upstream.was_well_for(task.key, since):
            text = f"{watched.watch_id} ended {now - deadline} ms after its deadline, and was not asked for"
            self.world.breach("P5 unasked", text)

    def _nudged(self, watch_id: str) -> int:
        watched = self.watched.get(watch_id)
        return self.world.elapsed_ms() if watched is None else watched.nudged_at

    @property
    def _slack_ms(self) -> int:
        return self.tempo.idle_s * 1_000 + SETTLING_MS

    # -- callbacks

    @contextlib.contextmanager
    def attempt(
        self, receiver: Receiver, url: str, headers: Mapping[str, str], body: bytes
    ) -> Iterator[Receipt]:
        """Judge a callback, and count it while it lasts."""
        life, named = self.life, {name.lower(): value for name, value in headers.items()}
        receipt = Receipt(
            event_id=named.get("webhook-id", ""),
            url=url,
            number=int(named.get("notifier-attempt", "0")),
            body=body,
            at=self.world.elapsed_ms(),
            is_marked=named.get("notifier-maybe-duplicate") == "1",
        )
        self.world.note("send", url, receipt.event_id, receipt.number, "?" if receipt.is_marked else "")
        self.sending[receiver.origin] += 1
        self._judge(receiver, receipt, named)
        self.receipts.setdefault((receipt.event_id, url), []).append(receipt)
        self.sent_at[receiver.url] = receipt.at
        try:
            yield receipt
        finally:
            if life is self.life:
                self.sending[receiver.origin] -= 1
            if receipt.status == 410 and self.gone.get(receiver.url, -1) <= self.world.calm_since:
                self.gone[receiver.url] = self.world.elapsed_ms()

    def _judge(self, receiver: Receiver, receipt: Receipt, headers: Mapping[str, str]) -> None:
        self._check_keys(f"a callback to {receipt.url}", headers, receipt.body, own="")
        self._check_signature(receipt, headers)
        self._check_width(receiver)
        self._check_repeat(receipt)
        data = json.loads(receipt.body)["data"]
        row = self.audit.row(DELIVERY, data["watch_id"], receipt.event_id, receipt.url)
        if row is None:
            self.world.breach(
                "P2 no invention", f"{receipt.event_id} to {receipt.url} is sent and not on disk"
            )
            return
        self._check_claim(receipt, row)
        self._check_truth(data, row)
        self._check_stop(receipt.event_id, data["watch_id"])
        if not row["is_forced"]:
            self._check_hold(receiver, receipt)
            self._check_order(receipt, row)
            self._check_prompt(receiver, receipt, row)
            self._check_probe(receiver, receipt, row)

    def _check_keys(self, what: str, headers: Mapping[str, str], body: bytes = b"", *, own: str) -> None:
        text = " ".join(headers.values()) + body.decode("utf-8", "replace")
        for key in self.city.keys:
            if key in text and not (own and key.startswith(own)):
                self.world.breach("P6 keys", f"{what} holds the key {key}")

    def _check_signature(self, receipt: Receipt, headers: Mapping[str, str]) -> None:
        now = self.life.now()
        try:
            verify(self.city.secrets, headers, receipt.body, now=now)
        except BadSignature as fault:
            self.world.breach("P3 repeats", f"{receipt.event_id} to {receipt.url}: {fault}")
        if abs(int(headers.get("webhook-timestamp", "0")) - now // 1_000) > 1:
            self.world.breach("P3 repeats", f"{receipt.event_id} to {receipt.url} has a stale timestamp")

    def _check_width(self, receiver: Receiver) -> None:
        most = max(config.callbacks.max_in_flight_per_origin for config in self.city.configs)
        if self.sending[receiver.origin] > most:
            self.world.breach("P5 bounded", f"{self.sending[receiver.origin]} at once to {receiver.origin}")
        if self.sending.total() > self.city.config.callbacks.max_in_flight:
            self.world.breach("P5 bounded", f"{self.sending.total()} callbacks at once")

    def _check_repeat(self, receipt: Receipt) -> None:
        earlier = self.receipts.get((receipt.event_id, receipt.url), [])
        if any(each.body != receipt.body for each in earlier):
            self.world.breach(
                "P3 repeats", f"{receipt.event_id} to {receipt.url} has other bytes than before"
            )
        if any(each.number >= receipt.number for each in earlier) and not receipt.is_marked:
            text = f"{receipt.event_id} to {receipt.url}: attempt {receipt.number} comes again, unmarked"
            self.world.breach("P3 repeats", text)
        if receipt.is_marked:
            self.world.counts["marked"] += 1
        taken = [each for each in earlier if each.is_taken]
        if taken and not taken[-1].is_heard:
            self.world.counts["duplicate"] += 1

    def _check_claim(self, receipt: Receipt, row: Any) -> None:
        body = mark_expired(row["body"]) if row["is_late"] else row["body"]
        if receipt.body != body:
            self.world.breach(
                "P2 no invention", f"{receipt.event_id} is sent with other bytes than are stored"
            )
        is_claimed = row["owner"] == self.life.owner and row["state"] == "pending"
        if receipt.is_marked and receipt.at < self.world.calm_since + LEASE_MARGIN_MS:
            return  # a claim outlived its lease (the machine slept): both are sent, the first answer is kept
        if not is_claimed or receipt.number != row["attempts"] + 1:
            text = f"{receipt.event_id} to {receipt.url} is sent with no claim on disk ({row['state']})"
            self.world.breach("claim before send", text)

    def _check_truth(self, data: Mapping[str, Any], row: Any) -> None:
        """P4: only the provider says how a task ended; a deadline and a loss have their time."""
        key = (data["provider"], data["api_path"], data["task_id"])
        task, word = self.city.task(key), WORD_OF_TYPE.get(row["type"])
        known = self.events_of.setdefault(row["watch_id"], set())
        known.add(json.loads(row["body"])["id"])
        watched = self.watched.get(row["watch_id"])
        if watched is not None and len(known) > watched.resumes + 1:
            self.world.breach("first outcome wins", f"{row['watch_id']} has {len(known)} outcomes")
        if word is not None:
            self._check_word(task, word, data)
        elif row["type"] == "task.lost" and not _is_missed(task.misses):
            self.world.breach("P4 the provider's word", f"{key} is called lost after {task.misses}")
        elif row["type"] == "task.expired" and watched is not None and row["round"] == row["watch_round"]:
            self._check_deadline(watched, row)

    def _check_word(self, task: Task, word: str, data: Mapping[str, Any]) -> None:
        if word not in task.told:
            self.world.breach("P4 the provider's word", f"{task.key} is called {word}; told was {task.told}")
        elif not task.quotes_key and data["payload"] not in map(json.loads, task.told[word]):
            self.world.breach("P4 the provider's word", f"{task.key}: the payload is not what was told")

    def _check_deadline(self, watched: Watched, row: Any) -> None:
        waited = self.world.elapsed_ms() - watched.since
        if waited < watched.expire_after_ms - 3_000:
            text = f"{watched.watch_id} expired after {waited} ms, not {watched.expire_after_ms} ms"
            self.world.breach("P4 the provider's word", text)
        if watched.key[0] in self.city.config.providers and row["attempts"] == 0:
            self._check_asked(watched, self.city.task(watched.key), self.world.elapsed_ms())

    def _check_stop(self, event_id: str, watch_id: str) -> None:
        watched = self.watched.get(watch_id)
        known = None if watched is None else watched.stopped_knowing
        if known is not None and event_id not in known:
            self.world.breach("stop", f"{event_id} of {watch_id} comes after a stop was answered")

    def _check_hold(self, receiver: Receiver, receipt: Receipt) -> None:
        paused_at = self.held.get(receiver.url)
        if paused_at is not None and receipt.at > paused_at + 1_000:
            self.world.breach("pause", f"{receipt.url} is sent to while it is paused")
        gone_at = self.gone.get(receiver.url)
        if gone_at is not None and gone_at > self.world.calm_since and receipt.at > gone_at + 1_000:
            self.world.breach("410", f"{receipt.url} is sent to after it said that it is gone")

    def _check_order(self, receipt: Receipt, row: Any) -> None:
        """What expires first goes first; but every other probe is due longest, or newest after a refusal."""
        is_other = row["probes"] % 2 == 0 or row["gate_status"] in REFUSAL_STATUSES  # it is counted already
        is_in_turn = row["closed_at"] is not None and is_other
        if is_in_turn or receipt.at < self.world.calm_since + 60_000:
            return
        claimed_at = row["leased_until"] - self.city.config.callbacks.timeout_ms - LEASE_MARGIN_MS
        more = self.audit.row(MORE_URGENT, row["endpoint_seq"], claimed_at - SETTLING_MS, row["urgency"])
        if more is not None:
            self.world.breach("order", f"{receipt.url}: what expires later goes before {more['url']}")

    def _check_prompt(self, receiver: Receiver, receipt: Receipt, row: Any) -> None:
        """P5: what others do delays nobody whose own receiver is well."""
        late = self.life.now() - row["created_at"]
        since = receipt.at - late
        if receipt.number > 1 or late < self._slack_ms or since <= self.world.calm_since + 1_000:
            return
        lease_ms = self.city.config.callbacks.timeout_ms + LEASE_MARGIN_MS
        if self.disk_troubled_at >= 0 and since <= self.disk_troubled_at + lease_ms:
            return  # an attempt that was not recorded keeps its endpoint's place until its lease ends
        neighbours = [each for each in self.city.receivers.values() if each.origin == receiver.origin]
        is_well = all(each.mood.name == FINE and each.was_well(since - RECOVERY_MS) for each in neighbours)
        is_free = row["closed_at"] is None and receiver.url not in self.released_after(since)
        if is_well and is_free:
            self.world.breach(
                "P5 isolated", f"{receipt.event_id} waited {late} ms for {receipt.url}, which is well"
            )

    def _check_probe(self, receiver: Receiver, receipt: Receipt, row: Any) -> None:
        """P7: what waits behind a closed gate is probed at least so often."""
        if row["closed_at"] is None or row["refusals"] or receiver.url not in self.sent_at:
            return
        waits_since = receipt.at - (self.life.now() - row["created_at"])
        excuses = (self.touched.get(receiver.url, 0), receiver.asked_not_before, self.world.calm_since)
        since = max(self.sent_at[receiver.url], waits_since, *excuses)
        hangs_ms = max(config.callbacks.timeout_ms for config in self.city.configs)
        waited = receipt.at - since
        if waited > receiver.probed_every_ms + hangs_ms + self._slack_ms:
            self.world.breach("P7 it comes back", f"{receiver.url} was not probed for {waited} ms")

    def released_after(self, since: int) -> set[str]:
        """Endpoints that a user has held or let go of since then."""
        return {url for url, at in self.touched.items() if at >= since - 1_000}

    def touch(self, url: str) -> None:
        """A user pauses or resumes an endpoint."""
        self.touched[url_to_endpoint(url)] = self.world.elapsed_ms()


def _is_missed(misses: list[int]) -> bool:
    return len(misses) >= 3 and misses[-1] - misses[0] >= 30_000 - 1_000

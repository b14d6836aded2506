"""Providers and receivers: what they are asked, and how they misbehave, mood by mood."""

import codecs
import gzip
import json
import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.times import format_instant
from notifier.outbound.exchange_state import format_address
from tests.fakes import NOON

Chance = random.Random
TaskKey = tuple[str, str, str]
"""(provider, api_path, task_id)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How an exchange goes: ``takes_s`` until ``exchange`` is back; None: nothing ever comes.

    ``is_processed``: the peer has acted on the request, whatever comes back.
    """

    takes_s: float
    exchange: Exchange | None
    is_processed: bool = True


PRIVATE_MS, PUBLIC_MS = 60_000, 600_000
FINE = "fine"


@dataclass
class Mood:
    """How a peer is at present, and until when (world's ``elapsed_ms``)."""

    name: str = FINE
    until: int = 0


# -- providers


@dataclass
class Task:
    """A task upstream, as it truly is. Instants are the world's ``elapsed_ms``.

    ``told`` are the texts in which an end was told to the daemon, by the word of that end.
    """

    key: TaskKey
    created_at: int
    ends_at: int | None
    word: str
    known_from: int = 0
    vanishes_at: int | None = None
    is_fickle: bool = False
    quotes_key: bool = False
    oddity: str | None = None
    poison: str | None = None
    poisoned_at: int | None = None
    """When a poll first brought it."""
    told: dict[str, list[str]] = field(default_factory=dict)
    misses: list[int] = field(default_factory=list)

    def status_at(self, now: int, rng: Chance) -> str:
        """The word that it is told by now."""
        if self.ends_at is None or now < self.ends_at:
            return self.oddity or ("queued" if now < self.created_at + 3_000 else "processing")
        if self.is_fickle and self.told:
            return rng.choice(["processing", "failed", "completed", "cancelled"])
        return self.word

    def end_now(self, now: int) -> None:
        """End within moments, as all do once the faults are over."""
        if self.ends_at is None or self.ends_at > now:
            self.ends_at = now
        self.known_from, self.oddity, self.poison = 0, None, None


MEANING = {
    "completed": "completed",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
PROVIDER_MOODS = (
    "slow", "hang", "refuse", "reset", "500", "503", "429", "401", "402", "403", "400", "451", "garbage",
    "redirect", "blips", "amnesia",
)  # fmt: skip


PATH_MOODS = ("slow", "hang", "reset", "500", "503", "403", "400", "garbage", "redirect", "amnesia")
"""What a single api_path can suffer from, while the others are well."""
POISONS = ("hang", "reset", "500", "403", "garbage", "huge")
"""What polls of a single task can bring, while the others are well."""

NO_REPLY: Mapping[str, Exchange] = {
    "refuse": NoReply(FailureKind.CONNECT, "refused"),
    "reset": NoReply(FailureKind.RESET, ""),
    "reset before": NoReply(FailureKind.RESET, ""),
    "reset after": NoReply(FailureKind.RESET, ""),
    "huge": NoReply(FailureKind.TOO_LARGE, "17 MB"),
}


PAGE = b"<html>failed</html>"
BLEMISHES = ("byte order mark", "NaN", "half a pair", "equal keys", "gzip", "deep", *9 * ("none",))


@dataclass
class Upstream:
    """A provider. ``keys`` are those that it takes. ``parts`` are the moods of its api_paths."""

    name: str
    base_url: str
    keys: set[str]
    rng: Chance
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    mood: Mood = field(default_factory=Mood)
    asked_not_before: int = 0
    troubled_at: int = 0
    parts: dict[str, Mood] = field(default_factory=dict)
    parts_troubled_at: dict[str, int] = field(default_factory=dict)

    def trouble(self, now: int) -> None:
        """It is not well, or was not until now."""
        self.troubled_at = now

    def was_well_for(self, key: TaskKey, since: int) -> bool:
        """Whether nothing was wrong since then with the provider as a whole, or with this path."""
        own = self.parts_troubled_at.get(key[1], -1)
        return max(self.troubled_at, self.asked_not_before, own) < since

    def settle_parts(self, now: int, *, is_over: bool) -> None:
        """Moods of paths whose time is over end."""
        for api_path, mood in list(self.parts.items()):
            self.parts_troubled_at[api_path] = now
            if is_over or now >= mood.until:
                del self.parts[api_path]

    def _mood_for(self, task: Task | None, now: int) -> str:
        if self.mood.name != FINE or task is None:
            return self.mood.name
        api_path = task.key[1]
        if api_path in self.parts:
            self.parts_troubled_at[api_path] = now
            return self.parts[api_path].name
        if task.poison is not None and task.poisoned_at is None:
            task.poisoned_at = now
        return task.poison or FINE

    def count_newly_poisoned(self, key: TaskKey, since: int) -> int:
        """How many tasks of the same path have failed for the first time since then."""
        tasks = [each for each in self.tasks.values() if each.key[1] == key[1]]
        return sum(each.poisoned_at is not None and each.poisoned_at >= since for each in tasks)

    def answer(self, task: Task | None, key: str | None, now: int) -> Turn:
        """Say what a poll brings."""
        mood = self.mood.name
        if mood == "blips":
            mood = self.rng.choice([FINE, FINE, FINE, *PROVIDER_MOODS[:14]])
        if key not in self.keys and mood not in ("hang", "refuse"):
            mood = "401"
        if mood != FINE:
            self.trouble(now)
        else:
            mood = self._mood_for(task, now)
        if mood == "hang":
            return Turn(0.0, None)
        takes_s = self.rng.uniform(1, 20) if mood == "slow" else self.rng.uniform(0.005, 0.4)
        return Turn(takes_s, self._exchange(mood, task, key or "", now))

    def _exchange(self, mood: str, task: Task | None, key: str, now: int) -> Exchange:
        if mood in NO_REPLY:
            return NO_REPLY[mood]
        if mood.isdigit():
            return HttpReply(int(mood), self._retry_after(mood, now), b'{"title": "no"}')
        if mood == "redirect":
            return HttpReply(302, {"location": "https://elsewhere.example/login"})
        if mood == "garbage":
            garbage = self._garbage(task)
            return HttpReply(404 if garbage in (b"", PAGE) and now % 2 else 200, body=garbage)
        if task is None or mood == "amnesia" or now < task.known_from or self._is_gone(task, now):
            return HttpReply(self.rng.choice([404, 410]), body=b'{"title": "unknown"}')
        return self._spoil(self._truth(task, key, now))

    def _is_gone(self, task: Task, now: int) -> bool:
        return task.vanishes_at is not None and now >= task.vanishes_at

    def _retry_after(self, mood: str, now: int) -> Mapping[str, str]:
        if mood not in ("429", "503") or self.rng.random() < 0.3:
            return {}
        seconds = self.rng.choice([1, 7, 30, 120])
        value = self.rng.choice([str(seconds), "soon", "-5", "0.5", f"{seconds}.5"])
        if value[0].isdigit():
            self.asked_not_before = max(self.asked_not_before, now + int(float(value) * 1_000))
        return {"retry-after": value}

    def _truth(self, task: Task, key: str, now: int) -> bytes:
        status = task.status_at(now, self.rng)
        task_id = task.key[2]
        info: dict[str, object] = {
            "id": task_id,
            "status": status,
            "created_at": format_instant(NOON + task.created_at),
        }
        document: dict[str, object] = {"task_info": info}
        if MEANING.get(status) == "completed":
            info["updated_at"] = format_instant(NOON + (task.ends_at or now))
            document["images"] = [f"https://cdn.example/{task_id}/{n}.jpg" for n in range(2)]
        if MEANING.get(status) == "failed":
            info["error"] = {"code": 3001, "title": "Unsafe prompt", "detail": "The prompt was refused"}
        if task.quotes_key:
            document["debug"] = f"called with Bearer {key}"
        return json.dumps(document).encode()

    def _spoil(self, body: bytes) -> HttpReply:
        """Give four replies in ten a blemish that must cost nobody a finished task.

        It follows from the bytes, so that no story changes by it.
        """
        match BLEMISHES[zlib.crc32(body) % len(BLEMISHES)]:
            case "byte order mark":
                return HttpReply(200, body=codecs.BOM_UTF8 + body)
            case "NaN":
                return HttpReply(200, body=body[:-1] + b', "x": NaN}')
            case "half a pair":
                return HttpReply(200, body=body[:-1] + b', "x": "\\ud83d"}')
            case "equal keys":
                return HttpReply(200, body=b'{"task_info": {"status": "failed"}, ' + body[1:])
            case "gzip":
                return HttpReply(200, {"content-encoding": "gzip"}, gzip.compress(body, mtime=0))
            case "deep":
                return HttpReply(200, body=body[:-1] + b', "x": ' + b"[" * 70 + b"]" * 70 + b"}")
        return HttpReply(200, body=body)

    def _garbage(self, task: Task | None) -> bytes:
        task_id = "" if task is None else task.key[2]
        other = {"task_info": {"id": f"not-{task_id}", "status": "completed"}, "images": ["https://x/y.jpg"]}
        return self.rng.choice(
            [
                b"",
                PAGE,
                b'{"task_info": {"id": "' + task_id.encode() + b'", "status": "fai',
                b"\xef\xbb\xbf{}",
                b"[]",
                b"null",
                b'{"task_info": {"status": 7}}',
                b'{"task_info": {"status": null}}',
                b'{"task_info": {"status": "failed", "status": "completed"}',
                b'{"x": NaN, "task_info": {"status": "failed"}',
                b'{"error": "task failed"}',
                b"[" * 5_000,
                json.dumps(other).encode(),
            ]
        )


def meaning_of(reply: HttpReply) -> str:
    """Return what a reply of a provider says, without the blemishes that are repaired."""
    body = gzip.decompress(reply.body) if "content-encoding" in reply.headers else reply.body
    text = body.removeprefix(codecs.BOM_UTF8).decode()
    return text.replace(": NaN", ": null").replace("\\ud83d", "\ufffd")


# -- receivers


RECEIVER_MOODS = (
    "slow", "late", "hang", "refuse", "reset before", "reset after", "500", "502", "503", "429", "401", "404",
    "302", "picky", "flapping", "410", "410", "410",
)  # fmt: skip


@dataclass
class Receiver:
    """What stands behind one endpoint. ``crash`` ends the daemon right after a 2xx has been given."""

    url: str
    origin: str
    is_public: bool
    rng: Chance
    crash: Callable[[], None]
    mood: Mood = field(default_factory=Mood)
    asked_not_before: int = 0
    troubled_at: int = 0
    well_since: int | None = 0
    refused: set[str] = field(default_factory=set)
    crashes_next: bool = False

    def was_well(self, at: int) -> bool:
        """Whether it has taken whatever came since then."""
        return self.well_since is not None and self.well_since <= at

    @property
    def probed_every_ms(self) -> int:
        """How often it is tried at least while it is held to be down (CONTRACT, P7)."""
        return PUBLIC_MS if self.is_public else PRIVATE_MS

    @property
    def peer(self) -> str:
        """The address and port that was spoken to, as the wire spells them."""
        return format_address("93.184.216.34" if self.is_public else "127.0.0.1", 9001)

    def answer(self, event_id: str, now: int) -> Turn:
        """Say what a callback brings."""
        turn = self._turn(event_id, now)
        taken = isinstance(turn.exchange, HttpReply) and 200 <= turn.exchange.status <= 299
        if not taken or turn.takes_s > 1:
            self.trouble(now)
        elif self.well_since is None:
            self.well_since = now
        return turn

    def trouble(self, now: int) -> None:
        """It is not well, or was not until now; the next 2xx says that it is."""
        self.troubled_at, self.well_since = now, None

    def _turn(self, event_id: str, now: int) -> Turn:
        mood = self.mood.name
        takes_s = self.rng.uniform(0.003, 0.3)
        if mood == "flapping":
            mood = self.rng.choice([FINE, FINE, *RECEIVER_MOODS[:-4]])
        if mood == "hang":
            return Turn(0.0, None, is_processed=self.rng.random() < 0.5)
        if mood in NO_REPLY:
            return Turn(takes_s, NO_REPLY[mood], is_processed=mood == "reset after")
        if mood.isdigit():
            return Turn(takes_s, self._refusal(self._status(mood), now), is_processed=False)
        if mood == "picky" and (event_id in self.refused or self.rng.random() < 0.5):
            self.refused.add(event_id)
            return Turn(takes_s, self._refusal(self.rng.choice([400, 413, 422]), now), is_processed=False)
        if mood in ("slow", "late"):
            takes_s = self.rng.uniform(1, 4.5) if mood == "slow" else self.rng.uniform(16, 30)
        return Turn(takes_s, self._taken())

    def _status(self, mood: str) -> int:
        """Refuse everything with one status for the time of a mood; no chance is drawn for it."""
        return (404, 421, 400)[self.mood.until % 3] if mood == "404" else int(mood)

    def _taken(self) -> HttpReply:
        return HttpReply(self.rng.choice([200, 201, 204]), body=b"ok")

    def _refusal(self, status: int, now: int) -> HttpReply:
        headers = {"location": "http://169.254.169.254/"} if status == 302 else {}
        if status in (429, 503) and self.rng.random() < 0.5:
            seconds = self.rng.choice([2, 45, 600])
            headers = {"retry-after": str(seconds)}
            self.asked_not_before = max(self.asked_not_before, now + seconds * 1_000)
        return HttpReply(status, headers, b"no")

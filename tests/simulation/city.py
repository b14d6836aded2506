"""Who lives outside of one simulation, and how the daemon is set up for them: all drawn from the seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from notifier.config.model import (
    CallbackSettings,
    Config,
    PollingSettings,
    ProviderSettings,
    RetentionSettings,
)
from notifier.core.delivery.signature import make_secret
from notifier.core.secret import Secret
from tests.simulation.peers import (
    FINE,
    PATH_MOODS,
    POISONS,
    PROVIDER_MOODS,
    RECEIVER_MOODS,
    Chance,
    Mood,
    Receiver,
    Task,
    TaskKey,
    Upstream,
)

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PATHS = ("/vendors/alibaba/v1/image/generation", "/vendors/openai/v1/sora/generation")
ORIGINS = (
    ("http://127.0.0.1:9001", 3),
    ("http://127.0.0.1:9002", 1),
    ("http://10.0.0.7", 2),
    ("https://hooks.example.com", 2),
)
"""Receivers by origin, and how many endpoints each has; the last one is on the internet."""


@dataclass(frozen=True)
class Tempo:
    """How often the daemon looks up without being asked. Production's own tempo is ``idle_s = 1``.

    A slower one makes long lives cheap, and a lost wake-up lasts: nothing but the ring itself mends it soon.
    """

    idle_s: int = 1
    housekeeping_s: int = 60
    pause_s: tuple[float, float] = (1, 120)
    """Between two acts of the outside, at least and on average."""
    is_partial: bool = False
    """Mostly parts of providers misbehave: single paths, and single tasks."""


class City:
    """Providers with their tasks, receivers with their moods, and the daemon's configuration."""

    def __init__(self, rng: Chance, crash: Callable[[], None], now: Callable[[], int]) -> None:
        self.rng = rng
        self.now = now
        self.crash = crash
        self.is_over = False
        self._tasks = 0
        names = ("mulerouter", "second")
        self.upstreams = {name: self._upstream(name) for name in names}
        self.receivers = {
            f"{origin}/hook{n}": self._receiver(f"{origin}/hook{n}", origin)
            for origin, count in ORIGINS
            for n in range(count)
        }
        self.keys: set[str] = {key for each in self.upstreams.values() for key in each.keys}
        self.secrets = [make_secret(rng.randbytes(32))]
        self.config = self._first_config()
        self.configs = [self.config]

    def _upstream(self, name: str) -> Upstream:
        return Upstream(name, f"https://{name}.example/api", {self._key(name)}, self.rng)

    def _receiver(self, url: str, origin: str) -> Receiver:
        return Receiver(url, origin, origin.startswith("https"), self.rng, self.crash)

    def _key(self, name: str) -> str:
        return f"sk-{name}-{self.rng.getrandbits(64):016x}"

    # -- tasks

    def new_task(self) -> Task:
        """Have a provider begin a task."""
        self._tasks += 1
        rng, now = self.rng, self.now()
        name = rng.choice(sorted(self.upstreams))
        key = (name, rng.choice(PATHS), f"task-{self._tasks}")
        lasts = rng.choice([0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 15 * MINUTE, HOUR])
        task = Task(
            key,
            created_at=now,
            ends_at=None if rng.random() < 0.05 else now + int(lasts * rng.uniform(0.5, 1.5)),
            word=rng.choice(
                ["completed", "completed", "succeeded", "Completed", "failed", "canceled"]
            ).lower(),
            known_from=now + rng.choice([0, 0, 0, 4 * SECOND]),
            vanishes_at=now + rng.randrange(HOUR) if rng.random() < 0.06 else None,
            is_fickle=rng.random() < 0.1,
            quotes_key=rng.random() < 0.1,
            oddity="archiving" if rng.random() < 0.05 else None,
        )
        self.upstreams[name].tasks[key] = task
        return task

    def find_task(self, url: str) -> tuple[Upstream | None, Task | None]:
        """Who is asked at this URL, and about what."""
        for upstream in self.upstreams.values():
            if url.startswith(upstream.base_url + "/"):
                api_path, _, task_id = url.removeprefix(upstream.base_url).rpartition("/")
                return upstream, upstream.tasks.get((upstream.name, api_path, task_id))
        return None, None

    def task(self, key: TaskKey) -> Task:
        """The task of this key."""
        return self.upstreams[key[0]].tasks[key]

    # -- moods

    def change_a_mood(self) -> str:
        """Somebody begins to misbehave, or to behave."""
        rng, now = self.rng, self.now()
        peers: list[Upstream | Receiver] = [*self.receivers.values()]
        if rng.random() < 0.35:
            peers = [*self.upstreams.values()]
        peer = rng.choice(peers)
        moods = PROVIDER_MOODS if isinstance(peer, Upstream) else RECEIVER_MOODS
        lasts = rng.choice([20 * SECOND, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR])
        name = FINE if rng.random() < 0.3 else rng.choice(moods)
        peer.mood = Mood(name, now + int(lasts * rng.uniform(0.5, 1.5)))
        return f"{peer.base_url if isinstance(peer, Upstream) else peer.url} {name}"

    def change_a_part(self) -> str:
        """An api_path begins to misbehave, or to behave; or some tasks of one misbehave for good."""
        rng, now = self.rng, self.now()
        upstream, api_path = self.upstreams[rng.choice(sorted(self.upstreams))], rng.choice(PATHS)
        if rng.random() < 0.5:
            lasts = rng.choice([MINUTE, 10 * MINUTE, HOUR])
            name = FINE if rng.random() < 0.3 else rng.choice(PATH_MOODS)
            upstream.parts[api_path] = Mood(name, now + int(lasts * rng.uniform(0.5, 1.5)))
            return f"{upstream.name}{api_path} {name}"
        poison, count = rng.choice(POISONS), rng.choice([1, 4, 10, 10])
        tasks = [each for each in upstream.tasks.values() if each.key[1] == api_path][-3 * count :]
        for task in rng.sample(tasks, min(count, len(tasks))):
            task.poison = poison
        return f"{upstream.name}{api_path} {count} tasks {poison}"

    def settle(self) -> None:
        """Moods whose time is over end; once the faults are over, all of them."""
        now = self.now()
        peers: list[Upstream | Receiver] = [*self.upstreams.values(), *self.receivers.values()]
        for peer in peers:
            if peer.mood.name != FINE:
                peer.trouble(now)
                if self.is_over or now >= peer.mood.until:
                    peer.mood = Mood()
        for upstream in self.upstreams.values():
            upstream.settle_parts(now, is_over=self.is_over)

    def end_faults(self) -> None:
        """From now on everybody behaves, and every task comes to its end."""
        self.is_over = True
        self.settle()
        for receiver in self.receivers.values():
            receiver.crashes_next = False
        for upstream in self.upstreams.values():
            for task in upstream.tasks.values():
                task.end_now(self.now())

    # -- configuration

    def _first_config(self) -> Config:
        rng = self.rng
        providers = {name: self._provider(upstream) for name, upstream in self.upstreams.items()}
        callbacks = CallbackSettings(
            secrets=tuple(self.secrets),
            timeout_ms=rng.choice([5, 15]) * SECOND,
            give_up_after_ms=rng.choice([1, 6, 72]) * HOUR,
            max_in_flight=32,
            max_in_flight_per_origin=rng.choice([1, 2, 4]),
        )
        return Config(
            providers=providers,
            callbacks=callbacks,
            retention=RetentionSettings(delivered_ms=90 * DAY, dead_ms=90 * DAY),
        )

    def _provider(self, upstream: Upstream) -> ProviderSettings:
        rng = self.rng
        polling = PollingSettings(
            max_interval_ms=rng.choice([MINUTE, 10 * MINUTE]),
            growth=rng.choice([0.1, 0.3]),
            expire_after_ms=rng.choice([20 * MINUTE, 2 * HOUR]),
            request_timeout_ms=rng.choice([5, 15]) * SECOND,
        )
        (key,) = upstream.keys
        return ProviderSettings(
            name=upstream.name,
            base_url=upstream.base_url,
            api_key=Secret(key),
            max_in_flight=rng.choice([4, 32]),
            max_rate_per_s=rng.choice([10.0, 50.0]),
            polling=polling,
        )

    def load(self) -> Config:
        """What the configuration file says now."""
        return self.config

    def change_config(self) -> str:
        """Somebody edits the configuration; a reload or a restart will find it."""
        act = self.rng.choice(["key", "secret", "width", "growth", "leave", "return"])
        providers, callbacks = dict(self.config.providers), self.config.callbacks
        name = self.rng.choice(sorted(self.upstreams))
        match act:
            case "key" if name in providers:
                fresh = self._key(name)
                self.keys.add(fresh)
                self.upstreams[name].keys = {fresh}
                providers[name] = replace(providers[name], api_key=Secret(fresh))
            case "secret":
                self.secrets.append(make_secret(self.rng.randbytes(32)))
                callbacks = replace(callbacks, secrets=tuple(self.secrets[-2:]))
            case "width":
                callbacks = replace(callbacks, max_in_flight_per_origin=self.rng.choice([1, 2, 4]))
            case "growth" if name in providers:
                polling = replace(providers[name].polling, growth=self.rng.choice([0.05, 0.5]))
                providers[name] = replace(providers[name], polling=polling)
            case "leave" if len(providers) > 1:
                del providers[name]
            case _:
                self._return(providers)
        self._use(replace(self.config, providers=providers, callbacks=callbacks))
        return f"{act} {name}"

    def return_all(self) -> None:
        """Whoever left the configuration is in it again."""
        providers = dict(self.config.providers)
        self._return(providers)
        self._use(replace(self.config, providers=providers))

    def _return(self, providers: dict[str, ProviderSettings]) -> None:
        for name, first in self.configs[0].providers.items():
            (key,) = self.upstreams[name].keys
            providers.setdefault(name, replace(first, api_key=Secret(key)))

    def _use(self, config: Config) -> None:
        self.config = config
        self.configs.append(config)

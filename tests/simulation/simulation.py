"""A simulated installation, moved step by step, and its end: the faults stop, everything must drain."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.simulation import promises
from tests.simulation.audit import Audit
from tests.simulation.city import City, Tempo
from tests.simulation.client import Client
from tests.simulation.disk import CRASHES, PLACES, Disk, Plan
from tests.simulation.life import Life, Outside, edges
from tests.simulation.loop import Stuck
from tests.simulation.oracle import Oracle
from tests.simulation.world import Breach, World

DRAIN_STEP_S = 60.0
LATEST_DRAIN_S = 5 * 3_600.0
"""A refused event waits up to 72 minutes for its next try; a few of them in a row, and Retry-After before."""


@dataclass(frozen=True)
class Result:
    """What one run brought; ``hash`` is that of its trace."""

    seed: str
    hash: str
    virtual_days: float
    counts: dict[str, int]
    breaches: tuple[Breach, ...]
    last_lines: tuple[str, ...]


class Simulation:
    """One world from its first day to its last. Use it in ``with``: it bends names of modules meanwhile."""

    def __init__(self, seed: str, folder: Path, tempo: Tempo) -> None:
        self.world = World(seed)
        self.rng = self.world.rng
        self.tempo = tempo
        file = folder / "notifier.db"
        disk = Disk(self.rng, self._die, self._note_disk)
        city = City(self.rng, lambda: self._die("after a receiver took it"), self.world.elapsed_ms)
        self._audit = Audit(file)
        oracle = Oracle(self.world, city, self._audit, tempo, file)
        self._outside = Outside(self.world, city, oracle, disk, file, tempo)
        self.city, self.oracle, self.disk = city, oracle, disk
        self.client = Client(self._life)
        self.returning: dict[str, int] = {}
        self.asked_again: dict[str, int] = {}
        self.faults_ended_at = 0
        self._lives = 0
        self._down_until = 0.0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Simulation":
        self._stack.enter_context(edges(self._outside))
        return self

    def __exit__(self, *_: object) -> None:
        if self._outside.life is not None:
            self._outside.life.end()
        self._audit.close()
        self._stack.close()

    def _die(self, where: str) -> NoReturn:
        self._life().die(where)

    def _note_disk(self) -> None:
        self.world.disturb()
        self.oracle.disk_troubled_at = self.world.elapsed_ms()

    def _life(self) -> Life:
        assert self._outside.life is not None
        return self._outside.life

    @property
    def is_up(self) -> bool:
        """Whether a daemon runs."""
        return self._outside.life is not None and not self._outside.life.is_dead

    def now(self) -> int:
        """The daemon's time, epoch milliseconds; the wall's while there is none."""
        return self._life().now() if self.is_up else self.world.wall_ms()

    # -- steps

    def advance(self, seconds: float) -> None:
        """Let time pass; whatever dies is started again after a while."""
        until = self.world.mono + seconds
        while self.world.mono < until and not self.world.breaches:
            if not self.is_up:
                self.world.mono = max(self.world.mono, min(until, self._down_until))
                if self.world.mono >= until:
                    break
                self._lives += 1
                Life(self._outside, self._lives)
            try:
                lives_on = self._life().run_to(until)
            except Stuck as stuck:
                self.world.breach("alive", str(stuck))
                return
            if not lives_on:
                promises.check_stop(self)
                self._after_death()
        self.city.settle()
        promises.check_now_and_then(self)

    def _after_death(self) -> None:
        self.disk.plan = None
        self._down_until = self.world.mono + self.rng.choice([0.1, 0.1, 2.0, 2.0, 10.0, 60.0, 1_800.0])
        # By the time of the daemon, as its rows are: it may not have seen the latest step of the wall clock.
        for text in self._audit.disagreements(self._life().now()):
            self.world.breach("the store agrees with itself", text)

    def do(self, name: str, wait_s: float = 0.05) -> None:
        """Have the client begin an act by its name; nobody waits for it."""
        if self.is_up:
            act: Callable[[], Awaitable[None]] = getattr(self.client, name)
            self._life().start(act(), name)
            self.advance(wait_s)

    # -- faults

    def crash(self) -> None:
        """Kill the daemon now."""
        if self.is_up:
            self._life().end()
            self._after_death()

    def crash_soon(self) -> None:
        """Kill it in one of its next writes."""
        how, place = self.rng.choice(CRASHES), self.rng.choice(PLACES)
        self.disk.plan = Plan(how, place, skip=self.rng.randrange(3))

    def crash_after_answer(self) -> None:
        """Kill it right after some receiver has taken its next callback."""
        self.rng.choice(list(self.city.receivers.values())).crashes_next = True

    def stop(self) -> None:
        """Stop the daemon in order, mostly in the middle of something."""
        if self.rng.random() < 0.7:
            self.do("redeliver", wait_s=0.1)
        if self.is_up:
            self._life().stop()

    def fill_disk(self) -> None:
        """Let the next writes meet a full disk."""
        self.world.note("full disk")
        self.world.disturb()
        self.disk.plan = Plan(
            "full", self.rng.choice(("INSERT INTO attempts", *PLACES)), count=self.rng.randrange(1, 20)
        )

    def slow_disk(self) -> None:
        """Make the disk slow, or quick again."""
        self.world.note("slow disk", not self.disk.is_slow)
        self.world.disturb()
        self.disk.is_slow = not self.disk.is_slow

    def sleep(self, seconds: float) -> None:
        """Suspend the machine: the loop's time stands still, all other time goes on."""
        self.world.slept_s += seconds
        self.world.leapt_at = self.world.elapsed_ms()
        self.world.note("sleep", seconds)
        self.world.disturb()

    def step_clock(self, seconds: float) -> None:
        """Set the wall clock."""
        self.world.stepped_ms += int(seconds * 1_000)
        self.world.leapt_at = self.world.elapsed_ms()
        self.world.note("step", seconds)
        self.world.disturb(self.tempo.idle_s * 1_000 + 1_000)  # until the daemon has seen it

    def edit_config(self) -> None:
        """Change the configuration, and mostly have it read again."""
        self.world.note("config", self.city.change_config())
        if self.rng.random() < 0.8:
            self.do("reload")

    # -- the end

    def drain(self) -> None:
        """End all faults; from now on everything must come to its end within what is promised."""
        self.city.end_faults()
        self.city.return_all()
        self.disk.plan, self.disk.is_slow = None, False
        self.world.note("faults end")
        self.world.disturb()
        self._reach_client()
        promises.begin(self)
        waited = 0.0
        while waited < LATEST_DRAIN_S and not self.world.breaches and promises.waiting(self._audit):
            self.advance(DRAIN_STEP_S)
            waited += DRAIN_STEP_S
            promises.check_return(self)
            if self.is_held:
                self.do("release_all")
        self.world.counts["drained_s"] = int(waited)
        if not self.world.breaches:
            promises.check_end(self)

    @property
    def is_held(self) -> bool:
        """Whether some endpoint is sent nothing until a user resumes it."""
        return bool(self._audit.rows("SELECT 1 FROM endpoints WHERE hold IS NOT NULL LIMIT 1"))

    def _reach_client(self) -> None:
        """Have the last acts of the users done: the configuration is read, and nothing is held any more."""
        for _ in range(20):
            while not self.is_up or not self._life().is_ready or self._life().is_stopping:
                self.advance(60.0)
                if self.world.breaches:
                    return
            self.do("reload")
            self.do("release_all")
            self.advance(1.0)
            if self.world.breaches or not self.is_held:
                return
        self.world.breach("alive", "the endpoints cannot be resumed")

    @property
    def audit(self) -> Audit:
        """What is committed."""
        return self._audit

    def result(self) -> Result:
        """What it brought so far."""
        return Result(
            seed=self.world.seed,
            hash=self.world.hash,
            virtual_days=self.world.mono / 86_400,
            counts=dict(self.world.counts),
            breaches=tuple(self.world.breaches),
            last_lines=tuple(self.world.lines),
        )

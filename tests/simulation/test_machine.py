"""Whatever order things happen in: hypothesis looks for the shortest story that breaks a promise."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.simulation.bugs import BUGS
from tests.simulation.city import Tempo
from tests.simulation.disk import CRASHES, PLACES, Plan
from tests.simulation.peers import FINE, PROVIDER_MOODS, RECEIVER_MOODS, Mood
from tests.simulation.simulation import Simulation

TEMPO = Tempo(idle_s=60, housekeeping_s=300)
ACTS = ("add_callback", "stop", "resume", "poll", "redeliver", "replay", "pause", "release", "look")
LONG_MS = 3_600_000


class Installation(RuleBasedStateMachine):
    """One simulated installation; every rule is something that happens outside of the daemon."""

    @initialize(seed=st.integers(0, 3))
    def begin(self, seed: int) -> None:
        """Set up a daemon and its peers."""
        self.folder = tempfile.TemporaryDirectory(prefix="notifier-machine-")
        self.simulation = Simulation(f"machine-{seed}", Path(self.folder.name), TEMPO)
        self.simulation.__enter__()
        self.simulation.advance(1.0)

    @rule(count=st.integers(1, 4))
    def register(self, count: int) -> None:
        """Some tasks are to be watched."""
        for _ in range(count):
            self.simulation.do("register")

    @rule(name=st.sampled_from(ACTS))
    def act(self, name: str) -> None:
        """A user does something else."""
        self.simulation.do(name)

    @rule(seconds=st.sampled_from([0.2, 3.0, 20.0, 60.0, 600.0, 3_600.0]))
    def let_pass(self, seconds: float) -> None:
        """Time passes."""
        self.simulation.advance(seconds)

    @rule()
    def tasks_end(self) -> None:
        """All tasks come to their end upstream."""
        city = self.simulation.city
        for upstream in city.upstreams.values():
            for task in upstream.tasks.values():
                task.end_now(city.now())

    @rule(number=st.integers(0, 1), name=st.sampled_from((FINE, *PROVIDER_MOODS)))
    def provider(self, number: int, name: str) -> None:
        """A provider begins to misbehave, or to behave."""
        upstream = list(self.simulation.city.upstreams.values())[number]
        upstream.mood = Mood(name, self.simulation.world.elapsed_ms() + LONG_MS)

    @rule(number=st.integers(0, 7), name=st.sampled_from((FINE, *RECEIVER_MOODS)))
    def receiver(self, number: int, name: str) -> None:
        """A receiver begins to misbehave, or to behave."""
        receiver = list(self.simulation.city.receivers.values())[number]
        receiver.mood = Mood(name, self.simulation.world.elapsed_ms() + LONG_MS)

    @rule()
    def crash(self) -> None:
        """The daemon is killed."""
        self.simulation.crash()

    @rule(how=st.sampled_from(CRASHES), place=st.sampled_from(PLACES), skip=st.integers(0, 3))
    def crash_in_a_write(self, how: str, place: str, skip: int) -> None:
        """It will be killed in a write of this kind."""
        self.simulation.disk.plan = Plan(how, place, skip)

    @rule()
    def crash_after_answer(self) -> None:
        """It will be killed right after a receiver has taken a callback."""
        self.simulation.crash_after_answer()

    @rule(place=st.sampled_from(PLACES), count=st.integers(1, 20))
    def full_disk(self, place: str, count: int) -> None:
        """Some writes of this kind will find the disk full."""
        self.simulation.disk.plan = Plan("full", place, count=count)

    @rule()
    def stop(self) -> None:
        """The daemon is stopped in order; it is started again after a while."""
        self.simulation.stop()

    @rule(seconds=st.sampled_from([-86_400.0, -30.0, 0.5, 30.0, 3_600.0, 86_400.0]))
    def step_clock(self, seconds: float) -> None:
        """The wall clock is set."""
        self.simulation.step_clock(seconds)

    @rule(seconds=st.sampled_from([30.0, 28_800.0]))
    def sleep(self, seconds: float) -> None:
        """The machine is suspended."""
        self.simulation.sleep(seconds)

    @rule()
    def reload(self) -> None:
        """The configuration is edited, and read again."""
        self.simulation.edit_config()

    @invariant()
    def every_promise_is_kept(self) -> None:
        """See the oracle."""
        simulation = getattr(self, "simulation", None)
        if simulation is not None:
            assert not simulation.world.breaches, "\n".join(
                [*simulation.world.lines, *map(str, simulation.world.breaches)]
            )

    def teardown(self) -> None:
        """End the faults: everything must drain."""
        if not hasattr(self, "simulation"):
            return
        try:
            if not self.simulation.world.breaches:
                self.simulation.drain()
                self.every_promise_is_kept()
        finally:
            self.simulation.__exit__()
            self.folder.cleanup()


SETTINGS = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestInstallation = Installation.TestCase
TestInstallation.settings = SETTINGS


@pytest.mark.parametrize("bug", ["claim without a lease", "intervals shrink"])
def test_a_story_that_shows_a_planted_bug_is_found(bug: str) -> None:
    """The search can fail: some order of steps shows a bug of this kind."""
    hunt = settings(SETTINGS, max_examples=400, derandomize=True, database=None, phases=[Phase.generate])
    with BUGS[bug].planted(), pytest.raises(AssertionError) as found:
        run_state_machine_as_test(Installation, settings=hunt)
    assert any(f"[{rule}]" in str(found.value) for rule in BUGS[bug].rules)


def test_steps_of_the_clock_that_nobody_saw_are_followed_by_the_next_daemon() -> None:
    """Two before the next beat, then a crash: the daemon that starts goes on in time that has passed."""
    story = Installation()
    story.begin(seed=0)
    try:
        story.step_clock(seconds=3_600.0)
        story.register(count=4)
        story.step_clock(seconds=-30.0)
        story.crash()
        story.let_pass(seconds=600.0)
        story.every_promise_is_kept()
    finally:
        story.teardown()

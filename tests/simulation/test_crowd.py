"""The whole daemon beside four hundred receivers that hang: who returns is served within a minute."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.simulation.days import BRISK
from tests.simulation.peers import Mood, Receiver
from tests.simulation.simulation import Simulation

CROWD = 400
CALLBACKS = 16
FOREVER = 10**12
KNOWN = "http://10.0.0.7/hook0"


def begin(folder: Path) -> Simulation:
    """Make a city in which four hundred receivers on the internet hang, beside those that work."""
    simulation = Simulation("crowd", folder, BRISK)
    city = simulation.city
    callbacks = replace(city.config.callbacks, timeout_ms=5_000, give_up_after_ms=72 * 3_600_000)
    city.config = replace(city.config, callbacks=callbacks)
    city.configs = [city.config]
    for n in range(CROWD):
        origin = f"https://h{n}.example.com"
        receiver = Receiver(f"{origin}/hook", origin, True, city.rng, city.crash)
        receiver.mood = Mood("hang", FOREVER)
        city.receivers[receiver.url] = receiver
    return simulation


def finish_task(simulation: Simulation, urls: Sequence[str]) -> None:
    """Have a task with these callbacks end at once."""
    task = simulation.city.new_task()
    task.end_now(simulation.world.elapsed_ms())
    task.word, task.is_fickle, task.vanishes_at = "completed", False, None
    provider, api_path, task_id = task.key
    body = {
        "provider": provider,
        "api_path": api_path,
        "task_id": task_id,
        "metadata": {},
        "callbacks": [{"url": url} for url in urls],
    }
    simulation._life().start(simulation.client._register(body), "register")
    simulation.advance(5.0)


def wait_until_served(simulation: Simulation, url: str, limit_s: int) -> None:
    """Let time pass until the receiver was sent something."""
    since = simulation.world.elapsed_ms()
    for _ in range(limit_s):
        simulation.advance(1.0)
        if simulation.oracle.sent_at.get(url, -1) >= since:
            return
    raise AssertionError(f"{url} was sent nothing for {limit_s} s")


def test_a_receiver_that_returns_beside_a_crowd_that_hangs_is_served_within_a_minute(tmp_path: Path) -> None:
    """P5 and P7: one that was away for 30 s within 60 s, a new one within 10 s; at the end all is told."""
    with begin(tmp_path) as simulation:
        simulation.advance(10.0)
        finish_task(simulation, [KNOWN])
        crowd = [url for url in simulation.city.receivers if url.endswith(".example.com/hook")]
        for start in range(0, CROWD, CALLBACKS):
            finish_task(simulation, crowd[start : start + CALLBACKS])
        simulation.advance(300.0)
        assert set(crowd) <= simulation.oracle.sent_at.keys()
        simulation.city.receivers[KNOWN].mood = Mood("hang", FOREVER)
        finish_task(simulation, [KNOWN])
        simulation.advance(25.0)
        simulation.city.receivers[KNOWN].mood = Mood()
        wait_until_served(simulation, KNOWN, 60)
        new = "http://127.0.0.1:9002/hook0"
        assert new not in simulation.oracle.sent_at
        finish_task(simulation, [new])
        simulation.advance(5.0)
        assert new in simulation.oracle.sent_at
        simulation.drain()
        assert simulation.result().breaches == ()

"""From the outcome to the receiver: fifty tasks a second end, and each is called back for at once."""

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most, exactly
from benchmarks.load import Offer, Outcome, offered
from benchmarks.stats import median, quantile

PER_S = 50
OVER_S = 16.0
GRACE_S = 12.0
ROUNDS = 3


async def callback(bench: Bench) -> list[Figure]:
    """Measure it at one receiver, under the polls that finding fifty ends a second takes."""
    outcomes = [await _loaded(bench) for _ in range(bench.pick(ROUNDS, 1))]
    label = f"{PER_S} ends a second"
    p99s = [_ms(outcome, 0.99) for outcome in outcomes]
    each = ", ".join(f"{ms:.1f}" for ms in p99s)
    lost = sum(outcome.delays.lost for outcome in outcomes)
    return [
        Figure(f"{label}: outcome to callback, p50", median([_ms(one, 0.5) for one in outcomes]), "ms"),
        Figure(
            f"{label}: outcome to callback, p99",
            median(p99s),
            "ms",
            at_most(50),
            note=f"median of {each}; {outcomes[-1].polls_per_s:.0f} polls/s beside; "
            f"cores used: {outcomes[-1].busy}",
        ),
        Figure(f"{label}: lost", lost, "tasks", exactly(0)),
    ]


async def _loaded(bench: Bench) -> Outcome:
    over_s = bench.pick(OVER_S, 5.0)
    with bench.folder() as folder:
        outcome = await offered(folder, Offer(round(PER_S * over_s), over_s, GRACE_S))
    bench.say(f"outcome to callback: p50 {_ms(outcome, 0.5):.1f} ms, p99 {_ms(outcome, 0.99):.1f} ms")
    return outcome


def _ms(outcome: Outcome, share: float) -> float:
    return quantile(outcome.delays.delivered_s, share) * 1_000

"""How things stand, in one sentence: what is wrong first, else what there is."""

from collections.abc import Iterator, Mapping

FINE = "ok"
WELL = "All is well"


def summary(
    *,
    trouble: str | None,
    watches: Mapping[str, int],
    deliveries: Mapping[str, int],
    expiring: int,
    held: int,
    providers: Mapping[str, str],
) -> str:
    """Say it as ``GET /v1/status`` has it. ``trouble`` says why the daemon is not ready.

    ``held`` counts the endpoints that are closed, paused or gone.
    """
    wrong = list(_wrong(trouble, deliveries.get("dead", 0), expiring, held, providers))
    there = f"{_watched(watches.get('watching', 0))}, {_waiting(deliveries.get('pending', 0))}"
    if not wrong:
        return f"{WELL}: {there}."
    return f"Needs a look: {'; '.join(wrong)}. Else {there}."


def _wrong(
    trouble: str | None, dead: int, expiring: int, held: int, providers: Mapping[str, str]
) -> Iterator[str]:
    if trouble is not None:
        yield trouble
    for name, condition in providers.items():
        if condition != FINE:
            yield f"{name}: {condition}"
    if held:
        yield "1 receiver is held back" if held == 1 else f"{held} receivers are held back"
    if expiring:
        yield f"{expiring} undelivered {'result expires' if expiring == 1 else 'results expire'} soon"
    if dead:
        yield "1 delivery is dead" if dead == 1 else f"{dead} deliveries are dead"


def _watched(count: int) -> str:
    return {0: "nothing is being watched", 1: "1 task is being watched"}.get(
        count, f"{count} tasks are being watched"
    )


def _waiting(count: int) -> str:
    return {0: "no delivery waits", 1: "1 delivery waits"}.get(count, f"{count} deliveries wait")

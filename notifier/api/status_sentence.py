"""Describe the status in one sentence: what is wrong first, then how much work there is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from notifier.core.task_statistics import format_count


@dataclass(frozen=True, slots=True)
class StatusSentence:
    """How things stand, in one sentence. ``is_ok``: nothing in it needs a look."""

    is_ok: bool
    text: str


def describe_status(
    *,
    trouble: str | None,
    watches: Mapping[str, int],
    deliveries: Mapping[str, int],
    expiring: int,
    held: int,
    troubled: int,
    refused: int,
    providers: Mapping[str, str],
    paths: int,
) -> StatusSentence:
    """Return the ``summary`` of ``GET /v1/status``. ``trouble`` says why the daemon is not ready.

    ``providers`` says why each provider that is held back is. ``paths`` counts the api_paths that are held
    back, ``held`` the endpoints that are closed, paused or gone. ``troubled`` counts the live watches in
    trouble for a minute or more, ``refused`` the pending deliveries that a receiver refused.
    """
    wrong = [
        *_list_failures(trouble, providers, paths, held),
        *_list_undelivered(deliveries.get("dead", 0), expiring, troubled, refused),
    ]
    watching, waiting = watches.get("watching", 0), deliveries.get("pending", 0)
    work = f"{_describe_watching(watching)}, {_describe_waiting(waiting)}"
    if not wrong:
        return StatusSentence(True, f"All is well: {work}.")
    return StatusSentence(False, f"Needs a look: {'; '.join(wrong)}. Else {work}.")


def _list_failures(trouble: str | None, providers: Mapping[str, str], paths: int, held: int) -> Iterator[str]:
    if trouble is not None:
        yield trouble
    for name, condition in providers.items():
        yield f"{name}: {condition}"
    if paths:
        yield "1 api_path is held back" if paths == 1 else f"{paths} api_paths are held back"
    if held:
        yield "1 receiver is held back" if held == 1 else f"{held} receivers are held back"


def _list_undelivered(dead: int, expiring: int, troubled: int, refused: int) -> Iterator[str]:
    if troubled:
        have = "task has" if troubled == 1 else "tasks have"
        yield f"{format_count(troubled)} watched {have} been in trouble for a minute or more"
    if refused:
        were = "callback was refused and is" if refused == 1 else "callbacks were refused and are"
        yield f"{format_count(refused)} {were} tried again"
    if expiring:
        yield f"{expiring} undelivered {'result expires' if expiring == 1 else 'results expire'} soon"
    if dead:
        yield "1 delivery is dead" if dead == 1 else f"{dead} deliveries are dead"


def _describe_watching(count: int) -> str:
    return {0: "nothing is being watched", 1: "1 task is being watched"}.get(
        count, f"{count} tasks are being watched"
    )


def _describe_waiting(count: int) -> str:
    return {0: "no delivery waits", 1: "1 delivery waits"}.get(count, f"{count} deliveries wait")

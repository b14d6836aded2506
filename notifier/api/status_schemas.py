"""The shape of ``GET /v1/status``, from which the OpenAPI document is made too."""

from msgspec import Struct

from notifier.api.schemas import CauseBody, Instant


class LearnedBody(Struct, frozen=True):
    """How many seconds the tasks of an api_path took: 5 %, 50 % and 90 % of them no longer than this.

    From ten ``finishes`` on, the first poll is near ``p5_s``, and polls are evenly spaced until ``p90_s``.
    With ``polling.learn = false`` these values are not used.
    """

    provider: str
    api_path: str
    finishes: int
    p5_s: float
    p50_s: float
    p90_s: float


class PathBody(Struct, frozen=True):
    """An api_path that something is wrong with, while others of its provider may be well.

    ``blocked`` says whether it is held back. Then only single probes go out, the next one at
    ``next_probe_at``. Else its latest poll failed, and polling goes on.
    """

    provider: str
    api_path: str
    condition: str
    cause: CauseBody
    since: Instant | None
    next_probe_at: Instant | None
    blocked: bool


class StatusBody(Struct, frozen=True):
    """The status of the daemon. ``trouble`` says why it is not ready; null: it is ready.

    ``summary`` is one sentence for a person; ``ok`` says whether nothing in it needs a look.
    ``cause`` has the code of ``trouble``, and what to do. ``providers`` has the condition of each provider,
    ``provider_causes`` the code of each that is held back, and what to do.
    ``expiring_results`` counts undelivered results in the last quarter of their lifetime, or past it.
    ``troubled_watches`` counts live watches in trouble. ``refused_deliveries`` counts pending deliveries that
    a receiver refused. Counting stops at 10 000. ``learned`` has the 100 api_paths with most ``finishes``.
    ``paths`` has the api_paths that something is wrong with, those that are held back first. It has at most
    100; ``more_paths`` counts the others.
    """

    version: str
    summary: str
    ok: bool
    trouble: str | None
    cause: CauseBody | None
    watches: dict[str, int]
    deliveries: dict[str, int]
    oldest_pending_at: Instant | None
    expiring_results: int
    troubled_watches: int
    refused_deliveries: int
    providers: dict[str, str]
    provider_causes: dict[str, CauseBody]
    paths: list[PathBody]
    more_paths: int
    learned: list[LearnedBody]

"""What is kept of every callback that arrived, and of every watch that a client was promised."""

from dataclasses import dataclass

from tests.simulation.peers import TaskKey


@dataclass
class Receipt:
    """One arrival at a receiver. ``is_taken``: it acted on it; ``is_heard``: the daemon got its 2xx."""

    event_id: str
    url: str
    number: int
    body: bytes
    at: int
    is_marked: bool
    is_taken: bool = False
    is_heard: bool = False
    status: int | None = None


@dataclass
class Watched:
    """What a client knows of its watch. ``urls`` are those whose registration was answered."""

    watch_id: str
    key: TaskKey
    urls: dict[str, tuple[str, ...] | None]
    since: int
    expire_after_ms: int
    resumes: int = 0
    nudged_at: int = 0
    taken_in: int = 0
    stopped_knowing: set[str] | None = None
    """The ids of its events when a stop was answered; None while it was not stopped, or is resumed."""


@dataclass
class Paced:
    """When a task was last asked for, and what the row said of its pace."""

    at: int
    round: int
    interval_ms: int
    life: int

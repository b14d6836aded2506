"""What is wrong with a configuration, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from notifier.core.formats.text import one_line
from notifier.errors import NotifierError

ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One fault. ``file`` is ``environment`` where a variable is at fault; ``key`` then is its name."""

    file: str
    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return one_line(": ".join(part for part in (place, self.key, self.text) if part), 1_000)


class InvalidConfig(NotifierError):
    """The configuration cannot be used; ``faults`` are all that is wrong with it, in reading order.

    ``notes`` are for the operator, as those of a configuration that can.
    """

    code = "bad_config"
    exit_status: ClassVar[int] = 78

    def __init__(self, errors: Iterable[ConfigError], notes: Iterable[str] = ()) -> None:
        self.errors = tuple(errors)
        self.notes = tuple(notes)
        super().__init__("\n".join(str(error) for error in self.errors))

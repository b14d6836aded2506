"""Define the errors of a configuration, with their places."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from notifier.core.formats.text import one_line
from notifier.errors import NotifierError

ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One error. For a variable ``file`` is ``environment`` and ``key`` is the name of the variable."""

    file: str
    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return one_line(": ".join(part for part in (place, self.key, self.text) if part), 1_000)


class InvalidConfig(NotifierError):
    """The configuration cannot be used. ``errors`` lists all its errors in reading order.

    ``notes`` lists likely mistakes, as for a valid configuration.
    """

    code = "bad_config"
    exit_status: ClassVar[int] = 78

    def __init__(self, errors: Iterable[ConfigError], notes: Iterable[str] = ()) -> None:
        self.errors = tuple(errors)
        self.notes = tuple(notes)
        super().__init__("\n".join(str(error) for error in self.errors))

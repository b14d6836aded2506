"""Define a secret in memory that prints as ``***``."""

from typing import final


@final
class Secret:
    """A value that only ``reveal`` returns.

    ``origin`` says where it is from, and may be printed: a variable, ``file PATH``, ``credential NAME``.
    ``file`` is the path of that file, empty without one.
    """

    __slots__ = ("_value", "file", "origin")

    def __init__(self, value: str, origin: str = "", file: str = "") -> None:
        self._value = value
        self.origin = origin
        self.file = file

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

"""Define a secret in memory that prints as ``***``."""

from typing import final


@final
class Secret:
    """A value that only ``reveal`` returns.

    ``origin`` says where it is from, and may be printed: a variable, ``file PATH``, ``credential NAME``.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str = "") -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

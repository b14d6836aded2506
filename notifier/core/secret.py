"""A secret in memory: it prints as ``***``, wherever it may end up."""

from typing import final


@final
class Secret:
    """A value that shows itself only to who asks by name (``reveal``).

    ``origin`` says where it was found (it may be shown): a variable, ``file PATH``, ``credential NAME``.
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

"""Define what addresses and Unix sockets have in common in ``callbacks.allow``."""

from dataclasses import dataclass


class InvalidAllowRule(ValueError):
    """An invalid entry of ``callbacks.allow``. The message quotes it."""


@dataclass(frozen=True, slots=True)
class AddressRefusal:
    """Why an address is refused. ``is_final``: no setting would allow it."""

    text: str
    is_final: bool

"""Notes of a callback: why its payload is not as the provider sent it, or why outputs are missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType

from notifier.core.formats.text import fill_template

_NO_PARAMS: Mapping[str, str | int] = MappingProxyType({})


class NoteCode(StrEnum):
    """A note by its name."""

    PAYLOAD_REPAIRED = auto()
    PAYLOAD_TOO_DEEP = auto()
    PAYLOAD_NOT_JSON = auto()
    PAYLOAD_TOO_LARGE = auto()
    EXPRESSION_FAILED = auto()
    OUTPUTS_MISSING = auto()
    OUTPUTS_LEFT_OUT = auto()
    OUTPUTS_CUT = auto()
    OUTPUTS_TOO_LARGE = auto()


_TEXTS: Mapping[NoteCode, str] = MappingProxyType(
    {
        NoteCode.PAYLOAD_REPAIRED: "payload repaired: {repair}",
        NoteCode.PAYLOAD_TOO_DEEP: "payload left out: nested deeper than {limit} levels",
        NoteCode.PAYLOAD_NOT_JSON: "payload left out: the reply is no JSON ({type}, {size})",
        NoteCode.PAYLOAD_TOO_LARGE: "payload left out: it has {size}, and callbacks.max_payload is {limit}; "
        "GET /v1/watches/{watch_id}/payload returns it",
        NoteCode.EXPRESSION_FAILED: "the reply does not fit the expression {place}, which counts as null",
        NoteCode.OUTPUTS_MISSING: "the task completed, and the reply has no outputs at {place}",
        NoteCode.OUTPUTS_LEFT_OUT: "{count} outputs left out: they are no texts",
        NoteCode.OUTPUTS_CUT: "outputs cut: only the first {limit} are told",
        NoteCode.OUTPUTS_TOO_LARGE: "outputs cut: {count} of {total} are told, more would have over {limit}",
    }
)
REPAIR_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "byte_order_mark": "byte order mark dropped",
        "encoding": "converted to UTF-8",
        "bad_bytes": "bytes that are no UTF-8 replaced by U+FFFD",
        "half_pairs": "halves of surrogate pairs replaced by U+FFFD",
        "not_a_number": "NaN and Infinity replaced by null",
    }
)
"""What was done, by the name of the repair."""


@dataclass(frozen=True, slots=True)
class PayloadNote:
    """One note: its code, and parameters that are cleaned and cut."""

    code: NoteCode
    params: Mapping[str, str | int] = field(default_factory=lambda: _NO_PARAMS, hash=False)

    def text(self) -> str:
        """Return the note in words."""
        params = dict(self.params)
        if self.code is NoteCode.PAYLOAD_REPAIRED:
            params["repair"] = REPAIR_TEXTS[str(params["repair"])]
        return fill_template(_TEXTS[self.code], params)


def describe_notes(notes: Iterable[PayloadNote]) -> str | None:
    """Return all notes as one text; None if there are none."""
    return "; ".join(note.text() for note in notes) or None

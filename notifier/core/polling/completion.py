"""Write a completed task whose result is to be read as JSON text, and read it back.

The store keeps it with the watch, so that the poll is not repeated after a crash: a provider may tell only
once that a task completed.
"""

import json

from notifier.core.model import WatchState
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.polling.verdict import Finished, ResultPending


def completion_to_json(pending: ResultPending) -> str:
    """Return the text to store. The failure of the second GET is not part of it."""
    first = pending.first
    return json.dumps(
        {
            "status": first.upstream_status,
            "values": dict(pending.values),
            "payload": first.payload,
            "created_at": first.created_at,
            "finished_at": first.finished_at,
            "expires_at": first.expires_at,
            "notes": [[note.code, dict(note.params)] for note in first.notes],
        }
    )


def json_to_completion(text: str) -> ResultPending:
    """Return what was stored."""
    fields = json.loads(text)
    first = Finished(
        state=WatchState.COMPLETED,
        upstream_status=fields["status"],
        outputs=(),
        error=None,
        payload=fields["payload"],
        created_at=fields["created_at"],
        finished_at=fields["finished_at"],
        expires_at=fields["expires_at"],
        notes=tuple(PayloadNote(NoteCode(code), params) for code, params in fields["notes"]),
    )
    return ResultPending(first, fields["values"])

"""Parse the ``traceparent`` header (W3C Trace Context), and make the one of each request.

If a registration has the header, its polls and callbacks belong to the same trace. notifier records no spans.
Each of its requests has a parent id of its own, as the recommendation demands of a service that forwards one.
"""

import re
from collections.abc import Sequence

TRACEPARENT = "traceparent"
SPAN_BITS = 64  # W3C Trace Context, 3.2.2.4: parent-id has 8 bytes

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED, _RANDOM = 0x01, 0x02  # the defined flags; others must not be passed on


def parse_traceparent(values: Sequence[bytes]) -> str | None:
    """Return the ``traceparent`` of these header values, in version 00; None without exactly one valid value.

    Section 3.2: only lower case, no id of zeros, no version ff. A later version has the form of 00 and may
    have more after it, which 00 may not. An invalid header is ignored, and so are two.
    """
    match = _FORM.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    if not trace_id.strip(b"0") or not parent_id.strip(b"0"):
        return None
    defined_flags = int(flags, 16) & (_SAMPLED | _RANDOM)
    return f"00-{trace_id.decode()}-{parent_id.decode()}-{defined_flags:02x}"


def child_traceparent(traceparent: str, entropy: int) -> str:
    """Return the header of one request in the trace, with ``entropy`` (64 bits, never zero) as parent id.

    ``traceparent`` is a result of ``parse_traceparent``.
    """
    version, trace_id, _, flags = traceparent.split("-")
    return f"{version}-{trace_id}-{entropy % (1 << SPAN_BITS) or 1:016x}-{flags}"

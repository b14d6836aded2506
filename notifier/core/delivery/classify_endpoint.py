"""Class an endpoint by what it has shown, which decides how many slots deliveries to it may use."""

from notifier.core.delivery.endpoint import EndpointHealth
from notifier.core.model import SlotClass

# With the waits between probes and a timeout of 15 s this is about 3 min: a restart or a short outage.
FAST_PROBES = 5


def classify_endpoint(endpoint: EndpointHealth) -> SlotClass:
    """Return the class of the slots that deliveries to the endpoint use.

    An endpoint that worked before and hangs now has a few quick tries. Then it is one of those that hang.
    """
    if endpoint.concurrency != 1:
        return SlotClass.PROVEN
    has_accepted = endpoint.accepted_at is not None
    if endpoint.is_hanging:
        is_fast = has_accepted and endpoint.gate.probes < FAST_PROBES
        return SlotClass.RECOVERING if is_fast else SlotClass.HANGING
    is_new = not has_accepted and endpoint.gate.failures == 0
    return SlotClass.NEW if is_new else SlotClass.RECOVERING

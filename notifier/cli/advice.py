"""What an answer to a test means, and what to do about it, in words."""

from dataclasses import dataclass
from typing import assert_never

from notifier.core.attempt import judge_attempt
from notifier.core.endpoint import Accepted
from notifier.core.replies import Exchange, Fault, Reply


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether a callback would have been taken, what came of it, and the next thing to do."""

    is_ok: bool
    text: str
    fix: str = ""


def advise(exchange: Exchange, *, url: str, now: int) -> Advice:
    """Judge as a delivery would be judged, and explain."""
    report = judge_attempt(exchange, url=url, now=now)
    if isinstance(report, Accepted):
        return Advice(True, "the receiver took it")
    fix = of_status(exchange.status) if isinstance(exchange, Reply) else of_fault(exchange.fault)
    return Advice(False, report.text, fix)


def of_status(status: int) -> str:
    """What to do about an answer other than 2xx."""
    match status:
        case 401 | 403 | 407:
            return (
                "the signature was refused, or a login is wanted: have the receiver verify with the secret "
                "that `notifier secret show` prints, over the bytes of the body as they came"
            )
        case 404 | 405:
            return "see that the path is right, and that it takes POST"
        case 408 | 425 | 429:
            return "the receiver is busy; a delivery would wait, by its Retry-After, and go out again"
        case 410:
            return "the receiver says that it is gone; a delivery would park the endpoint until it is resumed"
        case _ if 300 <= status <= 399:
            return "redirects are never followed; give the URL that it points to"
        case _ if 400 <= status <= 499:
            return "the receiver refuses this message; have it answer 2xx to events that it does not know"
        case _:
            return "the receiver failed; look at its log"


def of_fault(fault: Fault) -> str:
    """What to do where no answer came."""
    match fault:
        case Fault.DNS:
            return "see that the host is spelled right and can be resolved on this machine"
        case Fault.CONNECT:
            return "see that the receiver runs, listens on that port, and can be reached from this machine"
        case Fault.TLS:
            return (
                "the certificate must be valid for this host and signed by a known CA; for a private CA set "
                "callbacks.ca_file"
            )
        case Fault.TIMEOUT:
            return "have the receiver answer first and work afterwards, or raise callbacks.timeout"
        case Fault.RESET:
            return "the receiver broke off; look at its log, and whether the URL is to be http or https"
        case Fault.BLOCKED:
            return (
                "add the host or its network to callbacks.allow; link-local and metadata addresses, and "
                "notifier itself, are never called"
            )
        case Fault.PROTOCOL | Fault.TOO_LARGE:
            return "see that an HTTP/1.1 server answers there, and whether the URL is to be http or https"
        case _:
            assert_never(fault)

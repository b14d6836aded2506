"""Define the table of causes: the text and the remedies of each code.

In a text ``{name}`` is the value of a parameter. ``{before[name]after}`` is the value with the words around
it; without the parameter it is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from types import MappingProxyType


class Code(StrEnum):
    """The stable name of a cause, in lower case. It is stored, and is in the API and in the log."""

    PROVIDER_KEY_MISSING = auto()
    PROVIDER_KEY_REFUSED = auto()
    PROVIDER_ACCOUNT_EMPTY = auto()
    PROVIDER_ACCESS_FORBIDDEN = auto()
    PROVIDER_ACCESS_BLOCKED = auto()
    PROVIDER_THROTTLED = auto()
    PROVIDER_ACCOUNT_REFUSED = auto()
    PROVIDER_LIMIT_REACHED = auto()

    PROVIDER_TASK_UNKNOWN = auto()
    PROVIDER_TASKS_VANISHED = auto()
    PROVIDER_TASK_PATH_UNPROVEN = auto()
    PROVIDER_PATH_UNKNOWN = auto()
    PROVIDER_SERVER_ERROR = auto()
    PROVIDER_HTTP_STATUS = auto()
    PROVIDER_REDIRECT = auto()
    PROVIDER_STATUS_UNKNOWN = auto()
    REPLY_EMPTY = auto()
    REPLY_MARKUP = auto()
    REPLY_NOT_JSON = auto()
    REPLY_JSON_REJECTED = auto()
    REPLY_BYTE_ORDER_MARK = auto()  # only in old rows: a byte order mark is dropped now
    REPLY_ENCODING_INVALID = auto()
    REPLY_TOO_LARGE = auto()
    REPLY_EXPRESSION_FAILED = auto()
    REPLY_STATUS_MISSING = auto()
    REPLY_STATUS_EMPTY = auto()
    REPLY_OTHER_TASK = auto()
    RESULT_UNAVAILABLE = auto()
    RESULT_VALUE_MISSING = auto()

    DNS_FAILED = auto()
    CONNECT_FAILED = auto()
    TLS_FAILED = auto()
    TLS_NOT_SPOKEN = auto()
    TLS_EXPECTED = auto()
    TLS_CLIENT_CERTIFICATE = auto()
    TIMEOUT = auto()
    CONNECTION_RESET = auto()
    NOT_HTTP = auto()
    ADDRESS_NOT_ALLOWED = auto()
    ADDRESS_NEVER_ALLOWED = auto()
    BODY_TOO_LARGE = auto()

    PROVIDER_NOT_CONFIGURED = auto()
    PROVIDER_REMOVED = auto()
    INTERNAL_ERROR = auto()
    LOOP_STALLED = auto()

    RECEIVER_HTTP_STATUS = auto()
    RECEIVER_REDIRECT = auto()
    RECEIVER_GONE = auto()
    ENDPOINT_PAUSED = auto()
    SIGNATURE_MISMATCH = auto()

    DISK_FULL = auto()
    DATABASE_LOCKED = auto()
    DISK_FAILED = auto()
    COMMIT_UNCERTAIN = auto()
    DATABASE_DAMAGED = auto()
    DATABASE_NOT_WRITABLE = auto()
    DATABASE_UNUSABLE = auto()
    WRITE_FAILED = auto()
    STORE_OVERLOADED = auto()
    STORE_CLOSED = auto()
    STORE_FAILED = auto()

    LEGACY = auto()


@dataclass(frozen=True, slots=True)
class Template:
    """The text of a cause and its remedies.

    ``fix`` is for a provider, a watch and the daemon, ``attempt_fix`` for one attempt of a delivery,
    ``endpoint_fix`` for an endpoint that is held back. ``no_fix`` says why there is no remedy. ``private``
    names the parameters that receivers may not read.
    """

    text: str
    fix: str = ""
    attempt_fix: str = ""
    endpoint_fix: str = ""
    no_fix: str = ""
    private: frozenset[str] = frozenset()


_CLOSED_FIX = (
    "`notifier test-callback {url}` says what is wrong; when it is mended, all that waits goes out after the "
    "next probe, or at once by `notifier endpoints resume {id}`"
)
_HELD_FIX = "`notifier endpoints resume {id}` when it may be called again"

_BY_ITSELF = "nothing is lost; polling goes on by itself when it answers again"
_THROTTLED_FIX = "nothing; polling goes on by itself. A lower max_rate avoids it"
_NO_HTTP = "see that an HTTP/1.1 server answers there, and whether the URL is to be http or https"
# Callbacks leave the host. A provider's words about the account may name it, and a path would disclose the
# layout of the host.
_OF_THE_ACCOUNT = frozenset({"message"})
_OF_THE_KEY = _OF_THE_ACCOUNT | {"key_origin"}
_QUOTE = '{; it says "[message]"}'
_ODD_REPLY = "only the provider can change its reply, or a user its description in the configuration"


def _account(text: str, fix: str) -> Template:
    return Template(f"{text}{{, key from [key_origin]}}{_QUOTE}", fix, private=_OF_THE_KEY)


def _reply(text: str, fix: str = "") -> Template:
    return Template(text, fix, no_fix="" if fix else _ODD_REPLY)


def _network(text: str, fix: str, attempt_fix: str, *, no_fix: str = "") -> Template:
    """Make the template of a failed exchange. ``peer`` names the side that failed, if it must be named."""
    return Template(f"{{[peer]: }}{text}{{: [detail]}}", fix, attempt_fix, _CLOSED_FIX, no_fix)


_TLS_FIX = f"see base_url, the CA certificates and the clock of this machine; {_BY_ITSELF}"
_ADDRESS_FIX = "see base_url: it names an address that is never asked"

CAUSES: Mapping[Code, Template] = MappingProxyType(
    {
        Code.PROVIDER_KEY_MISSING: Template(
            f"provider wants a key, and none is set (401){_QUOTE}",
            "set {key}, then restart the daemon",
            private=_OF_THE_ACCOUNT,
        ),
        Code.PROVIDER_KEY_REFUSED: _account(
            "provider refuses the key (401)", "check {key}, then reload the daemon; for a variable restart it"
        ),
        Code.PROVIDER_ACCOUNT_EMPTY: Template(
            f"account is empty (402){_QUOTE}",
            "top up the account; polling goes on by itself",
            private=_OF_THE_ACCOUNT,
        ),
        Code.PROVIDER_ACCESS_FORBIDDEN: _account(
            "provider forbids access (403)",
            "see that {key} is active and may use this API; `notifier check --online` asks again",
        ),
        Code.PROVIDER_ACCESS_BLOCKED: Template(
            f"a web page forbids access (403), not the provider's API{_QUOTE}",
            "see that this machine's address may reach base_url: a firewall, a CDN or a proxy before the API "
            "blocks it, and the key is not what is refused; then polling goes on by itself",
        ),
        Code.PROVIDER_THROTTLED: Template(
            f"provider throttles (429){_QUOTE}", _THROTTLED_FIX, private=_OF_THE_ACCOUNT
        ),
        Code.PROVIDER_ACCOUNT_REFUSED: _account(
            "provider refuses the key or the account ({reason})",
            "check {key} and the account; `notifier check --online` polls again",
        ),
        Code.PROVIDER_LIMIT_REACHED: Template(
            f"provider throttles ({{reason}}){_QUOTE}", _THROTTLED_FIX, private=_OF_THE_ACCOUNT
        ),
        Code.PROVIDER_TASK_UNKNOWN: Template(
            f"provider does not know the task ({{status}}){_QUOTE}",
            no_fix="if it lasts, the watch ends as lost, and what to do about that is its owner's to say",
        ),
        Code.PROVIDER_TASKS_VANISHED: Template(
            "provider does not know the task ({status}), nor others that it knew a minute ago: an outage",
            "nothing; no task is called lost while it lasts, and polling goes on by itself",
        ),
        Code.PROVIDER_TASK_PATH_UNPROVEN: Template(
            "provider does not know the task ({status}), and no reply has named a task yet",
            "see that task_path in {table} is right; no task is lost before one was found by it",
        ),
        Code.PROVIDER_PATH_UNKNOWN: Template(
            f"provider returns HTTP {{status}} without JSON, which says nothing about the task{_QUOTE}",
            "see base_url and task_path in {table}; if they are right, a gateway before the provider has "
            "lost it, and polling goes on by itself when it is back",
        ),
        Code.PROVIDER_SERVER_ERROR: Template(f"provider answers HTTP {{status}}{_QUOTE}", _BY_ITSELF),
        Code.PROVIDER_HTTP_STATUS: _reply(f"provider answers HTTP {{status}}{_QUOTE}"),
        Code.PROVIDER_REDIRECT: _reply(
            "provider: {redirect to [host] not followed}{HTTP [status]}",
            "set base_url and task_path in {table} to the address that it points to; redirects are never "
            "followed, because the key would go along",
        ),
        Code.PROVIDER_STATUS_UNKNOWN: _reply('provider says "{word}", a status we do not know'),
        Code.REPLY_EMPTY: _reply("answer is empty"),
        Code.REPLY_MARKUP: _reply("answer is HTML or XML, not JSON"),
        Code.REPLY_NOT_JSON: _reply("answer is not JSON"),
        Code.REPLY_JSON_REJECTED: _reply("answer is JSON that we do not take: {detail}"),
        Code.REPLY_BYTE_ORDER_MARK: _reply("answer starts with a byte order mark"),
        Code.REPLY_ENCODING_INVALID: _reply("reply cannot be unpacked (Content-Encoding: {encoding})"),
        Code.REPLY_TOO_LARGE: _reply(
            "reply{ of [size]} is larger than max_body ({limit})",
            "raise max_body in {table}, if replies of this size are meant",
        ),
        Code.REPLY_EXPRESSION_FAILED: _reply("answer does not fit the expression {place}"),
        Code.REPLY_STATUS_MISSING: _reply("answer has no status at {place}"),
        Code.REPLY_STATUS_EMPTY: _reply("answer's status is empty"),
        Code.REPLY_OTHER_TASK: _reply('answer is about another task ("{task_id}")'),
        Code.RESULT_UNAVAILABLE: _reply("the task is completed, and its result cannot be read: {reason}"),
        Code.RESULT_VALUE_MISSING: _reply("the task is completed, and its reply has no {name} at {place}"),
        Code.DNS_FAILED: _network(
            "name not resolved",
            f"see base_url and this machine's DNS; {_BY_ITSELF}",
            "see that the host is spelled right and can be resolved on this machine",
        ),
        Code.CONNECT_FAILED: _network(
            "no connection",
            _BY_ITSELF,
            "see that the receiver runs, listens on that port, and can be reached from this machine",
        ),
        Code.TLS_FAILED: _network(
            "TLS failed",
            _TLS_FIX,
            "the certificate must be valid for this host and signed by a known CA; for a private CA set "
            "callbacks.ca_file",
        ),
        Code.TLS_NOT_SPOKEN: _network(
            "TLS failed", _TLS_FIX, "nothing speaks TLS on that port: write http://"
        ),
        Code.TLS_EXPECTED: _network(
            "TLS failed",
            "correct base_url: that port speaks TLS, so it begins with https://",
            "that port speaks TLS: write https://",
        ),
        Code.TLS_CLIENT_CERTIFICATE: _network(
            "TLS failed",
            "see base_url: polls carry no client certificate, and that server requires one",
            "set callbacks.tls to a client certificate that the receiver accepts",
        ),
        Code.TIMEOUT: _network(
            "no answer in time",
            _BY_ITSELF,
            "have the receiver answer first and work afterwards, or raise callbacks.timeout",
        ),
        Code.CONNECTION_RESET: _network(
            "connection closed before the answer was complete",
            _BY_ITSELF,
            "the receiver broke off; look at its log, and whether the URL is to be http or https",
        ),
        Code.NOT_HTTP: _network(
            "answer is no proper HTTP",
            f"see base_url, and whether it is to be http or https; {_BY_ITSELF}",
            _NO_HTTP,
        ),
        Code.ADDRESS_NOT_ALLOWED: _network(
            "address not allowed",
            _ADDRESS_FIX,
            "add the host or its network to callbacks.allow; link-local and metadata addresses, and "
            "notifier itself, are never called",
        ),
        Code.ADDRESS_NEVER_ALLOWED: _network(
            "address not allowed", _ADDRESS_FIX, "give another URL: no setting lets callbacks go there"
        ),
        Code.BODY_TOO_LARGE: _network("answer too large", "", _NO_HTTP, no_fix=_ODD_REPLY),
        Code.PROVIDER_NOT_CONFIGURED: Template(
            "provider is not configured",
            "put the provider back into the configuration and reload, or stop its watches",
        ),
        Code.PROVIDER_REMOVED: Template(
            "its provider is not configured any more",
            no_fix="it is read at the end of a watch only, in the event that its receivers get",
        ),
        Code.INTERNAL_ERROR: Template(
            "internal error ({type}); see the log",
            endpoint_fix=_CLOSED_FIX,
            no_fix="it is a bug, and the text says where it is described",
        ),
        Code.LOOP_STALLED: Template(
            "the {part} has not ticked for {seconds} s",
            "look at the log; if that lasts, restart: nothing that was accepted is lost",
        ),
        Code.RECEIVER_HTTP_STATUS: Template("HTTP {status}", endpoint_fix=_CLOSED_FIX),
        Code.RECEIVER_REDIRECT: Template("redirect to {host} not followed", endpoint_fix=_CLOSED_FIX),
        Code.RECEIVER_GONE: Template(
            "parked: the endpoint says that it is gone (410); resume it when it is back",
            endpoint_fix=_HELD_FIX,
        ),
        Code.ENDPOINT_PAUSED: Template("paused by a user", endpoint_fix=_HELD_FIX),
        Code.SIGNATURE_MISMATCH: Template(
            "no signature matches: the body, the id, the timestamp or the secret is another",
            "listen has read the secret at its start: after `notifier secret rotate`, start it again",
        ),
        Code.DISK_FULL: Template(
            "the disk that holds {file} is full", "free some space; notifier then goes on by itself"
        ),
        Code.DATABASE_LOCKED: Template(
            "another program keeps {file} locked",
            "end the program that keeps it locked (a sqlite3 shell, a copy under way?)",
        ),
        Code.DISK_FAILED: Template(
            "the disk failed under {file} ({detail})", "look at the disk and the system's log"
        ),
        Code.COMMIT_UNCERTAIN: Template(
            "the disk failed while {file} was written ({detail}), so whether this was kept is not known",
            "look at the disk and the system's log, then ask again: a repeat does no harm",
        ),
        Code.DATABASE_DAMAGED: Template("{file} is damaged ({detail})", "stop notifier and restore a backup"),
        Code.DATABASE_NOT_WRITABLE: Template(
            "{file} cannot be written ({detail})", "check the file's owner, its mode and the mount"
        ),
        Code.DATABASE_UNUSABLE: Template("{file} cannot be used now ({detail})", "try again"),
        Code.WRITE_FAILED: Template("{file} was not written ({detail})", "this is a bug: report it"),
        Code.STORE_OVERLOADED: Template("{count} writes wait for the disk already", "try again later"),
        Code.STORE_CLOSED: Template("the store is closed", "notifier is stopping; try again when it runs"),
        Code.STORE_FAILED: Template("{reason}", "{remedy}"),
        Code.LEGACY: Template(
            "{text}",
            endpoint_fix=_CLOSED_FIX,
            no_fix="an older version wrote the text alone; the next poll or probe replaces it",
        ),
    }
)
"""Every code has an entry; ``tests/core/test_causes.py`` checks it."""

"""Parse the callbacks of a registration: ``callback_url``, or ``callbacks`` with events and headers."""

import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from notifier.api.json_fields import FieldErrors, describe_unknown, join_pointer, read_object, read_text
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.headers import InvalidHeader, check_callback_headers
from notifier.core.formats.text import cut
from notifier.core.formats.urls import check_callback_url, split_socket_url
from notifier.core.model import MAX_CALLBACKS, Callback, EventType

FIELDS = ("url", "events", "headers")


def parse_callbacks(
    members: Mapping[str, Any], policy: AddressPolicy, errors: FieldErrors
) -> tuple[Callback, ...]:
    """Parse the callbacks of a registration; note what is wrong in ``errors``."""
    if "callbacks" not in members:
        url = _parse_url(members, "callback_url", "", policy, errors)
        return () if url is None else (Callback(url),)
    if "callback_url" in members:
        errors.add("/callback_url", "must not be given together with callbacks")
    entries = members["callbacks"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_CALLBACKS:
        errors.add("/callbacks", f"must be an array of 1 to {MAX_CALLBACKS} callbacks")
        return ()
    parsed = [
        _parse_callback(entry, f"/callbacks/{index}", policy, errors) for index, entry in enumerate(entries)
    ]
    callbacks = tuple(callback for callback in parsed if callback is not None)
    duplicates = [url for url, count in Counter(callback.url for callback in callbacks).items() if count > 1]
    for url in duplicates:
        errors.add("/callbacks", f"this URL is listed twice: {cut(url, 200)}")
    return callbacks


def _parse_callback(
    value: object, pointer: str, policy: AddressPolicy, errors: FieldErrors
) -> Callback | None:
    members = read_object(value, pointer, FIELDS, errors)
    if members is None:
        return None
    url = _parse_url(members, "url", pointer, policy, errors)
    events = _parse_events(members, pointer, errors)
    headers = _parse_headers(members, pointer, errors)
    return None if url is None else Callback(url, events, headers)


def _parse_url(
    members: Mapping[str, Any], name: str, pointer: str, policy: AddressPolicy, errors: FieldErrors
) -> str | None:
    """Return the URL in canonical form. An address or socket in it is checked here, a name later."""
    url = read_text(members, name, errors, check_callback_url, pointer)
    if url is None:
        return None
    refusal = _check_address(url, policy)
    if refusal is None:
        return url
    errors.add(join_pointer(pointer, name), refusal)
    return None


@functools.lru_cache(maxsize=256)  # most programs register few URLs
def _check_address(url: str, policy: AddressPolicy) -> str | None:
    if (target := split_socket_url(url)) is not None:
        socket_path, _ = target
        refusal = policy.sockets.refuse(socket_path, socket_path)  # links are followed when connecting
        return None if refusal is None else refusal.text
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_address = host.replace(".", "").isdigit() or ":" in host
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    refusal = policy.refuse(host, host, port) if is_address else None
    return None if refusal is None else refusal.text


def _parse_events(members: Mapping[str, Any], pointer: str, errors: FieldErrors) -> tuple[EventType, ...]:
    if "events" not in members:
        return tuple(EventType)
    place = join_pointer(pointer, "events")
    names = members["events"]
    if not isinstance(names, list) or not names:
        errors.add(place, "must be an array of at least one event")
        return ()
    events: list[EventType] = []
    for index, name in enumerate(names[: 2 * len(EventType)]):  # a longer list has an error already
        if not isinstance(name, str):
            errors.add(f"{place}/{index}", "must be a string")
        elif name not in list(EventType):
            errors.add(f"{place}/{index}", describe_unknown(name, "event", EventType))
        elif name in events:
            errors.add(f"{place}/{index}", "this event is listed twice")
        else:
            events.append(EventType(name))
    return tuple(events)


def _parse_headers(
    members: Mapping[str, Any], pointer: str, errors: FieldErrors
) -> tuple[tuple[str, str], ...]:
    place = join_pointer(pointer, "headers")
    headers = members.get("headers", {})
    if not isinstance(headers, dict):
        errors.add(place, "must be an object of strings")
        return ()
    try:
        return check_callback_headers(headers)
    except InvalidHeader as error:
        errors.add(place if error.name is None else join_pointer(place, error.name), str(error))
        return ()

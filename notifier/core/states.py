"""Define the allowed changes of states in two tables. Any other change is forbidden.

The store changes states by these tables alone (``store/sqlite/state_changes.py``). An action always leads to
the same state.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

from notifier.core.model import DeliveryState, EventType, WatchState


class WatchAction(StrEnum):
    """An action that changes the state of a watch."""

    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"
    LOSE = "lose"
    STOP = "stop"
    RESUME = "resume"


class DeliveryAction(StrEnum):
    """An action that changes the state of a delivery."""

    DELIVER = "deliver"
    RETRY = "retry"
    GIVE_UP = "give_up"
    REDELIVER = "redeliver"
    REPLAY = "replay"


WATCH_TABLE: Mapping[tuple[WatchState, WatchAction], WatchState] = MappingProxyType(
    {
        (WatchState.WATCHING, WatchAction.COMPLETE): WatchState.COMPLETED,
        (WatchState.WATCHING, WatchAction.FAIL): WatchState.FAILED,
        (WatchState.WATCHING, WatchAction.CANCEL): WatchState.CANCELLED,
        (WatchState.WATCHING, WatchAction.EXPIRE): WatchState.EXPIRED,
        (WatchState.WATCHING, WatchAction.LOSE): WatchState.LOST,
        (WatchState.WATCHING, WatchAction.STOP): WatchState.STOPPED,
        (WatchState.STOPPED, WatchAction.STOP): WatchState.STOPPED,
        (WatchState.EXPIRED, WatchAction.RESUME): WatchState.WATCHING,
        (WatchState.LOST, WatchAction.RESUME): WatchState.WATCHING,
        (WatchState.STOPPED, WatchAction.RESUME): WatchState.WATCHING,
    }
)

DELIVERY_TABLE: Mapping[tuple[DeliveryState, DeliveryAction], DeliveryState] = MappingProxyType(
    {
        (DeliveryState.PENDING, DeliveryAction.DELIVER): DeliveryState.DELIVERED,
        (DeliveryState.PENDING, DeliveryAction.RETRY): DeliveryState.PENDING,
        (DeliveryState.PENDING, DeliveryAction.GIVE_UP): DeliveryState.DEAD,
        (DeliveryState.PENDING, DeliveryAction.REDELIVER): DeliveryState.PENDING,
        (DeliveryState.DELIVERED, DeliveryAction.REDELIVER): DeliveryState.PENDING,
        (DeliveryState.DEAD, DeliveryAction.REDELIVER): DeliveryState.PENDING,
        (DeliveryState.DELIVERED, DeliveryAction.REPLAY): DeliveryState.PENDING,
        (DeliveryState.DEAD, DeliveryAction.REPLAY): DeliveryState.PENDING,
    }
)


def next_watch_state(state: WatchState, action: WatchAction) -> WatchState | None:
    """Return the state after the action, or None if it is not allowed."""
    return WATCH_TABLE.get((state, action))


def next_delivery_state(state: DeliveryState, action: DeliveryAction) -> DeliveryState | None:
    """Return the state after the action, or None if it is not allowed."""
    return DELIVERY_TABLE.get((state, action))


def end_to_action(state: WatchState) -> WatchAction:
    """Return the action that brings a live watch to ``state``. Raise KeyError if there is none."""
    return _END_ACTIONS[state]


_END_ACTIONS = {
    after: action for (before, action), after in WATCH_TABLE.items() if before is WatchState.WATCHING
}


def state_to_event(state: WatchState) -> EventType | None:
    """Return the type of the event of a watch that ended in this state; None without an event."""
    match state:
        case WatchState.WATCHING | WatchState.STOPPED:
            return None
        case WatchState.COMPLETED:
            return EventType.COMPLETED
        case WatchState.FAILED:
            return EventType.FAILED
        case WatchState.CANCELLED:
            return EventType.CANCELLED
        case WatchState.EXPIRED:
            return EventType.EXPIRED
        case WatchState.LOST:
            return EventType.LOST
        case _:
            assert_never(state)

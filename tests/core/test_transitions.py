"""The two tables of states, written out once more the other way round."""

import pytest

from notifier.core.model import DeliveryState, EventType, WatchState
from notifier.core.states import (
    DeliveryAction,
    WatchAction,
    next_delivery_state,
    next_watch_state,
    state_to_event,
)

ENDS = {
    WatchAction.COMPLETE: WatchState.COMPLETED,
    WatchAction.FAIL: WatchState.FAILED,
    WatchAction.CANCEL: WatchState.CANCELLED,
    WatchAction.EXPIRE: WatchState.EXPIRED,
    WatchAction.LOSE: WatchState.LOST,
    WatchAction.STOP: WatchState.STOPPED,
}
RESUMABLE = {WatchState.EXPIRED, WatchState.LOST, WatchState.STOPPED}


def expected_watch_state(state: WatchState, action: WatchAction) -> WatchState | None:
    if state is WatchState.WATCHING:
        return ENDS.get(action)
    if action is WatchAction.RESUME and state in RESUMABLE:
        return WatchState.WATCHING
    if action is WatchAction.STOP and state is WatchState.STOPPED:
        return WatchState.STOPPED
    return None


@pytest.mark.parametrize("state", WatchState)
@pytest.mark.parametrize("action", WatchAction)
def test_a_watch_ends_once_and_goes_on_only_from_expired_lost_and_stopped(
    state: WatchState, action: WatchAction
) -> None:
    assert next_watch_state(state, action) is expected_watch_state(state, action)


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize("action", DeliveryAction)
def test_a_delivery_moves_only_while_pending_and_is_redelivered_from_anywhere(
    state: DeliveryState, action: DeliveryAction
) -> None:
    from_pending = {
        DeliveryAction.DELIVER: DeliveryState.DELIVERED,
        DeliveryAction.RETRY: DeliveryState.PENDING,
        DeliveryAction.GIVE_UP: DeliveryState.DEAD,
    }
    expected = None
    if action is DeliveryAction.REDELIVER or (
        action is DeliveryAction.REPLAY and state is not DeliveryState.PENDING
    ):
        expected = DeliveryState.PENDING
    elif state is DeliveryState.PENDING:
        expected = from_pending.get(action)
    assert next_delivery_state(state, action) is expected


@pytest.mark.parametrize("state", WatchState)
def test_every_end_but_a_stop_tells_an_event_of_its_name(state: WatchState) -> None:
    silent = {WatchState.WATCHING, WatchState.STOPPED}
    assert state_to_event(state) == (None if state in silent else EventType(f"task.{state}"))

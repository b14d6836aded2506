"""The tables of states as parameters of statements.

Every UPDATE of a state takes ``:state`` and ``:from_states`` from here, so that it can make no other change
than the tables of ``core/states.py`` allow.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from notifier.core.states import DELIVERY_TABLE, WATCH_TABLE, DeliveryAction, WatchAction

State = TypeVar("State", bound=StrEnum)
Action = TypeVar("Action", bound=StrEnum)


def _parameters(table: Mapping[tuple[State, Action], State]) -> dict[Action, Mapping[str, str]]:
    """Map each action to the state that it leads to and the states from which it is allowed."""
    return {
        action: {
            "state": after,
            "from_states": json.dumps([source for source, other in table if other is action]),
        }
        for (_, action), after in table.items()
    }


WATCH_CHANGES: Mapping[WatchAction, Mapping[str, str]] = _parameters(WATCH_TABLE)
DELIVERY_CHANGES: Mapping[DeliveryAction, Mapping[str, str]] = _parameters(DELIVERY_TABLE)

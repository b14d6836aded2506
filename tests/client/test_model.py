"""What the client and the commands read is what the API writes, field by field."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from msgspec import Raw, Struct, inspect

from notifier.api import bulk_schemas, schemas
from notifier.api.status_schemas import StatusBody
from notifier.cli.daemon import ReloadResult
from notifier.cli.open import LoginLink
from notifier.client import model
from notifier.client.errors import Fault, Problem
from notifier.core.event_body import build_event, mark_expired
from notifier.core.model import Watch, WatchState
from notifier.server.problems import FieldError, ProblemBody
from tests.builders import end, new_watch
from tests.fakes import NOON

PAIRS: list[tuple[type[Struct], type[Struct]]] = [
    (model.Page, schemas.WatchPage),
    (model.Watch, schemas.WatchBody),
    (model.DeliveryAttempt, schemas.AttemptBody),
    (model.Endpoint, schemas.EndpointBody),
    (model.TimelineLine, schemas.MomentBody),
    (model.Status, StatusBody),
    (Problem, ProblemBody),
    (Fault, FieldError),
    (LoginLink, schemas.LoginBody),
    (ReloadResult, schemas.Reloaded),
]
"""A value that is read, and the body that the API writes it as."""


def mismatches(reader: inspect.Type, writer: inspect.Type, place: str) -> Iterator[str]:
    """Name the places at which a value that is written with the one type cannot be read as the other."""
    match reader, writer:
        case _, inspect.UnionType():
            for each in writer.types:
                yield from mismatches(reader, each, place)
        case inspect.UnionType(), _:
            if all([*mismatches(each, writer, place)] for each in reader.types):
                yield place
        case inspect.StructType(), inspect.StructType():
            yield from field_mismatches(reader, writer, place)
        case inspect.ListType() | inspect.VarTupleType(), inspect.ListType():
            yield from mismatches(reader.item_type, writer.item_type, f"{place}[]")
        case inspect.DictType(), inspect.DictType():
            yield from mismatches(reader.value_type, writer.value_type, f"{place}{{}}")
        case _ if not can_read(reader, writer):
            yield place


def can_read(reader: inspect.Type, writer: inspect.Type) -> bool:
    """Compare types that hold no others."""
    match reader, writer:
        case (inspect.AnyType() | inspect.RawType(), _) | (inspect.DictType(), inspect.RawType()):
            return True
        case inspect.DateTimeType(), inspect.Metadata(extra_json_schema={"format": "date-time"}):
            return True
        case inspect.StrType(), inspect.EnumType() | inspect.Metadata(type=inspect.StrType()):
            return True
    return type(reader) is type(writer)


def field_mismatches(reader: inspect.StructType, writer: inspect.StructType, place: str) -> Iterator[str]:
    """Compare fields by their names in JSON. Of a delivery's attempts a list of deliveries has the number."""
    written = {field.encode_name: field for field in writer.fields}
    for field in reader.fields:
        name = f"{place}.{field.encode_name}"
        if field.encode_name not in written or (field.required and not written[field.encode_name].required):
            yield name
        elif (reader.cls, field.name) == (model.Delivery, "attempts"):
            yield from mismatches(field.type, inspect.type_info(int), name)
        else:
            yield from mismatches(field.type, written[field.encode_name].type, name)


def compare(reader: object, writer: object) -> list[str]:
    return list(mismatches(inspect.type_info(reader), inspect.type_info(writer), ""))


@pytest.mark.parametrize(("reader", "writer"), PAIRS, ids=lambda each: each.__name__)
def test_each_field_that_is_read_is_written_with_a_type_that_can_be_read(
    reader: type[Struct], writer: type[Struct]
) -> None:
    """With all that is nested: a watch's callbacks, error and deliveries."""
    assert compare(reader, writer) == []


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (schemas.TimelineBody, "timeline"),
        (schemas.EndpointPage, "endpoints"),
        (schemas.EndpointPage, "next_cursor"),
        (schemas.DeliveryBody, "attempts"),
        (bulk_schemas.Matched, "matched"),
        (bulk_schemas.WatchesMatched, "matched"),
    ],
)
def test_each_member_that_a_command_reads_by_name_is_written(body: type[Struct], member: str) -> None:
    """``ApiReply.member`` reads one member of an object that has no value of its own."""
    assert member in body.__struct_fields__


def test_each_field_of_an_event_is_written() -> None:
    """An event has no schema, so that its body is compared."""
    new = new_watch()
    watch = Watch(
        id="wch_1", provider=new.provider, api_path=new.api_path, task_id=new.task_id,
        state=WatchState.COMPLETED, callbacks=new.callbacks, metadata=new.metadata, registered_at=NOON,
        expires_at=NOON + 1, due_at=None,
    )  # fmt: skip
    event = build_event(watch, end(WatchState.COMPLETED), event_id="evt_1", now=NOON)
    body = json.loads(mark_expired(event.body))
    assert set(model.Event.__struct_encode_fields__) <= body.keys()
    assert set(model.Outcome.__struct_encode_fields__) <= body["data"].keys()


class Body(Struct):
    """What a daemon writes."""

    at: schemas.Instant
    word: schemas.EndpointState
    text: str | None
    numbers: list[int]
    counts: dict[str, int]
    anything: Raw


class Read(Struct):
    """What can be read of it."""

    at: datetime
    word: str
    text: str | None
    numbers: Sequence[int]
    counts: dict[str, float | int]
    anything: dict[str, int]


class WithoutNull(Struct):
    text: str


class WithoutInstant(Struct):
    word: datetime


class WithAnotherItem(Struct):
    numbers: list[str]


class WithAnotherCount(Struct):
    counts: dict[str, str]


class WithAnotherName(Struct):
    words: str


@pytest.mark.parametrize(
    ("reader", "places"),
    [
        (Read, []),
        (WithoutNull, [".text"]),
        (WithoutInstant, [".word"]),
        (WithAnotherItem, [".numbers[]"]),
        (WithAnotherCount, [".counts{}"]),
        (WithAnotherName, [".words"]),
    ],
)
def test_the_comparison_sees_a_difference(reader: type[Struct], places: list[str]) -> None:
    """A name that is not written, a null that cannot be read, another type, at any depth."""
    assert compare(reader, Body) == places

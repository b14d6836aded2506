"""Pages, newest first. A page starts at the seq of the last row, never at an offset.

A filter is one or more ranges of an index, each read backwards and no further than the page is long; then
they are merged. So a page costs the same however many rows there are. One exception: if an endpoint has many
URLs (by their queries), a page of one URL scans the deliveries of the others.
"""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import islice, product
from typing import Any, TypeVar

from notifier.core.formats.urls import url_to_endpoint
from notifier.core.model import Delivery, DeliveryState, Watch, WatchState
from notifier.core.task_statistics import FinishedTask
from notifier.store.sqlite.deliveries import delivery_in_full
from notifier.store.sqlite.endpoints import list_details
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import END_OF_TIME, row_to_watch
from notifier.store.values import (
    MAX_PAGE_BYTES,
    DeliveryQuery,
    EndpointDetail,
    RecentActivity,
    RowsById,
    WatchQuery,
    count_row_bytes,
    is_page_full,
)

Row = TypeVar("Row", Watch, Delivery)


def list_watches(connection: sqlite3.Connection, query: WatchQuery) -> list[Watch]:
    """See ``Store.watches``."""
    before = _find_place(connection, SQL["watch_place"], query.before)
    page: dict[str, Any] = {"before": before, "limit": query.limit}
    filters = {"provider": query.provider, "state": query.state}
    if query.task_id is not None:
        ranges = [
            _read_seqs(
                connection, SQL["newest_watches_of_task"], {**page, **filters, "task_id": query.task_id}
            )
        ]
    elif query.provider is None and query.state is None:
        ranges = [_read_seqs(connection, SQL["newest_watches"], page)]
    else:
        providers = _read_seqs(connection, SQL["provider_seqs"], {"provider": query.provider})
        states = WatchState if query.state is None else [query.state]
        ranges = [
            _read_seqs(
                connection, SQL["newest_watches_in"], {**page, "provider_seq": provider, "state": state}
            )
            for provider, state in product(providers, states)
        ]
    rows = connection.execute(SQL["watches_by_seq"], {"seqs": _merge(ranges, query.limit)})
    return _fill_page(map(row_to_watch, rows))


def list_deliveries(connection: sqlite3.Connection, query: DeliveryQuery) -> list[Delivery]:
    """See ``Store.deliveries``."""
    before = _find_place(connection, SQL["delivery_place"], query.before)
    page: dict[str, Any] = {"before": before, "limit": query.limit}
    filters = {"state": query.state, "url": query.url}
    if query.watch_id is not None:
        of_watch = {**page, **filters, "watch_id": query.watch_id}
        ranges = [_read_seqs(connection, SQL["newest_deliveries_of_watch"], of_watch)]
    elif query.url is not None:
        endpoints = _read_seqs(connection, SQL["endpoint"], {"url": url_to_endpoint(query.url)})
        states = DeliveryState if query.state is None else [query.state]
        ranges = [
            _read_seqs(
                connection,
                SQL["newest_deliveries_to"],
                {**page, "url": query.url, "endpoint_seq": endpoint, "state": state},
            )
            for endpoint, state in product(endpoints, states)
        ]
    elif query.state is not None:
        ranges = [_read_seqs(connection, SQL["newest_deliveries_in"], {**page, "state": query.state})]
    else:
        ranges = [_read_seqs(connection, SQL["newest_deliveries"], page)]
    rows = connection.execute(SQL["deliveries_by_seq"], {"seqs": _merge(ranges, query.limit)})
    return _fill_page(delivery_in_full(connection, row) for row in rows.fetchall())


def list_endpoints(connection: sqlite3.Connection, *, before: str | None, limit: int) -> list[EndpointDetail]:
    """See ``Store.endpoints``."""
    place = _find_place(connection, SQL["endpoint_place"], before)
    return list_details(
        connection, _read_seqs(connection, SQL["newest_endpoints"], {"before": place, "limit": limit})
    )


def list_recent(connection: sqlite3.Connection, *, limit: int) -> RecentActivity:
    """See ``Store.recent``."""
    ends = connection.execute(SQL["recent_ends"], {"limit": limit})
    callbacks = connection.execute(SQL["recent_callbacks"], {"limit": limit})
    accepted = ((row["created_at"], row["accepted_at"]) for row in callbacks)
    return RecentActivity(
        ends=tuple(FinishedTask(*row) for row in ends),
        # The attempt may be deleted, and the clock may have been set between the two times.
        callbacks_ms=tuple(max(0, at - created_at) for created_at, at in accepted if at is not None),
    )


def _fill_page(rows: Iterable[Row]) -> list[Row]:
    """Take rows until the page is full. No further row is read into memory."""
    page: list[Row] = []
    size = 0
    for row in rows:
        page.append(row)
        size += count_row_bytes(row)
        if size >= MAX_PAGE_BYTES:
            break
    return page


def _find_place(connection: sqlite3.Connection, sql: str, before: str | None) -> int:
    """Return the seq below which the page starts.

    Ids ascend, so if the row was deleted, the next lower id has its place.
    """
    if before is None:
        return END_OF_TIME
    row = connection.execute(sql, {"id": before}).fetchone()
    if row is None:
        return 0
    return int(row["seq"]) if row["is_it"] else int(row["seq"]) + 1


def _read_seqs(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any]) -> list[int]:
    return [row[0] for row in connection.execute(sql, values)]


def _merge(ranges: Iterable[list[int]], limit: int) -> str:
    return json.dumps(list(islice(heapq.merge(*ranges, reverse=True), limit)))


def find_rows(
    connection: sqlite3.Connection,
    watch_ids: Iterable[str],
    delivery_ids: Iterable[str],
    *,
    deliveries_of: Iterable[str],
) -> RowsById:
    """See ``Store.find``."""
    extra = connection.execute(SQL["delivery_ids_of_watches"], {"ids": json.dumps([*deliveries_of])})
    of_watches = [row["id"] for row in extra]
    watch_rows = connection.execute(SQL["watches_by_id"], {"ids": json.dumps([*watch_ids])})
    watches = _fill_page(map(row_to_watch, watch_rows))
    rows = connection.execute(SQL["deliveries_by_id"], {"ids": json.dumps([*delivery_ids, *of_watches])})
    deliveries = tuple(delivery_in_full(connection, row) for row in rows.fetchall())
    return RowsById(tuple(watches), deliveries, is_cut=is_page_full(watches))

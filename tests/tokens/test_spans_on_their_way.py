"""Traces that MLflow has before all of their spans: its client sends them apart, from threads of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from sqlite3 import connect

import pytest

from alerter.core.traces import TraceRequest, TraceUse
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.sources.mlflow_rest.traces import SPANS_WAIT_MS
from tests.tokens.traced import Traced

CALL = "UPDATE spans SET trace_id = ? WHERE trace_id = ? AND name = 'call'"


@pytest.mark.parametrize("way", ["server", "file", "backend_store"])
def test_a_trace_is_counted_when_all_of_its_spans_are_there(traced: Traced, way: str) -> None:
    trace_id = traced.call("gpt-4o-mini", 1_000, 10)
    source = source_of(traced, way)
    with call_on_its_way(traced, trace_id):
        assert used(source, now()) == []
        # One that never comes is not waited for without end: the sum that the trace tells has no model.
        assert used(source, now() + SPANS_WAIT_MS) == [("", 1_010)]
    assert used(source, now()) == [("gpt-4o-mini", 1_010)]


def now() -> int:
    return int(time.time() * 1000) + 1_000


def source_of(traced: Traced, way: str) -> MlflowRestSource:
    name, server = traced.server.experiment_name(traced.experiment), traced.server
    if way == "backend_store":
        return MlflowDatabaseSource(name="main", tracking_uri=server.uri, backend_store=server.store, include=[name])
    return MlflowRestSource(name="main", tracking_uri=server.uri if way == "server" else server.store, include=[name])


def used(source: MlflowRestSource, now_ms: int) -> list[tuple[str, int]]:
    request = TraceRequest("", 0, now_ms, 500, lambda _ids: ())
    found: dict[str, TraceUse] = {}
    for batch in source.traces(request):
        found |= {each.trace_id: each for each in batch.traces}
    return [(each.model, each.total) for use in found.values() for each in use.used]


@contextmanager
def call_on_its_way(traced: Traced, trace_id: str) -> Iterator[None]:
    """Keep the span of a trace's call from the server until the block ends, as the queue of its client does."""
    hidden = trace_id.replace("tr-", "hidden-")
    with closing(connect(traced.server.database, timeout=30)) as database:
        with database:
            assert database.execute(CALL, (hidden, trace_id)).rowcount == 1
        yield
        with database:
            database.execute(CALL, (trace_id, hidden))

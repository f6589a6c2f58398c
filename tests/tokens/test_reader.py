"""Reading traces page by page: none is missed or doubled, however late it is logged and however many begin at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from alerter.core.ports import SourceError
from alerter.core.traces import TraceRequest
from alerter.sources.mlflow_rest import MlflowRestSource, traces as reading
from alerter.sources.mlflow_rest.decoding import Decoder
from alerter.sources.mlflow_rest.errors import TransientError
from alerter.sources.mlflow_rest.traces import LATE_MS, TraceReader
from alerter.sources.mlflow_rest.tracking import Page, Query, Row
from tests.fixtures.mlflow_server import MlflowServer

NOW = 1_795_435_200_000
DAY = 24 * 3_600_000
USAGE = '{"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}'


def row(trace_id: str, at_ms: int, state: str = "OK", **metadata: str) -> Row:
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return {
        "trace_id": trace_id,
        "request_time": at.isoformat().replace("+00:00", "Z"),
        "state": state,
        "trace_location": {"mlflow_experiment": {"experiment_id": "1"}},
        "trace_metadata": {"mlflow.trace.tokenUsage": USAGE} | metadata,
        "tags": {"mlflow.traceName": "x", "team": "nlp"},
    }


@dataclass
class FakeTracking:
    """MLflow's traces in memory: sorted by time, paged by offset, as its own store does."""

    rows: dict[str, Row] = field(default_factory=dict)
    page_size: int = 500
    asked: list[Query] = field(default_factory=list)
    spans_of: list[str] = field(default_factory=list)

    def put(self, *rows: Row) -> None:
        self.rows.update({each["trace_id"]: each for each in rows})

    def traces(self, experiment_ids: Sequence[str], query: Query) -> Page:
        assert list(experiment_ids) == ["1"]
        self.asked.append(query)
        first, last = (int(each) for each in re.findall(r"\d{2,}|\b0\b", query.where))
        found = [each for each in self.rows.values() if first <= reading.began_ms(each) <= last]
        found.sort(key=lambda each: (reading.began_ms(each), each["trace_id"]))
        start = int(query.token or 0)
        size = min(query.limit, self.page_size)
        more = start + size < len(found)
        return Page(found[start : start + size], str(start + size) if more else "")

    def trace_spans(self, trace_ids: Sequence[str]) -> list[Row]:
        self.spans_of += trace_ids
        return [{"trace_info": {"trace_id": each}, "spans": []} for each in trace_ids]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what no reading of traces asks for
        raise AssertionError(name)


@dataclass
class Reader:
    """Reads and remembers, as the ledger does: what is counted, until it may be forgotten."""

    tracking: FakeTracking
    cursor: str = ""
    kept: dict[str, int] = field(default_factory=dict)
    charged: list[str] = field(default_factory=list)

    def read(self, now_ms: int = NOW, *, limit: int = 5000, since_ms: int = NOW - 5 * DAY) -> Reader:
        def known(ids: Collection[str]) -> Collection[str]:
            return self.kept.keys() & set(ids)

        request = TraceRequest(self.cursor, since_ms, now_ms, limit, known)
        decoder = Decoder(source="main", workspace="default", usage_keys=frozenset())
        for batch in TraceReader(self.tracking, decoder, ["1"], request).batches():
            self.charged += [each.trace_id for each in batch.traces]
            self.kept |= {each.trace_id: each.at_ms for each in batch.traces}
            self.kept = {key: at for key, at in self.kept.items() if at >= batch.keep_ms}
            self.cursor = batch.cursor
        return self


def test_what_is_counted_costs_no_second_look_at_its_spans() -> None:
    tracking = FakeTracking()
    tracking.put(*(row(f"t{number}", NOW - number) for number in range(30)))
    reader = Reader(tracking).read().read().read()
    assert sorted(reader.charged) == sorted(tracking.spans_of) == sorted(tracking.rows)


def test_a_quiet_poll_asks_twice() -> None:
    tracking = FakeTracking()
    tracking.put(row("t", NOW - DAY // 2))
    reader = Reader(tracking).read()
    tracking.asked.clear()
    reader.read(NOW + 60_000)
    assert len(tracking.asked) == 2


def test_a_trace_that_is_unfinished_or_of_the_future_waits() -> None:
    tracking = FakeTracking()
    tracking.put(row("long", NOW - 3_600_000, "IN_PROGRESS"), row("ahead", NOW + 60_000), row("now", NOW))
    reader = Reader(tracking).read()
    assert reader.charged == ["now"]
    tracking.put(row("long", NOW - 3_600_000))
    assert sorted(reader.read(NOW + 120_000).charged) == ["ahead", "long", "now"]


def test_a_trace_waits_for_its_spans() -> None:
    tracking = FakeTracking()
    sizes = {"a": '{"num_spans": 2}', "b": '{"num_spans": 0}', "c": '{"num_spans": "x"}', "d": "[", "e": "{}"}
    tracking.put(*(row(name, NOW, **{reading.SIZE: size}) for name, size in sizes.items()))
    reader = Reader(tracking).read()
    assert sorted(reader.charged) == ["b", "c", "d", "e"]
    assert sorted(reader.read(NOW + reading.SPANS_WAIT_MS).charged) == ["a", "b", "c", "d", "e"]


def test_a_trace_without_usage_is_nothing() -> None:
    tracking = FakeTracking()
    tracking.put(row("t", NOW) | {"trace_metadata": {}})
    assert Reader(tracking).read().charged == []
    assert tracking.spans_of == []


def test_more_than_one_poll_reads_goes_on_in_the_next() -> None:
    tracking = FakeTracking()
    tracking.put(*(row(f"t{number:04}", NOW - 2000 + number) for number in range(1800)))
    reader = Reader(tracking)
    assert len(reader.read(limit=500).charged) == 500
    for _ in range(3):
        reader.read(limit=500)
    assert sorted(reader.charged) == sorted(tracking.rows)


def test_what_an_unreadable_trace_says_stops_no_other() -> None:
    tracking = FakeTracking()
    odd = row("odd", NOW, **{"mlflow.trace.cost": '{"total_cost": NaN}', "mlflow.trace.tokenUsage": "[]"})
    tracking.put(odd, row("even", NOW, **{"mlflow.trace.cost": "}"}))
    assert sorted(Reader(tracking).read().charged) == ["even", "odd"]


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=12),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 5),
    st.integers(1, 8),
)
def test_each_trace_is_charged_exactly_once_in_any_order_of_logging(
    polls: list[list[tuple[int, int]]], page_size: int, limit: int
) -> None:
    tracking = FakeTracking(page_size=page_size)
    reader = Reader(tracking)
    for number, arriving in enumerate(polls):
        now_ms = NOW + number * 60_000
        for late_hours, tie in arriving:  # up to three hours late, many within the same millisecond
            name = f"t{len(tracking.rows):03}"
            tracking.put(row(name, now_ms - late_hours * 3_600_000 - tie // 4))
        reader.read(now_ms, limit=limit)
    for extra in range(60):
        reader.read(NOW + (len(polls) + extra) * 60_000, limit=limit)
    assert sorted(reader.charged) == sorted(tracking.rows)


def test_notes_are_forgotten_only_when_a_trace_is_never_read_again() -> None:
    tracking = FakeTracking()
    tracking.put(row("old", NOW - 3 * DAY), row("new", NOW))
    reader = Reader(tracking).read()
    assert reader.kept.keys() == {"new"}
    for poll in range(4):
        reader.read(NOW + poll)
    assert sorted(reader.charged) == ["new", "old"]
    assert min(reading.began_ms(each) for each in tracking.rows.values()) < NOW - LATE_MS


def test_an_unreadable_cursor_begins_anew() -> None:
    tracking = FakeTracking()
    tracking.put(row("t", NOW - 1))
    assert Reader(tracking, cursor="{").read().charged == ["t"]


def test_a_server_that_cannot_be_read_is_named(mlflow_server: MlflowServer) -> None:
    source = MlflowRestSource(name="main", tracking_uri="http://127.0.0.1:9", timeout_s=1, back_off_s=0.01)
    with pytest.raises(SourceError, match="source main"):
        list(source.traces(TraceRequest("", 0, NOW, 500, lambda _ids: ())))
    assert issubclass(TransientError, SourceError)

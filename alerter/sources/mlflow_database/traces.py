"""Traces and their spans, as MLflow's REST API would write them in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from alerter.sources.mlflow_database.connection import Reading
from alerter.sources.mlflow_database.tables import marks
from alerter.sources.mlflow_rest.spans import from_json
from alerter.sources.mlflow_rest.traces import COST, RUN, SIZE, USAGE as USED, USER
from alerter.sources.mlflow_rest.tracking import Page, Row, TraceQuery

_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_METADATA: Final = (USED, COST, RUN, USER, SIZE)
_SPANS: Final = "mlflow.trace.spansLocation"
_HERE: Final = "TRACKING_STORE"


class DatabaseTraces:
    """What `TraceReader` asks for, by one open connection.

    Args:
        reading: the connection.
        has_columns: whether a trace's tokens are columns of ``trace_info``.
        elsewhere: gives the spans of traces that MLflow keeps outside its database.
    """

    def __init__(
        self, reading: Reading, *, has_columns: bool, elsewhere: Callable[[Sequence[str]], Sequence[Row]]
    ) -> None:
        self._rows = reading.rows
        self._has_columns = has_columns
        self._elsewhere = elsewhere

    def traces(self, experiment_ids: Sequence[str], query: TraceQuery) -> Page:
        """Return the traces that began between two times, oldest first; the token is the last one's time and id."""
        at, _, after = query.token.partition(":")
        since = (int(at), after) if after else (query.from_ms, "")
        columns = "".join(f", {each}" for each in (*_TOKENS, "total_cost")) if self._has_columns else ""
        sql = (
            f"SELECT request_id, timestamp_ms, status, experiment_id{columns} FROM trace_info "
            "WHERE (timestamp_ms > ? OR (timestamp_ms = ? AND request_id > ?)) AND timestamp_ms >= ? "
            f"AND timestamp_ms <= ? AND experiment_id IN {marks(experiment_ids)} "
            "ORDER BY timestamp_ms, request_id LIMIT ?"
        )
        ids = [int(each) for each in experiment_ids]
        found = self._rows(sql, since[0], *since, since[0], query.until_ms, *ids, query.limit)
        traces = {row[0]: _trace(row) for row in found}
        self._add("trace_request_metadata", f"c.key IN {marks(_METADATA)}", _METADATA, traces, "trace_metadata")
        self._add("trace_tags", "substr(c.key, 1, 7) <> 'mlflow.'", (), traces, "tags")
        last = found[-1] if len(found) == query.limit else None
        return Page(list(traces.values()), f"{last[1]}:{last[0]}" if last else "")

    def trace_spans(self, trace_ids: Sequence[str]) -> list[Row]:
        """Return ``trace_info`` and ``spans`` of traces; of the spans what tells their tokens."""
        sql = f"SELECT request_id FROM trace_tags WHERE key = ? AND value = ? AND request_id IN {marks(trace_ids)}"
        here: dict[str, list[Row]] = {row[0]: [] for row in self._rows(sql, _SPANS, _HERE, *trace_ids)}
        if here:
            sql = f"SELECT trace_id, span_id, parent_span_id, content FROM spans WHERE trace_id IN {marks(list(here))}"
            for trace_id, *span in self._rows(sql, *here):
                here[trace_id].append(_span(*span))
        rest = [each for each in trace_ids if each not in here]
        found = [{"trace_info": {"trace_id": each}, "spans": spans} for each, spans in here.items()]
        return [*found, *(self._elsewhere(rest) if rest else ())]

    def _add(self, table: str, condition: str, values: Sequence[str], traces: Mapping[str, Row], field: str) -> None:
        if not traces:
            return
        sql = f"SELECT c.request_id, c.key, c.value FROM {table} AS c WHERE c.request_id IN {marks(list(traces))}"
        for trace_id, key, value in self._rows(f"{sql} AND ({condition})", *traces, *values):
            traces[trace_id][field].setdefault(key, value or "")


def _trace(row: Sequence[Any]) -> Row:
    trace_id, at_ms, status, experiment_id, *columns = row
    metadata: dict[str, str] = {}
    if columns:
        usage = {key: value for key, value in zip(_TOKENS, columns[:-1], strict=True) if value is not None}
        if usage:
            metadata[USED] = json.dumps(usage)
        if columns[-1] is not None:
            metadata[COST] = json.dumps({"total_cost": columns[-1]})
    return {
        "trace_id": trace_id,
        "request_time": int(at_ms),
        "state": status,
        "experiment_id": str(experiment_id),
        "trace_metadata": metadata,
        "tags": {},
    }


def _span(span_id: str, parent_span_id: str | None, content: str) -> Row:
    try:
        written = from_json(json.loads(content))
    except ValueError:
        written = from_json({})
    return written | {"span_id": span_id, "parent_span_id": parent_span_id or ""}

"""Traces whose spans MLflow's database has not: older clients upload them as a file, and one that dies sends none."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import connect

import httpx2
import pytest

from alerter.core.ports import SourceError
from alerter.core.traces import TraceRequest, TraceUse
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_server import plain_environment
from tests.plugins.parts import mlflow_python
from tests.sources.scripted import Answer, ScriptedServer
from tests.tokens.traced import Traced
from tests.truth.ledgers import DAY

NOW = 1_795_435_200_000
AT_ONCE = {"MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"}
WRITER = Path(__file__).parents[1] / "sources" / "written.py"
SCRIPT = """\
import runpy, sys, mlflow
write_call = runpy.run_path(sys.argv[1])["write_call"]
mlflow.set_tracking_uri(sys.argv[2])
write_call(sys.argv[3], int(sys.argv[4]), {"input_tokens": 1_000_000, "output_tokens": 0, "total_tokens": 1_000_000})
"""


def upload(traced: Traced) -> None:
    """Let a client of MLflow 3.3 log a call."""
    at_ms = str(traced.now_ms - DAY)
    command = [str(mlflow_python("3.3")), "-c", SCRIPT, str(WRITER), traced.server.uri, traced.experiment, at_ms]
    subprocess.run(command, check=True, capture_output=True, env=plain_environment() | AT_ONCE)


def begin(traced: Traced) -> None:
    """Log a trace as a client does before it sends the spans."""
    usage = '{"input_tokens": 500, "output_tokens": 7, "total_tokens": 507}'
    info = {
        "trace_id": f"tr-{uuid.uuid4().hex}",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": traced.experiment}},
        "request_time": datetime.fromtimestamp((traced.now_ms - DAY) // 1000, UTC).isoformat().replace("+00:00", "Z"),
        "state": "OK",
        "trace_metadata": {"mlflow.trace.tokenUsage": usage},
    }
    body = {"trace": {"trace_info": info}}
    assert httpx2.post(f"{traced.server.uri}/api/3.0/mlflow/traces", json=body).status_code == 200


def used(source: MlflowRestSource, now_ms: int) -> list[tuple[str, int]]:
    """Return the models and tokens that a source tells."""
    found: dict[str, TraceUse] = {}
    for batch in source.traces(TraceRequest("", now_ms - 3 * DAY, now_ms, 500, found.keys().__and__)):
        found |= {each.trace_id: each for each in batch.traces}
    return sorted((each.model, each.total) for trace in found.values() for each in trace.used)


@pytest.mark.needs_mlflow("3.3")
def test_what_an_older_client_uploads_is_charged_by_its_model_beside_what_others_log(traced: Traced) -> None:
    upload(traced)
    begin(traced)
    traced.call("gpt-4o-mini", 2_000_000, 0)
    (polled,) = traced.cycle().polls
    assert (polled.error, polled.tokens.counted, polled.tokens.unpriced) == ("", 3, 1)
    assert traced.spent() == {"llm": "0.45", "platform": "0.45"}
    assert traced.cycle().polls[0].tokens.counted == 0
    server, include = traced.server, [traced.server.experiment_name(traced.experiment)]
    over_rest = used(MlflowRestSource(name="main", tracking_uri=server.uri, include=include), traced.now_ms)
    assert over_rest == [("", 507), ("gpt-4o-mini", 1_000_000), ("gpt-4o-mini", 2_000_000)]
    database = MlflowDatabaseSource(name="main", tracking_uri=server.uri, backend_store=server.store, include=include)
    assert used(database, traced.now_ms) == over_rest
    # Who only has the file may not get at the artifacts that a server took, but knows how many tokens there were.
    file = MlflowRestSource(name="main", tracking_uri=server.store, include=include)
    assert {tokens for _, tokens in used(file, traced.now_ms)} == {507, 1_000_000, 2_000_000}


def test_one_trace_that_mlflow_cannot_read_stops_no_other(traced: Traced) -> None:
    lost = traced.call("gpt-4o-mini", 1_000_000, 0)
    traced.call("gpt-4o-mini", 2_000_000, 0)
    with closing(connect(traced.server.database, timeout=30)) as database, database:
        # As MLflow does when it archives old traces: here it can't get at the archive.
        moved = "UPDATE trace_tags SET value = 'ARCHIVE_REPO' WHERE request_id = ? AND value = 'TRACKING_STORE'"
        assert database.execute(moved, [lost]).rowcount == 1
    server, include = traced.server, [traced.server.experiment_name(traced.experiment)]
    over_rest = MlflowRestSource(name="main", tracking_uri=server.uri, include=include)
    database_source = MlflowDatabaseSource(
        name="main", tracking_uri=server.uri, backend_store=server.store, include=include
    )
    for source in (over_rest, database_source):
        assert used(source, traced.now_ms) == [("", 1_000_000), ("gpt-4o-mini", 2_000_000)]


SUMMARY = '{"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}'
TRACE = {
    "trace_id": "tr-1",
    "request_time": "2026-11-22T12:00:00Z",
    "state": "OK",
    "trace_location": {"mlflow_experiment": {"experiment_id": "1"}},
    "trace_metadata": {"mlflow.trace.tokenUsage": SUMMARY},
}
BEFORE_3_0 = {
    "context": {"trace_id": "0x1", "span_id": "0x2"},
    "parent_id": None,
    "attributes": {"mlflow.chat.tokenUsage": SUMMARY, "mlflow.llm.model": '"gpt-4o-mini"'},
}


@pytest.fixture
def refusing() -> Iterator[ScriptedServer]:
    """A server that has the spans of its one trace elsewhere."""
    with ScriptedServer() as scripted:
        scripted.on("traces/search", Answer({"traces": [TRACE]}))
        said = {"error_code": "INTERNAL_ERROR", "message": "Trace data not stored in tracking store"}
        scripted.on("traces/batchGet", Answer(said, 500))
        yield scripted


def read(server: ScriptedServer) -> list[tuple[str, int]]:
    return used(MlflowRestSource(name="main", tracking_uri=server.uri, back_off_s=0), NOW)


@pytest.mark.parametrize(
    ("file", "model"),
    [
        (Answer({"spans": [BEFORE_3_0]}), "gpt-4o-mini"),
        (Answer({"error_code": "NOT_FOUND", "message": "Trace data not found"}, 404), ""),
        (Answer({"error_code": "INTERNAL_ERROR", "message": "no credentials"}, 500), ""),
        (Answer({}, 403), ""),
        (Answer(b"<html>login"), ""),
        (Answer({"spans": 5}), ""),
        (Answer({"spans": [5, {"context": 1, "attributes": []}]}), ""),
    ],
)
def test_a_file_that_nobody_can_read_leaves_the_sum_without_a_model(
    refusing: ScriptedServer, file: Answer, model: str
) -> None:
    refusing.on("get-trace-artifact", file)
    assert read(refusing) == [(model, 6)]
    assert [len(refusing.requests[each]) for each in ("traces/batchGet", "get-trace-artifact")] == [1, 1]


def test_a_server_that_is_overloaded_is_asked_again_later(refusing: ScriptedServer) -> None:
    refusing.on("get-trace-artifact", Answer({}, 503))
    with pytest.raises(SourceError, match="503"):
        read(refusing)

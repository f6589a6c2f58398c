"""Traces made by MLflow's own client on a real server, through the real cycle, into the ledger."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest

from alerter.bootstrap import wire
from alerter.config import Config
from alerter.core.money import plain
from alerter.core.traces import TraceRequest
from alerter.cycle import CycleReport, run_cycle
from alerter.evidence import run_counts
from alerter.explain import explain
from alerter.services import Services
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.spending import accruals
from alerter.status import budget_status, top_runs
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer
from tests.truth.ledgers import DAY, config_of

BUDGETS = """
defaults: {{timezone: Asia/Kathmandu, receivers: [console], match: {{}}}}
budgets:
  - {{name: llm, amount: "100", period: {period}, components: [tokens]}}
  - {{name: machines, amount: "100", period: {period}, components: [machines]}}
  - {{name: all, amount: "100", period: {period}, group_by: [team]}}
"""
PERIOD = "{from: 2001-01-01, to: 2099-01-01}"


@dataclass
class Traced:
    """A daemon's services on one experiment of a real server."""

    server: MlflowServer
    experiment: str
    services: Services
    now_ms: int

    def call(self, model: str, given: int, got: int, *, cached: int = 0, run: bool = False, **tags: str) -> str:
        """Log a trace of one LLM call below an agent that sums it up, as frameworks do; return its id."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own: an error inside its tracer silently makes no trace
            return self._call(model, given, got, cached=cached, run=run, tags=tags)

    def _call(self, model: str, given: int, got: int, *, cached: int, run: bool, tags: dict[str, str]) -> str:
        mlflow.set_tracking_uri(self.server.uri)
        mlflow.set_experiment(experiment_id=self.experiment)
        usage = {"input_tokens": given, "output_tokens": got, "total_tokens": given + got}
        if cached:
            usage["cache_read_input_tokens"] = cached
        started = mlflow.start_run(tags={"team": "vision"}) if run else None
        try:
            with mlflow.start_span("agent") as root:
                root.set_attribute("mlflow.chat.tokenUsage", usage)
                with mlflow.start_span("call", span_type="CHAT_MODEL") as span:
                    span.set_attributes({"mlflow.chat.tokenUsage": usage, "mlflow.llm.model": model})
                mlflow.update_current_trace(tags=tags)
        finally:
            if started is not None:
                mlflow.end_run()
        mlflow.flush_trace_async_logging()
        return str(root.trace_id)

    def cycle(self) -> CycleReport:
        return run_cycle(self.services, self.now_ms)

    def spent(self) -> dict[str, str]:
        with self.services.windows.read() as view:
            assert verify_ledger(view).ok
            return {row.title: plain(row.spent_nanos) for row in budget_status(view, self.now_ms) if row.spent_nanos}

    def explained(self, reference: str) -> Any:  # noqa: ANN401 - JSON
        with self.services.windows.read() as view:
            return explain(view, reference, self.now_ms)


def config_for(folder: Path, server: MlflowServer, experiment: str, extra: str = "") -> Config:
    name = server.experiment_name(experiment)
    source = f"sources: [{{name: main, tracking_uri: '{server.uri}', experiments: {{include: ['{name}']}}}}]\n"
    return config_of(folder, BUDGETS.format(period=PERIOD).replace(", match: {}", ""), "catalogs: []\n", source + extra)


@pytest.fixture
def traced(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Traced]:
    experiment = mlflow_server.experiment(team="platform")
    config = config_for(tmp_path / "config", mlflow_server, experiment)
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store:
        migrate(store)
        now_ms = int(time.time() * 1000) + DAY  # the client's clock is the machine's
        yield Traced(mlflow_server, experiment, wire(config, store, now_ms=now_ms), now_ms)


def test_a_call_is_charged_once_at_the_dated_price_of_its_model(traced: Traced) -> None:
    traced.call("gpt-4o-mini", 1_000_000, 100_000)
    (polled,) = traced.cycle().polls
    assert (polled.error, polled.tokens.counted, polled.tokens.unpriced) == ("", 1, 0)
    # $0.15 and $0.60 a million; the agent's own sum is not counted again.
    assert traced.spent() == {"llm": "0.21", "platform": "0.21"}
    for _ in range(3):
        assert traced.cycle().polls[0].tokens.counted == 0
    assert traced.spent() == {"llm": "0.21", "platform": "0.21"}


def test_a_traces_tag_goes_before_its_runs_and_that_before_its_experiments(traced: Traced) -> None:
    traced.call("gpt-4o-mini", 1_000_000, 0)
    traced.call("gpt-4o-mini", 2_000_000, 0, run=True, request_id="differs from call to call")
    traced.call("gpt-4o-mini", 4_000_000, 0, run=True, team="nlp")
    traced.cycle()
    assert traced.spent() == {
        "llm": "1.05",
        "platform": "0.15",
        "vision": "0.30",
        "nlp": "0.60",
    }


def test_the_file_behind_a_server_tells_the_same_and_late_traces_are_found(traced: Traced) -> None:
    traced.call("gpt-4o-mini", 1_000, 10, team="nlp")
    name = traced.server.experiment_name(traced.experiment)
    uris = (traced.server.uri, traced.server.store)
    sources = [MlflowRestSource(name="main", tracking_uri=uri, include=[name]) for uri in uris]
    sources += [
        MlflowDatabaseSource(
            name="main", tracking_uri=traced.server.uri, backend_store=traced.server.store, include=[name]
        )
    ]
    first = [list(source.traces(request_at(traced.now_ms))) for source in sources]
    assert first[0] == first[1] == first[2]
    assert {each.own for batch in first[0] for each in batch.traces} == {(("team", "nlp"),)}
    late = traced.now_ms - DAY - 6 * 3_600_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        span = mlflow.start_span_no_context("late", start_time_ns=late * 1_000_000)
        span.set_attributes({"mlflow.chat.tokenUsage": {"input_tokens": 7, "output_tokens": 0, "total_tokens": 7}})
        span.end()
        mlflow.flush_trace_async_logging()
    for source in sources:
        batches = source.traces(request_at(traced.now_ms, first[0][-1].cursor))
        found = {each.at_ms: each.used[0].input_tokens for batch in batches for each in batch.traces}
        assert found[late] == 7


def request_at(now_ms: int, cursor: str = "") -> TraceRequest:
    """A first read of the last three days, or one that goes on, with nothing counted yet."""
    return TraceRequest(cursor, now_ms - 3 * DAY, now_ms, 500, lambda _ids: ())


def test_cached_tokens_cost_less_and_what_mlflow_counts_otherwise_is_told(traced: Traced) -> None:
    traced.call("claude-sonnet-4-5", 6_000, 200, cached=5_000)
    (polled,) = traced.cycle().polls
    # 1,000 at $3, 5,000 at $0.30, 200 at $15 a million.
    assert traced.spent()["llm"] == "0.0075"
    assert polled.tokens.cost_differs in {0, 1}  # MLflow's list may know another price of it


def test_a_model_without_a_price_is_a_gap_that_names_it(traced: Traced) -> None:
    traced.call("our-own-model", 1_000, 10)
    (polled,) = traced.cycle().polls
    assert polled.tokens.unpriced == 1
    assert traced.spent() == {}
    (gap,) = traced.explained("LLM tokens our-own-model")["gaps"]
    assert (gap["meter"], gap["missing"]) == ("tokens", "no price for model our-own-model")


def test_top_names_the_model_links_the_run_and_counts_no_run_more(traced: Traced) -> None:
    traced.call("gpt-4o-mini", 1_000_000, 0, run=True)
    traced.cycle()
    with traced.services.windows.read() as view:
        (top,) = top_runs(view, traced.services.describer, traced.now_ms, limit=5, name="llm")
        windows = dict.fromkeys(view.budgets, (0, 2**62))
        assert set(run_counts(view, windows, accruals(view, traced.now_ms)).values()) == {1}
    assert (top.name, top.machine, plain(top.cost_nanos)) == ("LLM tokens gpt-4o-mini", "tokens", "0.15")
    assert top.url.startswith(f"{traced.server.uri}/#/experiments/{traced.experiment}/runs/")
    assert "tokens:" not in top.url
    found = traced.explained("LLM tokens gpt-4o-mini")
    assert found["run"]["cost"] == "0.15"
    assert [share["cost"] for share in found["budgets"]]
    (line,) = found["charges"]
    assert line["rule"].startswith("genai-prices ")

"""Traces made by MLflow's own client on a real server, through the real cycle, into the ledger."""

from __future__ import annotations

import warnings

import mlflow

from alerter.core.money import plain
from alerter.core.traces import TraceRequest
from alerter.evidence import run_counts
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.spending import accruals
from alerter.status import top_runs
from tests.tokens.traced import Traced
from tests.truth.ledgers import DAY


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

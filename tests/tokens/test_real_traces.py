"""Traces made by MLflow's own client on a real server, through the real cycle, into the ledger."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import mlflow
import pytest

from alerter.bootstrap import wire
from alerter.core.money import plain
from alerter.core.traces import TraceRequest
from alerter.run_counts import run_counts
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.spending import accruals
from alerter.status import top_runs
from tests.tokens.traced import Traced, config_for
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
    # MLflow's own sums agree.
    assert (polled.tokens.count_differs, polled.tokens.cost_differs) == (0, 0)
    (line,) = traced.explained("LLM tokens claude-sonnet-4-5")["charges"]
    assert line["tokens"] == {"fresh": 1_000, "cached": 5_000, "into_cache": 0, "out": 200}
    assert "in 3 (" in line["rule"]


@pytest.mark.parametrize(("price", "differs"), [("0.15", 0), ("0.157", 0), ("0.16", 1), ("0.14", 1)])
def test_a_cost_that_mlflow_logged_is_compared_and_the_configured_one_stands(
    traced: Traced, tmp_path: Path, price: str, differs: int
) -> None:
    own = f'tokens: [{{model: gpt-4o-mini, per_million_input: "{price}", per_million_output: "0"}}]\n'
    config = config_for(tmp_path / "own", traced.server, traced.experiment, prices=own)
    traced.services = wire(config, traced.services.store, now_ms=traced.now_ms)
    traced.call("gpt-4o-mini", 1_000_000, 0)  # of which MLflow's server says $0.15
    (polled,) = traced.cycle().polls
    assert (polled.tokens.cost_differs, traced.spent()["llm"]) == (differs, price)


def test_the_list_of_prices_is_imported_only_where_something_asks_for_it(traced: Traced, tmp_path: Path) -> None:
    traced.call("gpt-4o-mini", 1_000, 0)
    config_for(tmp_path / "tokens", traced.server, traced.experiment)
    config_for(tmp_path / "none", traced.server, traced.experiment)
    budgets = (
        "defaults: {receivers: [console]}\nbudgets: [{name: a, amount: 1, period: daily, components: [machines]}]\n"
    )
    (tmp_path / "none" / "budgets.yaml").write_text(budgets, encoding="utf-8")
    script = (
        "import sys; from alerter.cli.app import app\n"
        "try: app(['once', '--config', sys.argv[1]])\n"
        "except SystemExit as end: print(end.code, 'genai_prices' in sys.modules)"
    )

    def last_line(name: str) -> str:
        command = [sys.executable, "-c", script, str(tmp_path / name)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True)
        return done.stdout.splitlines()[-1]

    assert (last_line("none"), last_line("tokens")) == ("0 False", "0 True")


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
        counts, _ = run_counts(view, windows, accruals(view, traced.now_ms))
        assert set(counts.values()) == {1}
    assert (top.name, top.machine, plain(top.cost_nanos)) == ("LLM tokens gpt-4o-mini", "tokens", "0.15")
    assert top.url.startswith(f"{traced.server.uri}/#/experiments/{traced.experiment}/runs/")
    assert "tokens:" not in top.url
    found = traced.explained("LLM tokens gpt-4o-mini")
    assert found["run"]["cost"] == "0.15"
    assert [share["cost"] for share in found["budgets"]]
    (line,) = found["charges"]
    assert line["rule"].startswith("genai-prices ")

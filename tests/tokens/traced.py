"""Traces that MLflow's own client makes on a real server, and a daemon's services beside it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow

from alerter.config import Config
from alerter.core.money import plain
from alerter.cycle import CycleReport, run_cycle
from alerter.explain import explain
from alerter.services import Services
from alerter.status import budget_status
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer
from tests.truth.ledgers import config_of

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


def config_for(
    folder: Path, server: MlflowServer, experiment: str, extra: str = "", prices: str = "catalogs: []\n"
) -> Config:
    name = server.experiment_name(experiment)
    source = f"sources: [{{name: main, tracking_uri: '{server.uri}', experiments: {{include: ['{name}']}}}}]\n"
    return config_of(folder, BUDGETS.format(period=PERIOD).replace(", match: {}", ""), prices, source + extra)

"""A daemon's services on experiments of a real MLflow server, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from alerter.bootstrap import wire
from alerter.config import Config
from alerter.cycle import CycleReport, run_cycle
from alerter.services import Services
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.status import status_json
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer
from tests.truth.ledgers import config_of

KEYS = frozenset({"instance_type", "num_nodes"})


@dataclass
class Tracked:
    """Services that look only at the experiments of one test; their ledger is verified after every cycle."""

    config: Config
    store: Store
    services: Services
    client: MlflowClient
    experiment: str

    def cycle(self, now_ms: int) -> CycleReport:
        report = run_cycle(self.services, now_ms)
        assert not report.failed, report.failed
        with self.services.ledger.read() as view:
            assert verify_ledger(view).ok
        return report

    def run(
        self,
        start_ms: int,
        end_ms: int | None,
        tags: Mapping[str, str] | None = None,
        *,
        experiment: str = "",
        machine: str = "m5.xlarge",
    ) -> str:
        """A run of MLflow's own client; RUNNING without an end."""
        made = self.client.create_run(experiment or self.experiment, start_time=start_ms, tags=dict(tags or {}))
        run_id: str = made.info.run_id
        self.client.log_param(run_id, "instance_type", machine)
        if end_ms is not None:
            self.client.set_terminated(run_id, end_time=end_ms)
        return run_id

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self.store.read() as connection:
            return [tuple(row) for row in query(connection, sql, *values)]

    def reasons(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT reason FROM correction ORDER BY id")]

    def alerts(self) -> list[tuple[Any, ...]]:
        """(status, reason) of every alert, in order."""
        return self.rows("SELECT status, reason FROM alert ORDER BY status, reason")

    def status(self, now_ms: int) -> dict[str, Any]:
        with self.services.windows.read() as view:
            return status_json(view, now_ms)

    def spent(self, now_ms: int) -> dict[str, Decimal]:
        """What each scope has spent in its current period, by its tag values, or the budget's name."""
        return {
            " / ".join(each["scope"].values()) or each["budget"]: Decimal(each["spent"])
            for each in self.status(now_ms)["budgets"]
        }


@contextmanager
def tracked(server: MlflowServer, folder: Path, now_ms: int, budgets: str, prices: str) -> Iterator[Tracked]:
    """Services on a fresh ledger and one fresh experiment of a server."""
    experiment = server.experiment()
    name = server.experiment_name(experiment)
    config = config_of(folder, budgets, prices, f"sources: [{{name: main, tracking_uri: {server.uri!r}}}]\n")
    with closing(Store(f"sqlite:///{folder / 'alerter.db'}")) as store:
        migrate(store)
        source = MlflowRestSource(name="main", tracking_uri=server.uri, include=[f"{name}*"], usage_keys=KEYS)
        services = replace(wire(config, store, now_ms=now_ms), sources=[source])
        yield Tracked(config, store, services, MlflowClient(server.uri), experiment)

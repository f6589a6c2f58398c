"""What the ledger gives is what OpenAPI promises: one cycle on a real database, then both documents over HTTP."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from alerter.alerts_shown import alerts_json
from alerter.bootstrap import wire
from alerter.config import load
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.holds import acknowledge
from alerter.status import status_json
from alerter.store.engine import Store
from alerter.store.totals import View
from alerter.web.schemas import AlertsBody, StatusBody
from alerter.web.services import WebServices
from tests.fixtures.window_data import NOW_MS, services
from tests.web.conftest import Serve

CONFIG = Path(__file__).parents[2] / "config"
DAY_MS = 86_400_000


@dataclass
class Runs:
    """A source that has what it is given."""

    runs: Sequence[RunObservation]
    name: str = "main"

    def poll(self, _request: PollRequest) -> Iterator[Batch]:
        yield Batch(self.runs, "end", swept=True)

    def run_url(self, _experiment_id: str, _run_uuid: str) -> str:
        return ""

    def check(self) -> list[Finding]:
        return []


def run(uuid: str, team: str, start_ms: int, end_ms: int | None) -> RunObservation:
    return RunObservation(
        run_uuid=uuid,
        experiment_id="1",
        name="trial",
        user="anna",
        status=RunStatus.RUNNING if end_ms is None else RunStatus.FINISHED,
        start_ms=start_ms,
        end_ms=end_ms,
        deleted=False,
        tags=(("team", team),),
        usage=(("instance_type", "p4d.24xlarge"), ("num_nodes", "4")),
        last_metric_ms=NOW_MS - 60_000,
    )


@pytest.fixture
def windows(tmp_path: Path, migrated_sqlite: Path) -> Iterator[WebServices]:
    path = tmp_path / "alerter.db"
    shutil.copyfile(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    wired = wire(load(CONFIG, {}), store, now_ms=NOW_MS)
    runs = Runs(
        [
            run("a1", "vision", NOW_MS - DAY_MS, NOW_MS - 1_000),
            run("b2", "nlp", NOW_MS - 3_600_000, None),
            run("c3", "<script>", NOW_MS - 60_000, None),
        ]
    )
    run_cycle(replace(wired, sources=[runs]), NOW_MS)
    assert acknowledge(store, "vision", actor="slack:U01ANNA (anna)", via="slack", now_ms=NOW_MS).ok

    def read(make: Callable[[View], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        def shown() -> dict[str, Any]:
            with wired.windows.read() as view:
                return make(view)

        return shown

    yield replace(services(), status=read(lambda view: status_json(view, NOW_MS)), alerts=read(alerts_json))
    store.close()


def test_status_is_as_documented(serve: Serve, windows: WebServices) -> None:
    body = StatusBody.model_validate(serve(windows).get("/api/status").json(), strict=True)
    rows = {each.scope.get("team", each.budget): each for each in body.budgets}
    assert set(rows) == {"everything", "vision", "nlp", "<script>"}
    assert float(rows["vision"].spent) > 2_000
    assert float(rows["nlp"].accruing) > 0


def test_alerts_are_as_documented(serve: Serve, windows: WebServices) -> None:
    body = AlertsBody.model_validate(serve(windows).get("/api/alerts").json(), strict=True)
    vision = [each for each in body.alerts if each.scope == {"team": "vision"}]
    assert vision
    assert {each.status for each in vision} == {"acknowledged"}
    assert {each.acknowledged_by for each in vision} == {"slack:U01ANNA (anna)"}
    assert all(each.deliveries for each in vision)

"""An MLflow's PostgreSQL is stopped for a minute and started again, under the daemon that reads it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.daemon.conftest import until
from tests.daemon.several.conftest import AWAY_S, EVERY_S, Fleet
from tests.daemon.test_process import MINUTE, Process
from tests.fixtures.mlflow_server import MlflowServer, serving
from tests.fixtures.store import PostgresServer, create

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(400)]

SECOND = 1000
PARAMS = {"instance_type": "dollar.minute"}


@pytest.fixture
def mlflow_server(tmp_path: Path, postgres: PostgresServer) -> Iterator[MlflowServer]:
    with serving(tmp_path, store=create(postgres.url)) as server:
        yield server


def notices(fleet: Fleet) -> list[str]:
    """Return the titles of what the operators were told."""
    bodies = [json.loads(each.body) for each in tuple(fleet.hook.requests) if each.path == "/1"]
    return [str(body["title"]) for body in bodies if body["event"] == "told"]


def status(daemon: Process) -> tuple[bool, str]:
    """Return whether what a daemon shows is stale, and what it says was spent."""
    shown = httpx2.get(f"{daemon.url()}/api/status").json()
    return shown["stale"], shown["budgets"][0]["spent"]


def failed_polls(daemon: Process) -> float:
    lines = httpx2.get(f"{daemon.url()}/metrics").text.splitlines()
    (line,) = [each for each in lines if each.startswith('alerter_polls_failed_total{source="main"}')]
    return float(line.rpartition(" ")[2])


def test_a_sources_database_that_is_away_for_a_minute(fleet: Fleet, postgres: PostgresServer) -> None:
    fleet.ways, fleet.more = 2, "operators: hook1\n"
    fleet.source, fleet.poll = f", backend_store: '{fleet.mlflow.store}'", ", source_down_after: 20s"
    daemon = fleet.start()
    fleet.spend(7)
    began_ms = time.time_ns() // 1_000_000 - 10 * SECOND
    running = fleet.mlflow.start_run(fleet.experiment, began_ms, params=PARAMS)
    fleet.told_of(1)  # of $8 and some cents
    fleet.polled()
    postgres.stop()
    stopped = time.monotonic()
    stopped_ms = time.time_ns() // 1_000_000
    until(lambda: status(daemon)[0], fleet.logs)
    _, before = status(daemon)
    while time.monotonic() < stopped + AWAY_S:
        time.sleep(EVERY_S)
        assert status(daemon) == (True, before)
        assert httpx2.get(f"{daemon.url()}/healthz").status_code == 200
    assert "A source could not be read since: more may have been spent" in httpx2.get(f"{daemon.url()}/").text
    assert notices(fleet) == ["main can't be read"]
    assert failed_polls(daemon) > 5
    fleet.told_once(1)
    postgres.start()
    # What the clients could not tell MLflow meanwhile: a run of the gap, and the end of one that went on through it.
    fleet.mlflow.ended_run(fleet.experiment, stopped_ms, stopped_ms + MINUTE, params=PARAMS)
    fleet.mlflow.set_run(running, "FINISHED", began_ms + MINUTE + 12 * SECOND)
    fleet.told_of(2)  # 100 % is crossed by what the gap cost
    until(lambda: notices(fleet) == ["main can't be read", "main is back"], fleet.logs)
    fleet.polled()
    assert status(daemon) == (False, "10.20")
    fleet.told_once(2)
    assert daemon.end() == 0
    assert "Traceback" not in daemon.log()

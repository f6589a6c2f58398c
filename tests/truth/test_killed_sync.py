"""kill -9 anywhere in the first sync: the next start goes on, nothing is lost, nothing counted or told twice."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alerter.store.bulk import query
from alerter.store.engine import Store
from tests.truth.killed_sync import main, runs
from tests.truth.ledgers import config_of

ROOT = Path(__file__).parents[2]
BUDGETS = """
budgets:
  - {name: all, amount: "1", period: monthly, receivers: [console], timezone: America/New_York}
  - {name: teams, group_by: [team], amount: "2", period: weekly, receivers: [console]}
"""
POINTS = ["within 0", "within 5", "swept", "evaluating"]
TABLES = {
    "totals": "SELECT d.budget_id, s.key, d.local_day, d.nanos FROM daily d JOIN scope s ON s.id = d.scope_id "
    "ORDER BY 1, 2, 3",
    "charges": "SELECT r.run_uuid, meter, c.start_ms, revision, c.end_ms, cost_nanos FROM charge c "
    "JOIN run r ON r.id = c.run_id ORDER BY 1, 2, 3, 4",
    "open": "SELECT r.run_uuid, o.start_ms FROM open_segment o JOIN run r ON r.id = o.run_id ORDER BY 1",
    "alerts": "SELECT s.key, period_start, percent, status, spent_nanos FROM alert a JOIN scope s ON s.id = a.scope_id "
    "ORDER BY 1, 2, 3, 5",
    "messages": "SELECT receiver, message FROM notification",
    "source": "SELECT name, cursor, swept, complete_ms FROM source",
}


def sync(folder: Path, database: Path, point: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", main.__module__, str(folder), str(database), point]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def contents(database: Path) -> dict[str, list[tuple[object, ...]]]:
    store = Store(f"sqlite:///{database}")
    with store.read() as connection:
        found = {name: [tuple(row) for row in query(connection, sql)] for name, sql in TABLES.items()}
    store.close()
    # Runs and scopes of equal cost have no order, and the ids of alerts follow the scopes' rows.
    found["messages"] = [_said(json.loads(str(text))) for _, text in found["messages"]]
    return found


def _said(message: dict[str, Any]) -> tuple[object, ...]:
    alerts = [(each["title"], each["percent"], each["spent_nanos"], each["recent_nanos"]) for each in message["alerts"]]
    return message["kind"], sorted(alerts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("killed")
    config_of(made, BUDGETS)
    return made


@pytest.fixture(scope="module")
def uninterrupted(folder: Path, migrated_sqlite: Path) -> dict[str, list[tuple[object, ...]]]:
    database = folder / "whole.db"
    shutil.copyfile(migrated_sqlite, database)
    done = sync(folder, database, "never")
    assert done.stdout == "True\n", done.stderr
    found = contents(database)
    assert len(found["messages"]) == 1
    assert len({row[0] for row in found["charges"]}) + len(found["open"]) == len(runs())
    return found


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_first_sync_is_completed(
    folder: Path, migrated_sqlite: Path, uninterrupted: dict[str, list[tuple[object, ...]]], point: str
) -> None:
    database = folder / f"{point.replace(' ', '_')}.db"
    shutil.copyfile(migrated_sqlite, database)
    killed = sync(folder, database, point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert contents(database)["messages"] == []
    assert sync(folder, database, "never").stdout == "True\n"
    assert contents(database) == uninterrupted

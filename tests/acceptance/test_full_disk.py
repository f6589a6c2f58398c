"""A full disk loses nothing: the cycle says so, and the next one goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from alerter.bootstrap import wire
from alerter.config import load
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.services import Services
from alerter.status import status_json
from alerter.store.engine import Store, StoreError
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger

NOW = 1_795_435_200_000  # 2026-11-23T12:00Z
HOUR_MS = 3_600_000


class Source:
    """Finished runs with long tags, in batches."""

    name = "main"

    def __init__(self, runs: Sequence[RunObservation]) -> None:
        self.runs = runs

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        start = int(request.cursor or 0)
        for place in range(start, len(self.runs), 100):
            yield Batch(self.runs[place : place + 100], str(place + 100), swept=place + 100 >= len(self.runs))
        yield Batch((), str(len(self.runs)), swept=True)

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        return ""

    def check(self) -> list[Finding]:
        return []


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "budgets.yaml").write_text("budgets: [{name: all, amount: 1, period: monthly, receivers: [console]}]\n")
    (tmp_path / "alerter.yaml").write_text(f"database: sqlite:///{tmp_path}/alerter.db\n")
    config = load(tmp_path, {})
    store = Store(config.database)
    migrate(store)
    runs = [
        RunObservation(
            run_uuid=f"{number:032x}",
            experiment_id="1",
            name=f"run-{number}",
            user="ann",
            status=RunStatus.FINISHED,
            start_ms=NOW - HOUR_MS,
            end_ms=NOW,
            deleted=False,
            tags=(("experiment", "x"), ("note", f"{number} " * 100)),
            usage=(("instance_type", "m5.xlarge"),),
        )
        for number in range(2000)
    ]
    yield replace(wire(config, store, now_ms=NOW), sources=[Source(runs)])
    store.close()


def _limit(connection: Connection, pages: int) -> None:
    """Let the database file grow to so many pages: SQLite then answers as on a full disk."""
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_named_with_its_remedy_and_nothing_is_lost(services: Services) -> None:
    with services.store.engine.connect() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        _limit(connection, used + 60)
    with pytest.raises(StoreError, match=r"the disk is full .*free some space"):
        run_cycle(services, NOW)
    with services.windows.read() as view:
        assert verify_ledger(view).ok

    with services.store.engine.connect() as connection:
        _limit(connection, 1_000_000)
    report = run_cycle(services, NOW)
    assert report.evaluated
    with services.windows.read() as view:
        (budget,) = status_json(view, NOW)["budgets"]
        assert budget["runs"] == 2000
        assert budget["spent"] == "384.00"
        assert verify_ledger(view).ok

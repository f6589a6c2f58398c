"""A clock that is set back or forward for an hour: nobody is told twice, and it ends as if it never had been."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerter.delivery import deliver_due
from alerter.status import status_json
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.deciding.tools import PRICES, at
from tests.delivery.fakes import Clock, Service
from tests.fixtures.rows import add_notification
from tests.truth.ledgers import HOUR, MINUTE, House, config_of, house, run

BUDGETS = """
defaults: {timezone: Europe/Berlin, receivers: [console], thresholds: [80%, 100%]}
budgets:
  - {name: months, amount: "100", period: monthly}
  - {name: days, amount: "200", period: daily}
"""
START = at("2026-11-30 18:00")
END = at("2026-12-01 09:00")


def ticks(step_ms: int, at_ms: int) -> Iterator[int]:
    """What a clock says every ten minutes that is off by ``step_ms`` for an hour of true time."""
    for true in range(START, END + 1, 10 * MINUTE):
        yield true + (step_ms if at_ms <= true < at_ms + HOUR else 0)


def told(home: House) -> list[tuple[object, ...]]:
    sql = """SELECT b.name, a.period_start, a.percent FROM alert a JOIN budget b ON b.id = a.budget_id
             WHERE a.basis = 'actual' ORDER BY 1, 2, 3"""
    return home.rows(sql)


def lived(folder: Path, migrated: Path, clock: Iterator[int]) -> tuple[object, ...]:
    """Let a run go on for fifteen hours at ten dollars under a clock; return what it came to."""
    with house(config_of(folder, BUDGETS, PRICES), migrated, START) as home:
        last = START
        for now in clock:
            home.source.put(run("r1", "RUNNING", START, alive_ms=max(now, last)))
            last = max(now, last)
            home.cycle(now)
        home.source.put(run("r1", "FINISHED", START, END))
        home.cycle(END + MINUTE)
        keys = home.rows("SELECT key FROM notification")
        assert len(keys) == len(set(keys))
        with home.services.windows.read() as view:
            assert verify_ledger(view).ok
            spent = [(each["budget"], each["spent"]) for each in status_json(view, END + MINUTE)["budgets"]]
        return spent, told(home), home.rows("SELECT SUM(cost_nanos) FROM charge")


@pytest.mark.parametrize("step", [-HOUR, HOUR], ids=["back", "forward"])
@pytest.mark.parametrize("when", ["2026-11-30 20:00", "2026-11-30 23:30", "2026-12-01 00:20"])
def test_an_hour_off_changes_nothing_in_the_end(tmp_path: Path, migrated_sqlite: Path, step: int, when: str) -> None:
    right = lived(tmp_path, migrated_sqlite, ticks(0, START))
    assert lived(tmp_path, migrated_sqlite, ticks(step, at(when))) == right
    assert right[0] == [("months", "90.00"), ("days", "90.00")]


@pytest.mark.parametrize("step", [-HOUR, HOUR], ids=["back", "forward"])
def test_what_is_to_be_sent_is_sent_once_and_within_the_hour(migrated_sqlite: Path, tmp_path: Path, step: int) -> None:
    path = tmp_path / "alerter.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    store, clock = Store(f"sqlite:///{path}"), Clock(START)
    service = Service(clock, script=["delay", "ok"])
    add_notification(store, "k")

    def deliver() -> None:
        deliver_due(store, {"slack": service}, clock=clock, owner="me", stop=threading.Event())

    deliver()
    clock.now_ms += step
    for _ in range(70):
        deliver()
        clock.now_ms += MINUTE
    assert service.keys == ["k"]
    store.close()

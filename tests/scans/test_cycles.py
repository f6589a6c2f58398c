"""No cycle walks over what grows with history: every statement that it sends is shown to the database's own planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from alerter.bootstrap import wire
from alerter.cycle import CycleReport, run_cycle
from alerter.metrics import Metrics
from alerter.services import Services
from alerter.store.bulk import insert_rows, query
from alerter.store.engine import Store
from alerter.web.wiring import Surroundings, web_services
from tests.bench.mlflow_database import COLUMNS, make_database
from tests.fixtures.store import create
from tests.scans.plans import Sent, planner, sent, walked
from tests.truth.ledgers import HOUR, MINUTE, config_of

NOW = 1_795_435_200_000
RUNS = 3_000
BUDGETS = """
defaults: {receivers: [console], thresholds: [80%], beyond: 0}
budgets:
  - {name: everything, amount: 100, period: monthly}
  - {name: every-team, group_by: [team], amount: 100, period: yearly}
  - {name: every-user, group_by: [user], amount: 1000000, period: weekly}
  - {name: today, group_by: [team], amount: 1, period: daily, thresholds: [100%]}
  - {name: tokens, amount: 100, period: daily, components: [tokens]}
"""
PRICES = """
catalogs: []
prices:
  - {match: {instance_type: "g*"}, per_instance_hour: "1"}
  - {match: {instance_type: "p*"}, per_instance_hour: "1"}
"""
STAYS: Final = {
    "alembic_version": "a row",
    "meta": "some rows",
    "lease": "a row",
    "source": "a row each",
    "experiments": "MLflow's, of which every poll looks which are read",
    "experiment_tags": "theirs",
    "budget": "a row each",
    "open_segment": "what accrues now",
    "storage_level": "what is held now",
    "ended_run": "what ended since the last evaluation",
    "hold": "by `hold_in_force`: what is in force",
}
"""Tables that may be read whole, as they hold the present and no history."""


@dataclass
class Watched:
    """A daemon's services on an MLflow database with a history, and a ledger with one of its own."""

    services: Services
    mlflow: str
    polls: int = 0
    later_ms: int = 0

    def cycle(self) -> CycleReport:
        """Do the next cycle, a minute later."""
        self.polls += 1
        report = run_cycle(self.services, NOW + self.later_ms + self.polls * MINUTE)
        assert report.evaluated
        assert not report.failed
        return report

    def walked(self, *, tells: bool = False) -> dict[str, set[str]]:
        """Return the statements of the next cycle that read a table whole which is none of `STAYS`, and which."""
        with sent() as statements:
            assert bool(self.cycle().fired) is tells
        return self.walks(statements)

    def walks(self, statements: list[Sent], *, only_ours: bool = False) -> dict[str, set[str]]:
        """Return which of some statements read such a table whole."""
        store = self.services.store.url
        found: dict[str, set[str]] = {}
        for url in (store,) if only_ours else (store, make_url(self.mlflow)):
            mine = {each.sql: each for each in statements if each.is_planned and (each.url == store) == (url == store)}
            assert len(mine) > 5
            with planner(url) as connection:
                found |= {
                    sql: tables for sql, each in mine.items() if (tables := walked(connection, each) - STAYS.keys())
                }
        return found

    def write(self, *statements: str) -> None:
        """Change MLflow's database."""
        engine = create_engine(self.mlflow, poolclass=NullPool)
        with engine.begin() as connection:
            for each in statements:
                connection.execute(text(each))


@pytest.fixture
def watched(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Watched:
    """Of budgets with many kinds of periods, or of those that a test asks for."""
    mlflow = f"sqlite:///{tmp_path}/mlflow.db"
    if store.is_shared:
        mlflow = create(request.getfixturevalue("postgres_url"))
    make_database(mlflow, RUNS, NOW)
    sources = f"sources: [{{name: main, tracking_uri: 'http://127.0.0.1:9', backend_store: '{mlflow}'}}]\n"
    config = config_of(tmp_path / "config", getattr(request, "param", BUDGETS), PRICES, sources)
    made = Watched(wire(config, store, now_ms=NOW), mlflow)
    made.write(
        "UPDATE runs SET status = 'RUNNING', end_time = NULL "
        "WHERE run_uuid IN (SELECT run_uuid FROM runs ORDER BY start_time DESC LIMIT 20)"
    )
    assert made.cycle().fired > 3
    grow_old(store)
    made.cycle()
    made.cycle()
    return made


def grow_old(store: Store) -> None:
    """Give a ledger alerts and what was told of them, of many periods that are over."""
    with store.write() as connection:
        for table in ("alert", "episode", "notification", "alert_notification"):
            rows = query(connection, f"SELECT * FROM {table}").mappings().all()  # noqa: S608 - ours
            marks = ", ".join("?" * len(rows[0]))
            old = [tuple((dict(row) | aged(row, number)).values()) for number in range(1, 301) for row in rows]
            insert_rows(connection, f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({marks})", old)  # noqa: S608


def aged(row: Mapping[str, Any], number: int) -> dict[str, object]:
    """Return what makes another one of a row, of a period long over."""
    ids = {key: 1_000 * number + row[key] for key in ("id", "alert_id", "notification_id") if key in row}
    names = {key: f"{row[key]}-{number}" for key in ("public_id", "key") if key in row}
    past = {"status": "sent" if "receiver" in row else "resolved"}
    past |= dict.fromkeys(("period_start", "period_end"), f"1990-{number:03}")
    return ids | names | {key: value for key, value in past.items() if key in row}


def test_a_quiet_cycle_and_one_with_news(watched: Watched) -> None:
    assert watched.walked() == {}
    fresh = "'ffff' || SUBSTR(run_uuid, 5)"
    for table, columns in COLUMNS.items():
        watched.write(
            f"INSERT INTO {table} ({columns}) SELECT {columns.replace('run_uuid', fresh)} FROM {table} "  # noqa: S608 - ours
            "WHERE run_uuid IN (SELECT run_uuid FROM runs ORDER BY run_uuid LIMIT 50)"
        )
    assert but_news(watched, watched.walked()) == {}


def test_one_that_tells(watched: Watched) -> None:
    watched.later_ms = 14 * HOUR  # another day: what was charged until then is history
    watched.cycle()
    end_ms = NOW + watched.later_ms
    fresh = "'eeee' || SUBSTR(run_uuid, 5)"
    for table, columns in COLUMNS.items():
        watched.write(
            f"INSERT INTO {table} ({columns}) SELECT {columns.replace('run_uuid', fresh)} FROM {table} "  # noqa: S608 - ours
            "WHERE run_uuid IN (SELECT run_uuid FROM runs ORDER BY run_uuid LIMIT 5)"
        )
    watched.write(
        "UPDATE tags SET value = 'new' WHERE key = 'team' AND run_uuid LIKE 'eeee%'",
        f"UPDATE runs SET start_time = {end_ms - HOUR}, end_time = {end_ms}, status = 'FINISHED' "  # noqa: S608 - ours
        "WHERE run_uuid LIKE 'eeee%'",
    )
    assert but_news(watched, watched.walked(tells=True)) == {}


COUNTED: Final = ("SELECT kind, status, COUNT(*)", "SELECT name, MAX(at_ms)")
"""Messages and digests ever sent, which `/metrics` counts: a few a day."""

DAILY = """
defaults: {receivers: [console], thresholds: [80%], beyond: 0}
budgets:
  - {name: today, amount: 1, period: daily}
  - {name: every-team, group_by: [team], amount: 1, period: daily, components: [machines, tokens]}
  - {name: every-user, group_by: [user], amount: 100, period: daily}
"""


@pytest.mark.parametrize("watched", [DAILY], indirect=True)
def test_the_page_which_asks_by_itself_every_minute(watched: Watched) -> None:
    """And what Prometheus asks for, where runs have no price; of what is shown all is read, here a short period."""
    watched.later_ms = 14 * HOUR
    watched.write(f"UPDATE runs SET status = 'FINISHED', end_time = {NOW + watched.later_ms} WHERE end_time IS NULL")  # noqa: S608 - ours
    watched.cycle()
    services, now_ms = watched.services, NOW + watched.later_ms + MINUTE
    around = Surroundings(lambda: now_ms, Metrics("1"), list, list)
    web = web_services(lambda: services, around)
    with sent() as statements:
        assert any(each.unpriced_ms for each in web.page().budgets)
        web.before_scrape()
        assert web.readiness() is not None
    found = watched.walks(statements, only_ours=True)
    whole = set().union(*(tables for sql, tables in found.items() if not sql.startswith(COUNTED)))
    assert whole <= {"rate", "scope", "each_run"}  # of what there is, what is shown, and the period's runs


def but_news(watched: Watched, found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return all but the one statement by which PostgreSQL looks for news.

    It has no index that knows what is new in MLflow's `runs`: its server looks, where something was written.
    """
    news = {sql: found.pop(sql) for sql in list(found) if "age(xmin)" in sql}
    assert list(news.values()) == ([{"runs"}] if watched.services.store.is_shared else [])
    return found

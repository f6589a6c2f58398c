"""A migration over a database that people have used: what was in it is in it still, and is bound as before."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from alerter.core.charges import Rate
from alerter.core.usage import Meter, RunObservation, RunStatus
from alerter.store.alert_states import alert_states
from alerter.store.alerts import load_alerts
from alerter.store.bulk import insert_rows
from alerter.store.engine import Store, StoreError
from alerter.store.holds import hold_in_force
from alerter.store.interning import Interner, digest_of
from alerter.store.migrate import migrate
from alerter.store.run_rows import stored_by_id
from tests.store.test_migrate import SCRIPTS

BUDGET = (
    "INSERT INTO budget (id, uid, name, revision, digest, totals_digest, spec, active, changed_ms) "
    "VALUES (1, 'all', 'all', 1, '', '', '{\"timezone\": \"UTC\"}', true, 0)"
)
SCOPE = "INSERT INTO scope (id, budget_id, key) VALUES (1, 1, '[]')"
ALERT = (
    "INSERT INTO alert (id, public_id, budget_id, scope_id, period_start, period_end, basis, percent, status, reason, "
    "amount_nanos, spent_nanos, fired_ms, resolved_ms) "
    "VALUES (7, 'A-7F3K', 1, 1, '2026-11-01', '2026-12-01', 'actual', 80, 'firing', 'first', 1000, 812, 42, NULL)"
)
HOLD = (
    "INSERT INTO hold (budget_id, scope_id, period_start, kind, percent, forecast_percent, actor, via, note, "
    "created_ms) VALUES (1, 1, '2026-11-01', 'ack', 80, 0, 'ana', 'cli', '', 43)"
)
NOTIFICATION = (
    "INSERT INTO notification (id, key, receiver, kind, target, message, status, attempts, created_ms, not_before_ms, "
    "ambiguous, reference, update_wanted, update_shown, update_attempts, error) "
    "VALUES (3, 'k', 'r', 'console', '{}', '{}', 'sent', 1, 42, 0, false, '{}', 0, 0, 0, '')"
)
TOLD = "INSERT INTO alert_notification (alert_id, notification_id) VALUES (7, 3)"


def upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@pytest.fixture
def used(empty_url: str) -> Iterator[Store]:
    with closing(Store(empty_url)) as store:
        with store.write() as connection:
            upgrade(connection, "0003")
            for each in (BUDGET, SCOPE, ALERT, HOLD, NOTIFICATION, TOLD):
                connection.exec_driver_sql(each)
        yield store


def test_alerts_and_what_names_them_survive_the_new_key_of_an_alert(used: Store) -> None:
    assert migrate(used)[0] == "0004"
    with used.read() as connection:
        (alert,) = load_alerts(connection)
        assert (alert.id, alert.public_id, alert.percent, alert.spent_nanos, alert.subject) == (
            7,
            "A-7F3K",
            80,
            812,
            "",
        )
        held = hold_in_force(connection, 1, 1, "2026-11-01")
        assert held is not None
        assert (held.actor, held.subject) == ("ana", "")
        assert alert_states(connection, [7])["A-7F3K"].by == "ana"
        assert connection.execute(text("SELECT alert_id FROM alert_notification")).scalar_one() == 7
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("subject", ["", "run-1"])
def test_the_new_key_binds(used: Store, subject: str) -> None:
    def of(row_id: int, run: str) -> str:
        return (
            ALERT.replace("resolved_ms)", "resolved_ms, subject)")
            .replace("(7, 'A-7F3K'", f"({row_id}, 'A-{row_id}'")
            .replace("NULL)", f"NULL, '{run}')")
        )

    migrate(used)
    with used.write() as connection:
        connection.exec_driver_sql(of(8, "run-1"))
    with pytest.raises(StoreError, match=r"(?i)unique"), used.write() as connection:
        connection.exec_driver_sql(of(9, subject))


def test_what_names_an_alert_is_still_bound_to_it(used: Store) -> None:
    migrate(used)
    for refused in (
        "DELETE FROM alert WHERE id = 7",
        "INSERT INTO alert_notification (alert_id, notification_id) VALUES (99, 3)",
    ):
        with pytest.raises(StoreError, match=r"(?i)foreign key"), used.write() as connection:
            connection.exec_driver_sql(refused)


RATE = Rate(Meter.MACHINE, "1", "1", "node-hour", "USD", "prices.yaml #1")
RATE_TEXT = ("machine", "1", "1", "node-hour", "USD", "prices.yaml #1", "", "high", "")
RATE_ROW = (
    "INSERT INTO rate (id, digest, meter, unit_price, list_unit_price, pricing_unit, currency, rule, as_of, "
    "confidence, note) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)
SOURCE = "INSERT INTO source (id, name, cursor, swept, error, told_down) VALUES (1, 'main', '', true, '', false)"
TAGS = "INSERT INTO tag_set (id, digest, tags) VALUES (1, 1, '[]')"
USAGE = "INSERT INTO usage_set (id, digest, usage) VALUES (?,?,?)"
RUN = (
    'INSERT INTO run (id, source_id, run_uuid, experiment_id, "user", name, start_ms, state, tag_set_id, '
    "usage_set_id, hash) VALUES (?, 1, ?, '1', '', '', 1, 'FINISHED', 1, ?, 9)"
)


def test_rates_are_found_again_and_runs_that_may_share_a_machine_are_looked_at_anew(empty_url: str) -> None:
    keys = {1: "instance_type", 2: "resource_id", 3: "mlflow.databricks.cluster.id"}
    with closing(Store(empty_url)) as store:
        with store.write() as connection:
            upgrade(connection, "0004")
            insert_rows(connection, RATE_ROW, [(5, digest_of(*RATE_TEXT), *RATE_TEXT)])
            for each in (SOURCE, TAGS):
                connection.exec_driver_sql(each)
            insert_rows(connection, USAGE, [(number, number, f'[["{key}", "x"]]') for number, key in keys.items()])
            insert_rows(connection, RUN, [(number, f"r{number}", number) for number in keys])
        migrate(store)
        with store.write() as connection:
            assert Interner().rates.ids(connection, {RATE}) == {RATE: 5}
            runs = stored_by_id(connection, sorted(keys))
            # What was seen of the first is what its row says.
            seen = RunObservation("r1", "1", "", "", RunStatus.FINISHED, 1, None, deleted=False, tags=(), usage=())
            told = [each.tells(replace(seen, run_uuid=each.run_uuid), 1, each.id) for each in runs]
            assert told == [True, False, False]

"""A notification that was given up goes out again when somebody asks for it."""

import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.delivery import deliver_due
from alerter.delivery.retry import retry
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.store.outbox_read import list_notifications
from tests.delivery.fakes import Clock, Service
from tests.fixtures.rows import NOW_MS, add_notification


def work_off(store: Store, service: Service) -> None:
    while deliver_due(store, {"slack": service}, clock=service.clock, owner="me", stop=threading.Event()):
        pass


def audited(store: Store) -> list[tuple[str, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in query(connection, "SELECT actor, action, target, detail FROM audit ORDER BY id")]


def test_a_dead_letter_is_sent_when_it_is_asked_for_and_the_audit_says_by_whom(store: Store) -> None:
    service = Service(Clock(NOW_MS), script=["reject"])
    add_notification(store, "k")
    work_off(store, service)
    with store.read() as connection:
        (row,) = list_notifications(connection)
    assert row.status == "dead"
    done = retry(store, row.id, actor="ann", via="cli", now_ms=NOW_MS)
    assert (done.ok, done.text) == (
        True,
        f"notification {row.id} is queued: a running daemon, or `alerter once`, sends it",
    )
    work_off(store, service)
    assert service.keys == ["k"]
    again = retry(store, row.id, actor="ann", via="cli", now_ms=NOW_MS)
    assert (again.ok, "delivered already" in again.text) == (False, True)
    unknown = retry(store, 99, actor="ann", via="cli", now_ms=NOW_MS)
    assert "there is no notification 99" in unknown.text
    assert audited(store) == [
        ("ann", "retry", f"notification {row.id}", "queued"),
        ("ann", "retry", f"notification {row.id}", "sent"),
        ("ann", "retry", "notification 99", "unknown"),
    ]


@pytest.mark.parametrize(("status", "code"), [("dead", 0), ("pending", 1)])
def test_the_command_says_what_it_did(tmp_path: Path, status: str, code: int) -> None:
    store = Store(f"sqlite:///{tmp_path / 'alerter.db'}")
    migrate(store)
    add_notification(store, "k")
    with store.write() as connection:
        query(connection, "UPDATE notification SET status = ?", status)
    store.close()
    sources = "sources: [{name: main, tracking_uri: 'http://127.0.0.1:9'}]"
    (tmp_path / "alerter.yaml").write_text(f"database: sqlite:///{tmp_path / 'alerter.db'}\n{sources}\n")
    budget = "{name: fraud-detection, amount: 10, period: monthly, receivers: [console]}"
    (tmp_path / "budgets.yaml").write_text(f"budgets:\n  - {budget}\n")
    done = CliRunner().invoke(app, ["notifications", "--retry", "1", "--config", str(tmp_path)])
    assert done.exit_code == code, done.output
    assert ("is queued" in done.output) == (status == "dead")
    assert ("tried again by itself" in done.output) == (status == "pending")

"""Asking, and what came of it."""

from alerter.core.alerts import AlertState
from alerter.holds import Outcome, acknowledge, unacknowledge
from alerter.store.alert_states import alert_states
from alerter.store.alerts import StoredAlert, resolve_alerts
from alerter.store.bulk import query
from alerter.store.engine import Store
from tests.fixtures.rows import NOW_MS

MINUTE = 60_000
VISION = (("team", "vision"),)
NLP = (("team", "nlp"),)


def ack(store: Store, reference: str, actor: str = "ann", *, now_ms: int = NOW_MS, note: str = "") -> Outcome:
    return acknowledge(store, reference, actor=actor, via="cli", now_ms=now_ms, note=note)


def unack(store: Store, reference: str, actor: str = "ann", *, now_ms: int = NOW_MS) -> Outcome:
    return unacknowledge(store, reference, actor=actor, via="cli", now_ms=now_ms)


def state(store: Store, alert: StoredAlert) -> AlertState:
    with store.read() as connection:
        return alert_states(connection, [alert.id])[alert.public_id]


def audited(store: Store) -> list[tuple[str, ...]]:
    with store.read() as connection:
        rows = query(connection, "SELECT actor, via, action, target, detail FROM audit ORDER BY id")
        return [tuple(row) for row in rows]


def resolve(store: Store, alert: StoredAlert, reason: str = "the amount was raised") -> None:
    with store.write() as connection:
        resolve_alerts(connection, [alert], reason, NOW_MS - MINUTE)

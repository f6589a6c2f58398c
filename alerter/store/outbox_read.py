"""What the outbox holds, for lists, metrics and people."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.alerts import Message
from alerter.core.views import DeliveryView
from alerter.store.bulk import query, select_in
from alerter.store.messages import decode


@dataclass(frozen=True, slots=True)
class NotificationView:
    """One notification as lists show it; times in epoch milliseconds.

    Attributes:
        target: the notifier's settings as JSON.
        status: ``pending``, ``sent`` or ``dead``.
        ambiguous: the last attempt may have delivered it; it is looked up before the next.
        not_before_ms: when it is tried again, while pending; 0 is at once.
        sent_ms: when it was delivered, or None.
        error: why the last attempt failed; ``""`` where none did.
        alert_ids: public ids of the alerts that it tells.
    """

    id: int
    key: str
    receiver: str
    kind: str
    target: str
    status: str
    attempts: int
    ambiguous: bool
    created_ms: int
    not_before_ms: int
    sent_ms: int | None
    error: str
    alert_ids: tuple[str, ...]


def list_notifications(
    connection: Connection, *, status: str | None = None, limit: int = 100
) -> list[NotificationView]:
    """Return notifications, the newest first; of one status if it is given."""
    where, values = ("WHERE status = ? ", [status]) if status is not None else ("", [])
    if status != "sent" and where:
        where += "AND status <> 'sent' "  # in these words, by which SQLite finds the few
    columns = "id, key, receiver, kind, target, status, attempts, ambiguous, created_ms, not_before_ms, sent_ms, error"
    sql = f"SELECT {columns} FROM notification {where}ORDER BY id DESC LIMIT ?"
    rows = list(query(connection, sql, *values, limit))
    told: dict[int, list[str]] = {}
    for row in select_in(connection, _TOLD, [row.id for row in rows]):
        told.setdefault(row.notification_id, []).append(row.public_id)
    return [
        NotificationView(
            **{**row._mapping, "ambiguous": bool(row.ambiguous)},  # noqa: SLF001 - public, whatever its name
            alert_ids=tuple(told.get(row.id, ())),
        )
        for row in rows
    ]


def messages(connection: Connection, notification_ids: Collection[int]) -> dict[int, Message]:
    """Return what notifications say, by their row ids; one that can't be read is left out."""
    found = {}
    sql = "SELECT id, message FROM notification WHERE id IN {values}"
    for row in select_in(connection, sql, sorted(set(notification_ids))):
        with suppress(ValueError):
            found[row.id] = decode(row.message)
    return found


def pending_count(connection: Connection) -> int:
    """Return how many notifications wait to be delivered."""
    return int(query(connection, "SELECT COUNT(*) FROM notification WHERE status = 'pending'").scalar_one())


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many notifications there are of each (kind, status)."""
    rows = query(connection, "SELECT kind, status, COUNT(*) AS many FROM notification GROUP BY kind, status")
    return {(row.kind, row.status): row.many for row in rows}


def oldest_pending_ms(connection: Connection) -> int | None:
    """Return when the oldest undelivered notification was decided, or None."""
    found: int | None = query(connection, "SELECT MIN(created_ms) FROM notification WHERE status = 'pending'").scalar()
    return found


def deliveries(connection: Connection, alert_ids: Collection[int]) -> dict[int, tuple[DeliveryView, ...]]:
    """Return where the messages of each alert (row id) stand, oldest first; ``()`` for one that was never told."""
    found: dict[int, tuple[DeliveryView, ...]] = dict.fromkeys(alert_ids, ())
    for row in select_in(connection, _DELIVERIES, sorted(found)):
        view = DeliveryView(row.receiver, row.kind, row.status, row.attempts)
        found[row.alert_id] = (*found[row.alert_id], view)
    return found


_TOLD = (
    "SELECT l.notification_id, a.public_id FROM alert_notification l JOIN alert a ON a.id = l.alert_id "
    "WHERE l.notification_id IN {values} ORDER BY a.id"
)
_DELIVERIES = (
    "SELECT l.alert_id, n.receiver, n.kind, n.status, n.attempts FROM alert_notification l "
    "JOIN notification n ON n.id = l.notification_id WHERE l.alert_id IN {values} ORDER BY n.id"
)

"""Holds and the audit: who keeps which (budget, scope, period) quiet, and who did what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.budgets import Basis
from alerter.store.bulk import query

ACK = "ack"
SNOOZE = "snooze"

_COLUMNS = (
    "id, budget_id, scope_id, period_start, kind, percent, forecast_percent, until_ms, actor, via, note, created_ms, "
    "subject"
)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that nobody has ended.

    Attributes:
        kind: ``ack`` or ``snooze``.
        percent, forecast_percent: the highest thresholds that it covers, of either basis; 0 is none.
        until_ms: when it ends by itself, or None.
        created_ms: epoch milliseconds.
        subject: the MLflow id of the one run that it is about, else ``""``.
    """

    id: int
    budget_id: int
    scope_id: int
    period_start: str
    kind: str
    percent: int
    forecast_percent: int
    until_ms: int | None
    actor: str
    via: str
    note: str
    created_ms: int
    subject: str = ""

    def covers(self, basis: Basis, percent: int) -> bool:
        """Whether it keeps an alert of this threshold quiet: not one that is higher than what it was made for."""
        return percent <= (self.forecast_percent if basis is Basis.FORECAST else self.percent)


def lock_scope(connection: Connection, scope_id: int) -> None:
    """Let nobody else place or end a hold of this scope until the transaction ends.

    On SQLite the writing transaction itself does that.
    """
    if connection.dialect.name == "postgresql":
        query(connection, "SELECT id FROM scope WHERE id = ? FOR NO KEY UPDATE", scope_id)


def hold_in_force(
    connection: Connection, budget_id: int, scope_id: int, period_start: str, subject: str = ""
) -> Hold | None:
    """Return the hold on a (budget, scope, period), or on the alert of one run (``subject``) in it; or None."""
    row = query(
        connection,
        f"SELECT {_COLUMNS} FROM hold WHERE budget_id = ? AND scope_id = ? AND period_start = ? AND subject = ? "
        "AND ended_ms IS NULL",
        budget_id,
        scope_id,
        period_start,
        subject,
    ).first()
    return Hold(*row) if row else None


def holds_of(connection: Connection, budget_id: int, scope_id: int) -> Sequence[Hold]:
    """Return the holds in force on any period of a scope."""
    rows = query(
        connection,
        f"SELECT {_COLUMNS} FROM hold WHERE budget_id = ? AND scope_id = ? AND ended_ms IS NULL",
        budget_id,
        scope_id,
    )
    return [Hold(*row) for row in rows]


def place_hold(connection: Connection, hold: Hold) -> bool:
    """Record a hold (its ``id`` is ignored); False if there is one in force already."""
    done = query(
        connection,
        "INSERT INTO hold (budget_id, scope_id, period_start, kind, percent, forecast_percent, until_ms, actor, via, "
        "note, created_ms, subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        hold.budget_id,
        hold.scope_id,
        hold.period_start,
        hold.kind,
        hold.percent,
        hold.forecast_percent,
        hold.until_ms,
        hold.actor,
        hold.via,
        hold.note,
        hold.created_ms,
        hold.subject,
    )
    return bool(done.rowcount)


def end_hold(connection: Connection, hold: Hold, *, now_ms: int) -> bool:
    """End a hold; False if somebody has ended it already."""
    done = query(connection, "UPDATE hold SET ended_ms = ? WHERE id = ? AND ended_ms IS NULL", now_ms, hold.id)
    return bool(done.rowcount)


def audit(
    connection: Connection, *, at_ms: int, actor: str, via: str, action: str, target: str, detail: str = ""
) -> None:
    """Record who did or asked for what, when, and from where."""
    query(
        connection,
        "INSERT INTO audit (at_ms, actor, via, action, target, detail) VALUES (?, ?, ?, ?, ?, ?)",
        at_ms,
        actor,
        via,
        action,
        target,
        detail,
    )

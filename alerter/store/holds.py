"""Holds and the audit: who keeps which (budget, scope, period) quiet, and who did what."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.budgets import Basis
from alerter.core.decisions import HoldTerms
from alerter.core.until import NEXT_THRESHOLD
from alerter.core.wording import moment
from alerter.store.bulk import query, select_in

ACK = "ack"
SNOOZE = "snooze"

_COLUMNS = (
    "id, budget_id, scope_id, period_start, kind, percent, forecast_percent, until_ms, actor, via, note, created_ms, "
    "subject, until_nanos, until_percent, until_words"
)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that nobody has ended.

    Attributes:
        kind: ``ack`` or ``snooze``.
        percent, forecast_percent: the highest thresholds that it covers, of either basis; 0 is none.
        until_ms, until_nanos, until_percent: when, or at what spending, it ends by itself; None for not.
        until_words: that end for people; None of a hold that an earlier version made.
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
    until_nanos: int | None = None
    until_percent: int | None = None
    until_words: str | None = None

    @property
    def terms(self) -> HoldTerms:
        """What it keeps quiet, and until when."""
        return HoldTerms(
            snooze=self.kind == SNOOZE,
            percent=self.percent,
            forecast_percent=self.forecast_percent,
            until_ms=self.until_ms,
            until_nanos=self.until_nanos,
            until_percent=self.until_percent,
        )

    def until(self, zone: str) -> str:
        """Return its end for people, in a time zone."""
        if self.until_words:
            return self.until_words
        return moment(self.until_ms, zone) if self.until_ms is not None else NEXT_THRESHOLD

    def covers(self, basis: Basis, percent: int) -> bool:
        """Whether it keeps an alert of this threshold quiet: not one that is higher than what it was made for."""
        return self.terms.covers(basis, percent)


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


def all_in_force(connection: Connection) -> list[Hold]:
    """Return every hold on a (budget, scope, period) that nobody has ended; those on single runs are left out."""
    rows = query(connection, f"SELECT {_COLUMNS} FROM hold WHERE ended_ms IS NULL AND subject = '' ORDER BY id")
    return [Hold(*row) for row in rows]


def run_holds(connection: Connection) -> dict[tuple[int, int, str, str], Hold]:
    """Return the holds on single runs that nobody has ended, by budget, scope, period start and MLflow's run id."""
    rows = query(connection, f"SELECT {_COLUMNS} FROM hold WHERE ended_ms IS NULL AND subject <> ''")
    holds = (Hold(*row) for row in rows)
    return {(each.budget_id, each.scope_id, each.period_start, each.subject): each for each in holds}


def holds_with_ends(connection: Connection) -> dict[Hold, tuple[str, str]]:
    """Return every hold that nobody has ended, with its period's end and the public id of one of its alerts."""
    columns = ", ".join(f"h.{each}" for each in _COLUMNS.split(", "))
    rows = query(
        connection,
        f"SELECT {columns}, MAX(a.period_end), MAX(a.public_id) FROM hold h CROSS JOIN alert a "
        "WHERE h.ended_ms IS NULL AND a.budget_id = h.budget_id AND a.scope_id = h.scope_id "
        f"AND a.period_start = h.period_start AND a.subject = h.subject GROUP BY {columns}",
    )
    return {Hold(*row[:-2]): (row[-2], row[-1]) for row in rows}


def last_ended(connection: Connection, starts: Collection[str]) -> dict[tuple[int, int, str], int]:
    """Return when the last hold of each (budget, scope, period) that begins on one of some days ended, in epoch ms."""
    sql = (
        "SELECT budget_id, scope_id, period_start, MAX(ended_ms) FROM hold WHERE ended_ms IS NOT NULL AND subject = '' "
        "AND period_start IN {values} GROUP BY budget_id, scope_id, period_start"
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in select_in(connection, sql, sorted(starts))}


def place_hold(connection: Connection, hold: Hold) -> bool:
    """Record a hold (its ``id`` is ignored); False if there is one in force already."""
    done = query(
        connection,
        "INSERT INTO hold (budget_id, scope_id, period_start, kind, percent, forecast_percent, until_ms, actor, via, "
        "note, created_ms, subject, until_nanos, until_percent, until_words) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
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
        hold.until_nanos,
        hold.until_percent,
        hold.until_words,
    )
    return bool(done.rowcount)


def end_hold(connection: Connection, hold: Hold, *, now_ms: int) -> bool:
    """End a hold; False if somebody has ended it already."""
    done = query(connection, "UPDATE hold SET ended_ms = ? WHERE id = ? AND ended_ms IS NULL", now_ms, hold.id)
    return bool(done.rowcount)


@dataclass(frozen=True, slots=True)
class Audited:
    """One line of the audit: who did or asked for what, when (epoch ms), from where."""

    at_ms: int
    actor: str
    via: str
    action: str
    target: str
    detail: str


def audit_trail(connection: Connection, *, since_ms: int = 0, limit: int | None = None) -> list[Audited]:
    """Return what was audited since an instant, the oldest first; of more than ``limit`` lines the last ones."""
    sql = "SELECT at_ms, actor, via, action, target, detail FROM audit WHERE at_ms >= ? ORDER BY id DESC"
    rows = query(connection, f"{sql} LIMIT ?", since_ms, limit) if limit else query(connection, sql, since_ms)
    return [Audited(*row) for row in rows][::-1]


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

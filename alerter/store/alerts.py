"""The alerts' rows: one per (budget, scope, period, basis, percent), or per run that passed its limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from alerter.core.budgets import Basis
from alerter.store.bulk import insert_rows, query

FIRING = "firing"
RESOLVED = "resolved"
ENDLESS = "9999-12-31"
"""The end of a rolling budget's episode: it lasts until it resolves."""

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_COLUMNS = (
    "id, public_id, budget_id, scope_id, period_start, period_end, basis, percent, status, reason, amount_nanos, "
    "spent_nanos, fired_ms, resolved_ms, subject"
)
_BASIS = _COLUMNS.split(", ").index("basis")


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert's row.

    ``period_start`` and ``period_end`` are local ISO dates; ``subject`` is the MLflow id of the one run that it is
    about, ``""`` of a budget's own.
    """

    id: int
    public_id: str
    budget_id: int
    scope_id: int
    period_start: str
    period_end: str
    basis: Basis
    percent: int
    status: str
    reason: str
    amount_nanos: int
    spent_nanos: int
    fired_ms: int
    resolved_ms: int | None
    subject: str = ""


def load_alerts(connection: Connection, where: str = "", *values: object) -> list[StoredAlert]:
    """Return alerts, the oldest first; ``where`` is a condition with ``?`` marks."""
    condition = f"WHERE {where} " if where else ""
    rows = query(connection, f"SELECT {_COLUMNS} FROM alert {condition}ORDER BY fired_ms, id", *values)
    return [_alert(row) for row in rows]


def _alert(row: Any) -> StoredAlert:
    values = list(row)
    values[_BASIS] = Basis(values[_BASIS])
    return StoredAlert(*values)


def put_alert(connection: Connection, alert: StoredAlert) -> StoredAlert:
    """Insert a new alert, or let a resolved one fire again, and return it with its ids."""
    if alert.id:
        query(
            connection,
            "UPDATE alert SET status = ?, reason = ?, amount_nanos = ?, spent_nanos = ?, fired_ms = ?, "
            "resolved_ms = NULL WHERE id = ?",
            FIRING,
            alert.reason,
            alert.amount_nanos,
            alert.spent_nanos,
            alert.fired_ms,
            alert.id,
        )
        return alert
    columns = _COLUMNS.removeprefix("id, ").replace(" resolved_ms,", "")
    key = (alert.budget_id, alert.scope_id, alert.period_start, alert.period_end, alert.basis.value, alert.percent)
    facts = (FIRING, alert.reason, alert.amount_nanos, alert.spent_nanos, alert.fired_ms, alert.subject)
    values = f"({columns}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
    sql = f"INSERT INTO alert {values} ON CONFLICT (public_id) DO NOTHING RETURNING id"
    for public_id in _public_ids(alert):
        row_id = query(connection, sql, public_id, *key, *facts).scalar()
        if row_id is not None:
            return replace(alert, id=int(row_id), public_id=public_id, status=FIRING, resolved_ms=None)
    raise AssertionError("twenty letters of a digest were taken")


def resolve_alerts(connection: Connection, alerts: Iterable[StoredAlert], reason: str, now_ms: int) -> None:
    """Mark alerts as resolved, with the reason."""
    insert_rows(
        connection,
        "UPDATE alert SET status = 'resolved', reason = ?, resolved_ms = ? WHERE id = ? AND status = 'firing'",
        [(reason, now_ms, alert.id) for alert in alerts],
    )


def set_reason(connection: Connection, alerts: Iterable[StoredAlert], reason: str) -> None:
    """Record why alerts were told last."""
    rows = [(reason, alert.id) for alert in alerts]
    insert_rows(connection, "UPDATE alert SET reason = ? WHERE id = ?", rows)


def count_firing(connection: Connection) -> int:
    """Return how many alerts are firing."""
    return int(query(connection, "SELECT COUNT(*) FROM alert WHERE status = 'firing'").scalar_one())


def _public_ids(alert: StoredAlert) -> Iterator[str]:
    """Yield ids for an alert: four characters, more for where those are taken."""
    key: tuple[int | str, ...] = (alert.budget_id, alert.scope_id, alert.period_start, alert.basis.value, alert.percent)
    key += (alert.subject,) if alert.subject else ()
    number = int.from_bytes(blake2b(repr(key).encode(), digest_size=16).digest(), "big")
    letters = _letters(number, 20)
    for length in range(4, 20):
        yield f"A-{letters[:length]}"


def _letters(number: int, length: int) -> str:
    found: list[str] = []
    while len(found) < length:
        number, digit = divmod(number, len(_ALPHABET))
        found.append(_ALPHABET[digit])
    return "".join(found)


def keys_of(alerts: Sequence[StoredAlert], status: str) -> set[tuple[Basis, int]]:
    """Return (basis, percent) of the alerts of one status."""
    return {(alert.basis, alert.percent) for alert in alerts if alert.status == status}

"""Budgets in the database: their revisions, and totals that follow a changed definition."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row

from alerter.core.budgets import Budget, Scope, TagCleaning
from alerter.store.backfill import rebuild
from alerter.store.bulk import query, select_in
from alerter.store.closings import forget_closings
from alerter.store.interning import Interner
from alerter.store.totals import Attribution, scope_rows

Change = tuple[int, str]
"""When a definition changed (epoch ms), and the git commit that changed it, or ``""``."""


def sync_budgets(
    connection: Connection,
    budgets: Sequence[Budget],
    cleaning: TagCleaning,
    interner: Interner,
    now_ms: int,
    *,
    revision: str = "",
) -> dict[str, int]:
    """Bring the stored budgets in line with the configuration and return the row id of each budget id.

    A budget whose definition changed gets a new revision; one whose membership changed (match, group_by, zone,
    components, tag cleaning) is totalled anew from the charges, in this transaction. Removed ones become inactive.
    ``revision`` is the configuration's git commit, recorded with what it changed.
    """
    stored = {
        row.uid: row for row in query(connection, "SELECT id, uid, revision, digest, totals_digest, active FROM budget")
    }
    ids: dict[str, int] = {}
    stale: list[tuple[int, Budget]] = []
    for budget in budgets:
        totals_digest = _totals_digest(budget, cleaning)
        row = stored.get(budget.id)
        ids[budget.id] = row.id if row else _insert(connection, budget, totals_digest, (now_ms, revision))
        if row is None or not row.active or row.totals_digest != totals_digest:
            stale.append((ids[budget.id], budget))
        if row and (row.digest, row.totals_digest, bool(row.active)) != (digest(budget), totals_digest, True):
            _update(connection, row, budget, totals_digest, (now_ms, revision))
        if not budget.group_by:
            scope_rows(connection, ids[budget.id], [()])
    for uid, row in stored.items():
        if uid not in ids and row.active:
            query(connection, "UPDATE budget SET active = ? WHERE id = ?", False, row.id)
    if stale:
        stale_ids = [row_id for row_id, _ in stale]
        forget_closings(connection, stale_ids)
        rebuild(connection, Attribution(stale, cleaning, interner), interner, stale_ids)
    return ids


def synced_ids(connection: Connection, budgets: Sequence[Budget], cleaning: TagCleaning) -> dict[str, int] | None:
    """Return the row id of each budget id if the stored budgets say what the configuration says, else None."""
    stored = {row.uid: row for row in query(connection, "SELECT id, uid, digest, totals_digest, active FROM budget")}
    wanted = {budget.id: (digest(budget), _totals_digest(budget, cleaning)) for budget in budgets}
    active = {uid: (row.digest, row.totals_digest) for uid, row in stored.items() if row.active}
    return {uid: stored[uid].id for uid in wanted} if active == wanted else None


def taken_ids(connection: Connection, budgets: Sequence[Budget], cleaning: TagCleaning) -> dict[str, int]:
    """Return the row id of each budget whose totals hold as it is configured: those that a cycle has taken."""
    rows = query(connection, "SELECT id, uid, totals_digest FROM budget WHERE active = ?", True)
    stored = {row.uid: (row.id, row.totals_digest) for row in rows}
    found = {}
    for budget in budgets:
        row_id, totals_digest = stored.get(budget.id, (0, ""))
        if totals_digest == _totals_digest(budget, cleaning):
            found[budget.id] = row_id
    return found


def digest(budget: Budget) -> str:
    """Return what a budget says, as a stable digest; where it was written doesn't count."""
    return sha256(spec(budget).encode()).hexdigest()


def spec(budget: Budget) -> str:
    """Return a budget's definition as JSON."""
    return json.dumps(asdict(replace(budget, source="")), default=str, sort_keys=True, ensure_ascii=False)


def revision_of(connection: Connection, budget_id: int) -> int:
    """Return a budget's current revision, from 1."""
    return int(query(connection, "SELECT revision FROM budget WHERE id = ?", budget_id).scalar_one())


def changed_by(connection: Connection, budget_id: int, since_ms: int) -> str:
    """Return the git commit that changed a budget last, if that was after an instant; ``""`` where it isn't known."""
    sql = "SELECT at_ms, config_revision FROM budget_revision WHERE budget_id = ? ORDER BY revision DESC LIMIT 1"
    row = query(connection, sql, budget_id).one_or_none()
    return str(row.config_revision) if row is not None and row.at_ms > since_ms else ""


def first_taken(connection: Connection) -> dict[int, int]:
    """Return when each budget (by its row id) was first seen in the configuration, in epoch ms."""
    rows = query(connection, "SELECT budget_id, at_ms FROM budget_revision WHERE revision = 1")
    return {row.budget_id: row.at_ms for row in rows}


def scopes(connection: Connection, budget_id: int, ids: Collection[int] | None = None) -> dict[int, Scope]:
    """Return a budget's scopes by their row id; only some of them if ``ids`` is given."""
    sql = "SELECT id, key FROM scope WHERE budget_id = ?"
    if ids is None:
        rows: Iterable[Any] = query(connection, sql, budget_id)
    else:
        rows = select_in(connection, sql + " AND id IN {values}", sorted(ids), budget_id)
    return {row_id: decode_scope(key) for row_id, key in rows}


def decode_scope(text: str) -> Scope:
    """Return a scope from its stored text."""
    return tuple((key, value) for key, value in json.loads(text))


def _totals_digest(budget: Budget, cleaning: TagCleaning) -> str:
    membership: dict[str, Any] = {
        "match": budget.match,
        "group_by": budget.group_by,
        "timezone": budget.timezone,
        "components": budget.components,
        "trim": cleaning.trim,
        "casefold": sorted(cleaning.casefold),
        "aliases": cleaning.aliases,
    }
    # Only where they are used, so that the totals of those who don't use them hold.
    if cleaning.known:
        membership["known"] = {key: sorted(values) for key, values in cleaning.known.items()}
    if cleaning.derive:
        membership["derive"] = cleaning.derive
    return sha256(json.dumps(membership, sort_keys=True, default=dict).encode()).hexdigest()


def _insert(connection: Connection, budget: Budget, totals_digest: str, change: Change) -> int:
    columns = "uid, revision, name, digest, totals_digest, spec, active, changed_ms"
    values = (*_definition(budget, totals_digest), True, change[0])
    query(connection, f"INSERT INTO budget ({columns}) VALUES (?,?,?,?,?,?,?,?)", budget.id, 1, *values)
    row_id = int(query(connection, "SELECT id FROM budget WHERE uid = ?", budget.id).scalar_one())
    _add_revision(connection, row_id, 1, budget, change)
    return row_id


def _update(connection: Connection, row: Row[Any], budget: Budget, totals_digest: str, change: Change) -> None:
    definition = _definition(budget, totals_digest)
    query(
        connection,
        "UPDATE budget SET name = ?, digest = ?, totals_digest = ?, spec = ?, active = ? WHERE id = ?",
        *definition,
        True,
        row.id,
    )
    if row.digest != digest(budget):
        revision = row.revision + 1
        query(connection, "UPDATE budget SET revision = ?, changed_ms = ? WHERE id = ?", revision, change[0], row.id)
        _add_revision(connection, row.id, revision, budget, change)


def _definition(budget: Budget, totals_digest: str) -> tuple[str, str, str, str]:
    return budget.name, digest(budget), totals_digest, spec(budget)


def _add_revision(connection: Connection, row_id: int, revision: int, budget: Budget, change: Change) -> None:
    columns = "budget_id, revision, spec, at_ms, config_revision"
    sql = f"INSERT INTO budget_revision ({columns}) VALUES (?,?,?,?,?)"
    query(connection, sql, row_id, revision, spec(budget), *change)

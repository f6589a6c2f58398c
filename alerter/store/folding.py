"""Rows of runs whose charges are folded: which may be, and how they are taken out of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.carriers import FOLDED, STORAGE, TOKENS
from alerter.store.ledger import CHARGE_COLUMNS, Charge


@dataclass(frozen=True, slots=True)
class Foldable:
    """A run whose charges all lie before an instant, with all of them, reversals included."""

    run_id: int
    source_id: int
    charges: tuple[Charge, ...]


def foldable(connection: Connection, after_id: int, until_id: int, before_ms: int) -> list[Foldable]:
    """Return the runs of ``(after_id, until_id]`` that accrue no more and were charged for nothing after an instant.

    One that shares its machine is left out: what others pay may still change with it.
    """
    carriers = ", ".join(f"'{kind.upper()}'" for kind in (FOLDED, STORAGE, TOKENS))
    of_run = "FROM charge c JOIN rate t ON t.id = c.rate_id WHERE c.run_id = r.id"
    sql = (
        "SELECT r.id, r.source_id FROM run r WHERE r.id > ? AND r.id <= ? "
        f"AND r.state NOT IN ({carriers}) AND NOT EXISTS (SELECT 1 FROM open_segment o WHERE o.run_id = r.id) "
        f"AND EXISTS (SELECT 1 {of_run}) AND NOT EXISTS (SELECT 1 {of_run} AND (c.end_ms > ? OR t.share <> ''))"
    )
    sources = {row[0]: row[1] for row in query(connection, sql, after_id, until_id, before_ms)}
    charges: dict[int, list[Charge]] = {}
    wanted = f"SELECT {CHARGE_COLUMNS} FROM charge WHERE run_id IN {{values}}"
    for row in select_in(connection, wanted, sorted(sources)):
        charges.setdefault(row[0], []).append(Charge(*row))
    return [Foldable(run_id, sources[run_id], tuple(each)) for run_id, each in charges.items()]


def take_out(connection: Connection, runs: Sequence[Foldable]) -> None:
    """Delete the charges of runs, and why they were corrected; note up to when, and what they came to."""
    ids = [(each.run_id,) for each in runs]
    insert_rows(connection, "DELETE FROM charge WHERE run_id = ?", ids)
    insert_rows(connection, "DELETE FROM correction WHERE run_id = ?", ids)
    insert_rows(
        connection,
        "UPDATE run SET folded_ms = ?, folded_nanos = COALESCE(folded_nanos, 0) + ? WHERE id = ?",
        [
            (
                max(charge.end_ms for charge in each.charges),
                sum(charge.cost_nanos for charge in each.charges),
                each.run_id,
            )
            for each in runs
        ],
    )


def last_run_id(connection: Connection) -> int:
    """Return the highest run id."""
    return int(query(connection, "SELECT MAX(id) FROM run").scalar() or 0)


def last_revisions(connection: Connection, run_ids: Sequence[int]) -> Mapping[tuple[int, int, int], int]:
    """Return the last revision of charges by (run id, meter, start)."""
    sql = "SELECT run_id, meter, start_ms, MAX(revision) FROM charge WHERE run_id IN {values} GROUP BY 1, 2, 3"
    return {(row[0], row[1], row[2]): row[3] for row in select_in(connection, sql, run_ids)}


def folded_of(connection: Connection, run_id: int) -> tuple[int, int] | None:
    """Return up to when a run's charges were folded (epoch ms) and what they came to (nanos); None if they weren't."""
    row = query(connection, "SELECT folded_ms, folded_nanos FROM run WHERE id = ?", run_id).one()
    return None if row.folded_ms is None else (row.folded_ms, row.folded_nanos or 0)

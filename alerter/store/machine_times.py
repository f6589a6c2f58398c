"""When runs hold the machines whose cost they share: found by machine and time, without a look at other runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.store.bulk import insert_rows, query, select_in


@dataclass(frozen=True, slots=True)
class MachineTime:
    """A run holds a machine (a digest) at times between ``start_ms`` and ``end_ms``."""

    run_id: int
    machine: int
    start_ms: int
    end_ms: int


_TIMES = "SELECT run_id, machine, start_ms, end_ms FROM machine_time "


def times_of(connection: Connection, run_ids: Sequence[int]) -> dict[int, MachineTime]:
    """Return which machines some runs hold, by the ledger's run ids."""
    return {row[0]: MachineTime(*row) for row in select_in(connection, _TIMES + "WHERE run_id IN {values}", run_ids)}


def holding(connection: Connection, machine: int, start_ms: int, end_ms: int) -> list[MachineTime]:
    """Return who may hold a machine within ``[start, end)``."""
    rows = query(connection, _TIMES + "WHERE machine = ? AND end_ms > ? AND start_ms < ?", machine, start_ms, end_ms)
    return [MachineTime(*row) for row in rows]


def put_times(connection: Connection, times: Sequence[MachineTime]) -> None:
    """Write when runs hold machines, in place of what was written of these runs before."""
    insert_rows(
        connection,
        "INSERT INTO machine_time (run_id, machine, start_ms, end_ms) VALUES (?,?,?,?) "
        "ON CONFLICT (run_id) DO UPDATE SET "
        "machine = excluded.machine, start_ms = excluded.start_ms, end_ms = excluded.end_ms",
        [(each.run_id, each.machine, each.start_ms, each.end_ms) for each in times],
    )


def drop_times(connection: Connection, run_ids: Sequence[int]) -> None:
    """Forget runs that hold no machine any more."""
    insert_rows(connection, "DELETE FROM machine_time WHERE run_id = ?", [(each,) for each in run_ids])

"""Move everything from a SQLite file into an empty PostgreSQL database, all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.config.model import Config
from alerter.store.budgets import taken_ids
from alerter.store.copying import copy_rows, require_movable
from alerter.store.engine import Store, StoreError
from alerter.store.interning import Interner
from alerter.store.migrate import build, migrate, schema_state
from alerter.store.totals import Attribution, View
from alerter.verify import Verification, verify_ledger


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows each table has now, and what `ledger verify` says of them."""

    rows: dict[str, int]
    verification: Verification


def move(config: Config, source: Store, target: Store) -> Moved:
    """Copy everything, count it and verify the ledger, in one transaction of the target.

    The source must be held by this process; it is brought to the program's schema and not changed otherwise.

    Raises:
        StoreError: the target isn't an empty PostgreSQL database, or a check failed; nothing was changed in it.
    """
    require_movable(source, target)
    if source.is_missing():
        raise StoreError(f"database {source.name} is not there: there is nothing to move")
    if schema_state(target) != "empty":
        raise StoreError(
            f"database {target.name} holds tables already; nothing was changed: create an empty one to move into"
        )
    migrate(source)
    with source.read() as reading, target.write() as writing:
        build(target, writing)
        rows = copy_rows(reading, writing)
        verification = verify_ledger(_view(config, writing))
        if not verification.ok:
            found = next(iter(verification.lines()))
            raise StoreError(f"nothing was moved: {found}; see `alerter ledger verify`")
    return Moved(rows, verification)


def _view(config: Config, connection: Connection) -> View:
    ids, interner = taken_ids(connection, config.budgets, config.tags), Interner()
    budgets = {ids[budget.id]: budget for budget in config.budgets if budget.id in ids}
    return View(connection, budgets, interner, Attribution(budgets.items(), config.tags, interner, adds=False))

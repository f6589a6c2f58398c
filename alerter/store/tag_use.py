"""How many runs have which tags and log which machine: what is in use on a tracking server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.store.bulk import query
from alerter.store.carriers import FOLDED, STORAGE, TOKENS

_IS_RUN = f"state NOT IN ('{TOKENS.upper()}', '{STORAGE.upper()}', '{FOLDED.upper()}')"


@dataclass(frozen=True, slots=True)
class SetUse:
    """Runs of one tag set and one usage set: how many, and when the first and the last of them began (epoch ms)."""

    tag_set_id: int
    usage_set_id: int
    runs: int
    first_ms: int
    last_ms: int


def sets_in_use(connection: Connection) -> Iterator[SetUse]:
    """Yield what the runs of the ledger are tagged with and log, as they were last seen."""
    sql = (
        "SELECT tag_set_id, usage_set_id, COUNT(*), MIN(start_ms), MAX(start_ms) FROM run "
        f"WHERE {_IS_RUN} GROUP BY tag_set_id, usage_set_id"
    )
    yield from (SetUse(*row) for row in query(connection, sql))


def runs_with_meter(connection: Connection, meter: int) -> int:
    """Return how many runs have a charge of a meter."""
    return int(query(connection, "SELECT COUNT(DISTINCT run_id) FROM charge WHERE meter = ?", meter).scalar_one())

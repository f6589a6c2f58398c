"""What databases say of how they would run the statements that a cycle sends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

_PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_FEW = "hold_in_force|notification_unsent"
"""Indexes of few rows: they are partial."""

_WALK = re.compile(rf"SCAN (\w+)\b(?! VIRTUAL TABLE| USING INDEX (?:{_FEW}))")
_ALIAS = r"\b(?:FROM|JOIN|UPDATE)\s+(\w+)\s+(?:AS\s+)?{}\b"
FAR_MORE = 1_000
"""How many times as many rows PostgreSQL is told that there are: of few it reads all, whatever could be looked up."""


@dataclass(frozen=True)
class Sent:
    """A statement that was sent to a database, with the values of one of its rows."""

    url: URL
    sql: str
    values: Any

    @property
    def is_planned(self) -> bool:
        """Whether a database makes a plan for it."""
        return self.sql.lstrip().startswith(_PLANNED)


@contextmanager
def sent() -> Iterator[list[Sent]]:
    """Give a list of what is sent to any database until the block ends."""
    found: list[Sent] = []

    def note(connection: Connection, _cursor: object, sql: str, values: Any, _context: object, many: bool) -> None:  # noqa: ANN401, FBT001
        found.append(Sent(connection.engine.url, sql, values[0] if many else values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def planner(url: URL) -> Iterator[Connection]:
    """Connect to a database to ask for plans, as of one with very many rows."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if url.get_backend_name() != "sqlite":  # which is never told either
            connection.exec_driver_sql("ANALYZE")
            connection.exec_driver_sql(
                f"UPDATE pg_class SET reltuples = reltuples * {FAR_MORE} "  # noqa: S608 - ours
                "WHERE relnamespace = 'public'::regnamespace AND reltuples > 1"
            )
        yield connection
    engine.dispose()


def walked(connection: Connection, statement: Sent) -> set[str]:
    """Return the tables that a database would walk over from their beginning, or by a whole index."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)
        names = {walk[1] for row in rows if (walk := _WALK.match(row.detail))}
        return {_named(statement.sql, name) for name in names}
    text = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement.sql}", statement.values).scalar_one()
    plans = text if isinstance(text, list) else json.loads(text)
    found = {node["Relation Name"] for node in _nodes(plans[0]["Plan"]) if _walks(node)}
    return {each for each in found if not each.startswith("pg_") and _has_rows(connection, each)}


def _has_rows(connection: Connection, table: str) -> bool:
    """Whether a plan says anything of a table."""
    return connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1").first() is not None  # noqa: S608 - ours


def _named(sql: str, alias: str) -> str:
    found = re.search(_ALIAS.format(alias), sql, re.IGNORECASE)
    return found[1] if found else alias


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        if node["Node Type"] != "Limit" or each["Node Type"] == "Seq Scan":  # the first or last rows of an index
            yield from _nodes(each)


def _walks(node: dict[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind == "Seq Scan" or (kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node)

"""Single facts about the whole ledger."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from sqlalchemy import Connection

from alerter.store.bulk import query

_EVALUATED = "evaluated_ms"
_CLOSED = "closed_ms"
_INSTALLATION = "installation"
_FILE = "file:"


def evaluated_ms(connection: Connection) -> int | None:
    """Return when the budgets were last evaluated (epoch ms); None before the first time."""
    return _number(connection, _EVALUATED)


def set_evaluated(connection: Connection, at_ms: int) -> None:
    """Record an evaluation."""
    set_fact(connection, _EVALUATED, str(at_ms))


def closed_ms(connection: Connection) -> int | None:
    """Return up to when periods that ended were closed (epoch ms); None before the first time."""
    return _number(connection, _CLOSED)


def set_closed(connection: Connection, at_ms: int) -> None:
    """Record that every period that ended up to then is closed."""
    set_fact(connection, _CLOSED, str(at_ms))


def installation(connection: Connection) -> str:
    """Return what tells this ledger from every other one: chosen at random, once."""
    found = fact(connection, _INSTALLATION)
    if found:
        return found
    sql = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
    query(connection, sql, _INSTALLATION, secrets.token_hex(6))
    return fact(connection, _INSTALLATION)


def remembered_files(connection: Connection) -> dict[str, str]:
    """Return the texts of files that were in force, by their names."""
    rows = query(connection, "SELECT name, value FROM meta WHERE name LIKE ?", f"{_FILE}%")
    return {row.name.removeprefix(_FILE): row.value for row in rows}


def remember_files(connection: Connection, files: Mapping[str, str]) -> None:
    """Record the texts of the files in force, and forget those that are no longer there."""
    before = remembered_files(connection)
    for name in before.keys() - files.keys():
        query(connection, "DELETE FROM meta WHERE name = ?", _FILE + name)
    for name, text in files.items():
        if before.get(name) != text:
            set_fact(connection, _FILE + name, text)


def fact(connection: Connection, name: str) -> str:
    """Return what is recorded under a name, ``""`` where nothing is."""
    found = query(connection, "SELECT value FROM meta WHERE name = ?", name).scalar()
    return "" if found is None else str(found)


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Record a text under a name."""
    query(
        connection,
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
    )


def turn(connection: Connection, name: str, today: int) -> int | None:
    """Return after which row id a walk that is made once a day goes on; None where it came to its end today."""
    day, at_id = json.loads(fact(connection, name) or "[-1, null]")
    return at_id if day == today else 0


def set_turn(connection: Connection, name: str, today: int, at_id: int | None) -> None:
    """Record where a daily walk goes on; None where it came to its end."""
    set_fact(connection, name, json.dumps([today, at_id]))


def _number(connection: Connection, name: str) -> int | None:
    found = fact(connection, name)
    return int(found) if found else None

"""Which digests went out: one a local day, whoever computes it."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from alerter.store.bulk import query


def last_digest(connection: Connection, name: str) -> date | None:
    """Return the local day of the last digest of a name; None if it never went out."""
    day = query(connection, "SELECT MAX(local_day) FROM digest WHERE name = ?", name).scalar()
    return None if day is None else date.fromordinal(day)


def digests_sent(connection: Connection) -> dict[str, int]:
    """Return when each digest was last sent (epoch ms), by name; one that is new has its first time noted."""
    return {
        row.name: row.at_ms for row in query(connection, "SELECT name, MAX(at_ms) AS at_ms FROM digest GROUP BY name")
    }


def claim_digest(connection: Connection, name: str, day: date, *, at_ms: int, missing: str = "") -> bool:
    """Take a local day's digest, in the transaction of its messages; False if somebody has it already.

    On PostgreSQL this waits for a claim that has not committed yet. ``missing`` is what was not read, in words.
    """
    done = query(
        connection,
        "INSERT INTO digest (name, local_day, at_ms, missing) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        name,
        day.toordinal(),
        at_ms,
        missing,
    )
    return bool(done.rowcount)

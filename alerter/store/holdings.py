"""What runs and LoggedModels hold, when each is to be looked at next, and how many bytes are held since when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.storage import Artifacts
from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.meta import fact, set_fact

GONE = "GONE"
"""The state of a run that vanished while it ran."""

WALK = 0
"""Due at once, to be walked; later dues are to see whether it is still there."""

Place = tuple[str, int]
"""(experiment id, tag set id) that bytes are held under."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one run or LoggedModel holds; ``size`` is None until it was walked, and where it can't be listed.

    ``mark_ms`` is the end of the run, or the last change of the model, as it was last noted. ``due_ms`` is when it
    is to be looked at next; `WALK` where it is to be walked.
    """

    artifacts: Artifacts
    experiment_id: str
    tag_set_id: int
    mark_ms: int
    size: int | None = None
    due_ms: int = WALK

    @property
    def place(self) -> Place:
        """What its bytes count under."""
        return self.experiment_id, self.tag_set_id


@dataclass(frozen=True, slots=True)
class Level:
    """So many bytes are held since ``since_ms``, at a rate; ``run_id`` is the row that carries their charges."""

    run_id: int
    since_ms: int
    size: int
    rate_id: int


@dataclass(frozen=True, slots=True)
class NotedRun:
    """A run as far as its artifacts are concerned; ``end_ms`` is 0 where it never told one."""

    run_uuid: str
    experiment_id: str
    tag_set_id: int
    end_ms: int
    state: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing is written to it any more, for all that is known."""
        return self.state.startswith(("FINISHED", "FAILED", "KILLED"))


_RUN = "SELECT r.run_uuid, r.experiment_id, r.tag_set_id, COALESCE(r.end_ms, 0), r.state FROM run r "


def noted_runs(connection: Connection, run_ids: Sequence[int]) -> list[NotedRun]:
    """Return runs by the ledger's own ids."""
    return [NotedRun(*row) for row in select_in(connection, _RUN + "WHERE r.id IN {values}", run_ids)]


def stored_tags(connection: Connection, source_id: int, run_uuids: Sequence[str]) -> dict[str, int]:
    """Return the tag sets of those runs that the ledger knows, by MLflow's run id."""
    sql = "SELECT run_uuid, tag_set_id FROM run WHERE source_id = ? AND run_uuid IN {values}"
    return {row[0]: int(row[1]) for row in select_in(connection, sql, run_uuids, source_id)}


def unnoted_runs(connection: Connection, source_id: int) -> list[NotedRun]:
    """Return the ended runs of a source whose holding is missing, or tells of another end or other tags.

    It looks at every run: for a start, not for a cycle.
    """
    sql = _RUN + (
        "LEFT JOIN holding h ON h.source_id = r.source_id AND h.run_uuid = r.run_uuid AND h.model_id = '' "
        "WHERE r.source_id = ? AND (r.state LIKE 'FINISHED%' OR r.state LIKE 'FAILED%' OR r.state LIKE 'KILLED%') "
        "AND (h.run_uuid IS NULL OR h.tag_set_id <> r.tag_set_id "
        "OR h.mark_ms <> COALESCE(r.end_ms, 0))"
    )
    return [NotedRun(*row) for row in query(connection, sql, source_id)]


_HOLDING = "SELECT run_uuid, model_id, experiment_id, tag_set_id, mark_ms, size, due_ms FROM holding "


def holdings_of(connection: Connection, source_id: int, run_uuids: Sequence[str]) -> dict[Artifacts, Holding]:
    """Return what runs hold, and the LoggedModels that they logged; those that no run logged for ``""``."""
    sql = _HOLDING + "WHERE source_id = ? AND run_uuid IN {values}"
    return _by_artifacts(select_in(connection, sql, run_uuids, source_id))


def due_walks(connection: Connection, source_id: int, now_ms: int, limit: int) -> list[Holding]:
    """Return what is to be walked: what was not walked yet, then what could not be listed and is tried again."""
    sql = _HOLDING + "WHERE source_id = ? AND (due_ms = ? OR (due_ms <= ? AND size IS NULL)) ORDER BY due_ms LIMIT ?"
    return list(_by_artifacts(query(connection, sql, source_id, WALK, now_ms, limit)).values())


def due_looks(connection: Connection, source_id: int, now_ms: int, limit: int) -> list[Holding]:
    """Return what is to be looked for by now: is it still there?"""
    sql = _HOLDING + "WHERE source_id = ? AND due_ms > ? AND due_ms <= ? AND size IS NOT NULL ORDER BY due_ms LIMIT ?"
    return list(_by_artifacts(query(connection, sql, source_id, WALK, now_ms, limit)).values())


def put_holdings(connection: Connection, source_id: int, holdings: Iterable[Holding]) -> None:
    """Write holdings anew."""
    insert_rows(
        connection,
        "INSERT INTO holding (source_id, run_uuid, model_id, experiment_id, tag_set_id, mark_ms, size, due_ms) "
        "VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (source_id, run_uuid, model_id) DO UPDATE SET "
        "experiment_id = excluded.experiment_id, tag_set_id = excluded.tag_set_id, mark_ms = excluded.mark_ms, "
        "size = excluded.size, due_ms = excluded.due_ms",
        [
            (
                source_id,
                each.artifacts.run_uuid,
                each.artifacts.model_id,
                each.experiment_id,
                each.tag_set_id,
                each.mark_ms,
                each.size,
                each.due_ms,
            )
            for each in holdings
        ],
    )


def drop_holdings(connection: Connection, source_id: int, gone: Collection[Artifacts]) -> None:
    """Forget what is no longer there."""
    rows = [(source_id, each.run_uuid, each.model_id) for each in gone]
    insert_rows(connection, "DELETE FROM holding WHERE source_id = ? AND run_uuid = ? AND model_id = ?", rows)


def forget_holdings(connection: Connection, source_id: int) -> None:
    """Forget what a source holds, and how far its LoggedModels were read: it is looked at anew."""
    query(connection, "DELETE FROM holding WHERE source_id = ?", source_id)
    query(connection, "DELETE FROM meta WHERE name = ?", _models(source_id))


def held_bytes(connection: Connection, source_id: int) -> dict[Place, int]:
    """Return how many bytes are held in a source, by experiment and tag set. It looks at every holding."""
    sql = (
        "SELECT experiment_id, tag_set_id, SUM(size) FROM holding WHERE source_id = ? AND size > 0 "
        "GROUP BY experiment_id, tag_set_id"
    )
    return {(row[0], row[1]): int(row[2]) for row in query(connection, sql, source_id)}


def unlisted(connection: Connection) -> list[tuple[str, int]]:
    """Return how many runs and LoggedModels of each source (its name) can't be listed."""
    sql = (
        "SELECT s.name, COUNT(*) FROM holding h JOIN source s ON s.id = h.source_id "
        "WHERE h.size IS NULL AND h.due_ms > 0 GROUP BY s.name ORDER BY s.name"
    )
    return [(row[0], int(row[1])) for row in query(connection, sql)]


_LEVEL = "SELECT l.run_id, l.since_ms, l.size, l.rate_id FROM storage_level l "


def levels(connection: Connection, source_id: int) -> dict[int, Level]:
    """Return the levels of a source, by the rows that carry their charges."""
    sql = _LEVEL + "JOIN run r ON r.id = l.run_id WHERE r.source_id = ?"
    return {row[0]: Level(*row) for row in query(connection, sql, source_id)}


def levels_of(connection: Connection, run_ids: Sequence[int]) -> dict[int, Level]:
    """Return those levels that there are of some carriers."""
    return {row[0]: Level(*row) for row in select_in(connection, _LEVEL + "WHERE l.run_id IN {values}", run_ids)}


def all_levels(connection: Connection) -> list[tuple[Level, int, int]]:
    """Return every level with its tag set and its source's last complete poll."""
    sql = (
        "SELECT l.run_id, l.since_ms, l.size, l.rate_id, r.tag_set_id, COALESCE(s.complete_ms, l.since_ms) "
        # CROSS: else SQLite walks over every run that there ever was.
        "FROM storage_level l CROSS JOIN run r CROSS JOIN source s WHERE r.id = l.run_id AND s.id = r.source_id"
    )
    return [(Level(*row[:4]), row[4], row[5]) for row in query(connection, sql)]


def put_levels(connection: Connection, levels_now: Mapping[int, Level | None]) -> None:
    """Write levels anew; None removes one."""
    gone = [(run_id,) for run_id, level in levels_now.items() if level is None]
    insert_rows(connection, "DELETE FROM storage_level WHERE run_id = ?", gone)
    insert_rows(
        connection,
        "INSERT INTO storage_level (run_id, since_ms, size, rate_id) VALUES (?,?,?,?) ON CONFLICT (run_id) "
        "DO UPDATE SET since_ms = excluded.since_ms, size = excluded.size, rate_id = excluded.rate_id",
        [(each.run_id, each.since_ms, each.size, each.rate_id) for each in levels_now.values() if each is not None],
    )


def models_cursor(connection: Connection, source_id: int) -> str:
    """Return how far a source's LoggedModels were read, ``""`` if never."""
    return fact(connection, _models(source_id))


def set_models_cursor(connection: Connection, source_id: int, cursor: str) -> None:
    """Record how far a source's LoggedModels were read."""
    set_fact(connection, _models(source_id), cursor)


def _models(source_id: int) -> str:
    return f"models:{source_id}"


def _by_artifacts(rows: Iterable[Sequence[object]]) -> dict[Artifacts, Holding]:
    found = {}
    for row in rows:
        run_uuid, model_id, *rest = row
        key = Artifacts(str(run_uuid), str(model_id))
        found[key] = Holding(key, *rest)  # type: ignore[arg-type] # rows are untyped
    return found

"""Runs as a poll saw them, and as the ledger has them, with their tags, usage and charges: what recording works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from alerter.core.usage import RunObservation
from alerter.recording.entries import Entry
from alerter.store import ledger, run_rows
from alerter.store.interning import Interner
from alerter.store.run_rows import StoredRun


class Loader:
    """Makes entries of one ledger."""

    def __init__(self, interner: Interner) -> None:
        self._interner = interner

    def changed(
        self, connection: Connection, runs: Sequence[RunObservation], known: Mapping[str, StoredRun]
    ) -> Sequence[RunObservation]:
        """Return the runs of which the ledger doesn't say what was seen; ``known`` are those that it has."""
        if not known:
            return runs
        tag_ids = self._interner.tag_sets.ids(connection, {run.tags for run in runs if run.run_uuid in known})
        usage_ids = self._interner.usage_sets.ids(connection, {run.usage for run in runs if run.run_uuid in known})
        return [
            run
            for run in runs
            if not ((row := known.get(run.run_uuid)) and row.tells(run, tag_ids[run.tags], usage_ids[run.usage]))
        ]

    def observed(
        self,
        connection: Connection,
        runs: Sequence[RunObservation],
        known: Mapping[str, StoredRun],
    ) -> list[Entry]:
        """Return what a poll saw; a run that the ledger doesn't know gets a new id."""
        if not runs:
            return []
        tag_ids = self._interner.tag_sets.ids(connection, {run.tags for run in runs})
        usage_ids = self._interner.usage_sets.ids(connection, {run.usage for run in runs})
        next_id = run_rows.next_run_id(connection)
        entries = []
        for run in runs:
            row = known.get(run.run_uuid)
            run_id = row.id if row else next_id
            next_id += row is None
            entries.append(Entry(run_id, row, run, run.tags, run.usage, tag_ids[run.tags], usage_ids[run.usage]))
        self._load(connection, entries)
        return entries

    def stored(self, connection: Connection, rows: Iterable[StoredRun]) -> list[Entry]:
        """Return runs as the ledger has them."""
        entries = [Entry(row.id, row, None, (), (), row.tag_set_id, row.usage_set_id) for row in rows]
        tags = self._interner.tag_sets.values(connection, (entry.tag_set_id for entry in entries))
        usages = self._interner.usage_sets.values(connection, (entry.usage_set_id for entry in entries))
        for entry in entries:
            entry.tags = tags[entry.tag_set_id]
            entry.usage = usages[entry.usage_set_id]
        self._load(connection, entries)
        return entries

    def _load(self, connection: Connection, entries: Sequence[Entry]) -> None:
        ids = [entry.run_id for entry in entries if entry.known is not None]
        if not ids:
            return
        histories = ledger.histories(connection, ids)
        opened = ledger.open_of(connection, ids)
        for entry in entries:
            entry.history = histories.get(entry.run_id, entry.history)
            entry.opened = segment = opened.get(entry.run_id)
            if segment is not None:
                entry.until_ms, entry.kin_ms, entry.held = segment.until_ms, segment.kin_ms, segment.held

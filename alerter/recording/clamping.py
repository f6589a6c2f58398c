"""Which runs told times that can't be: noted, so that people see whose clock is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from alerter.recording.entries import Entry
from alerter.store.clamped import drop_clamped, put_clamped


def note_clamps(connection: Connection, entries: Sequence[Entry], now_ms: int) -> None:
    """Note what was corrected in the times of observed runs; one that tells other times is judged by these."""
    found = [
        (entry.run_id, now_ms, "; ".join(dict.fromkeys(entry.metered.clamps)))
        for entry in entries
        if entry.run is not None and entry.metered is not None and entry.metered.clamps
    ]
    put_clamped(connection, found)
    noted = {run_id for run_id, _, _ in found}
    drop_clamped(connection, [entry.run_id for entry in entries if _tells_anew(entry) and entry.run_id not in noted])


def _tells_anew(entry: Entry) -> bool:
    run, row = entry.run, entry.known
    if run is None or row is None:
        return False
    return (run.start_ms, run.end_ms) != (row.start_ms, row.end_ms)

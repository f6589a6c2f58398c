"""Which runs a batch saw end, so that the next evaluation looks at what each cost in all."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from alerter.recording.entries import Entry
from alerter.store.ended_runs import note_ended
from alerter.store.sources import SourceState

_SKEW_MS = 900_000
"""So far a client's clock may be behind: what it says ended shortly before the last poll may have ended since."""


def note_endings(connection: Connection, source: SourceState, entries: Iterable[Entry]) -> None:
    """Note the runs that accrue no more, and those that began and ended since the last poll.

    What a first sync finds ended long ago, and what is only edited afterwards, is no news.
    """
    if source.complete_ms is not None:
        since_ms = source.complete_ms - _SKEW_MS
        note_ended(connection, [entry.run_id for entry in entries if _has_just_ended(entry, since_ms)])


def _has_just_ended(entry: Entry, since_ms: int) -> bool:
    if entry.wanted is not None and entry.wanted.open_since_ms is not None:
        return False
    if entry.opened is not None:
        return True
    end_ms = entry.run.end_ms if entry.run is not None else None
    return entry.known is None and end_ms is not None and end_ms >= since_ms

"""Which runs a batch saw end, so that the next evaluation looks at what each cost in all."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from alerter.recording.entries import Entry
from alerter.store.ended_runs import note_ended
from alerter.store.sources import SourceState

_SKEW_MS = 900_000
"""So far a client's clock may be behind: what it says ended shortly before the last poll may have ended since."""


Ended = Iterable[tuple[int, int | None]]
"""Runs that have ended, by the ledger's ids, each with the end that its client told; None where it accrued before."""


def note_endings(connection: Connection, source: SourceState, ended: Ended) -> None:
    """Note the runs that accrue no more, and those that began and ended since the last poll.

    What a first sync finds ended long ago, and what is only edited afterwards, is no news.
    """
    if source.complete_ms is not None:
        since_ms = source.complete_ms - _SKEW_MS
        note_ended(connection, [run_id for run_id, end_ms in ended if end_ms is None or end_ms >= since_ms])


def just_ended(entries: Iterable[Entry]) -> Ended:
    """Yield the entries that accrue no more, and the new ones that ended when."""
    for entry in entries:
        if entry.wanted is not None and entry.wanted.open_since_ms is not None:
            continue
        if entry.opened is not None:
            yield entry.run_id, None
        elif entry.known is None and entry.run is not None and entry.run.end_ms is not None:
            yield entry.run_id, entry.run.end_ms

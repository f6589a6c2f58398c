"""Where a source's history begins: what ended before is not counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from alerter.core.periods import midnight_ms
from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation


def begin_ms(history_from: date | None) -> int | None:
    """Return the first instant (UTC) that counts, in epoch ms; None where everything does."""
    return None if history_from is None else midnight_ms("UTC", history_from.toordinal())


def since(batches: Iterator[Batch], history_ms: int | None, request: PollRequest) -> Iterator[Batch]:
    """Leave out the runs that ended before an instant, unless the ledger holds them open."""
    for batch in batches:
        if history_ms is None:
            yield batch
            continue
        runs = [run for run in batch.runs if run.run_uuid in request.open_runs or not _ended_before(run, history_ms)]
        yield replace(batch, runs=runs)


def _ended_before(run: RunObservation, at_ms: int) -> bool:
    if run.is_live:
        return False
    return (run.start_ms if run.end_ms is None else run.end_ms) < at_ms

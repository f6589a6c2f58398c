"""The first sync: everything once, in windows that a killed process resumes at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation
from alerter.sources.mlflow_rest.cursor import START, Cursor, Position
from alerter.sources.mlflow_rest.decoding import Decoder
from alerter.sources.mlflow_rest.ranges import windows_at_once
from alerter.sources.mlflow_rest.tracking import Row
from alerter.sources.mlflow_rest.walk import Runs

UNFINISHED = "attributes.status != 'FINISHED' AND attributes.status != 'FAILED' AND attributes.status != 'KILLED'"


def sweep(
    runs: Runs,
    decoder: Decoder,
    cursor: Cursor,
    request: PollRequest,
    history_ms: int | None = None,
    *,
    requests: int = 1,
) -> Iterator[Batch]:
    """Yield every run from the cursor's position on, then what became of open runs that were not among them.

    With ``history_ms`` it begins there, after the runs that began before and go on beyond it; these come again as often
    as the sweep is taken up. The next windows are fetched, by so many requests at once, while the consumer records the
    one before: the server's work, most of the time, overlaps with ours.
    """
    missing = set(request.open_runs)
    # What ends while the sweep goes on is news for the first poll after it.
    cursor = replace(cursor, sweep_from_ms=cursor.sweep_from_ms or request.now_ms)
    first_ms: int | None = None
    for rows in _over(runs, history_ms):
        yield Batch(decoder.decode(rows, request.now_ms), cursor.text(), swept=cursor.swept)
    going = cursor.sweep or START
    begin = Position(history_ms) if going == START else going
    for window in windows_at_once(runs, begin, requests=requests, until_ms=request.now_ms):
        seen = decoder.decode(window.rows, request.now_ms)
        missing.difference_update(run.run_uuid for run in seen)
        first_ms = seen[0].start_ms if first_ms is None and seen else first_ms
        cursor = replace(
            cursor,
            sweep=window.position,
            sweep_count=cursor.sweep_count + len(seen),
            high_ms=latest(seen, cursor.high_ms),
        )
        yield Batch(seen, cursor.text(), swept=cursor.swept, expected=_expected(cursor, first_ms, request.now_ms))
    yield _last(cursor, missing, [run for rows in runs.by_ids(missing) for run in decoder.decode(rows, request.now_ms)])


def _last(cursor: Cursor, missing: set[str], found: Sequence[RunObservation]) -> Batch:
    """Return the batch that ends a sweep: what became of open runs that were not among the others."""
    done = replace(
        cursor,
        swept=True,
        sweep=None,
        since_ms=min(cursor.sweep_from_ms, latest(found, cursor.high_ms)),
        high_ms=latest(found, cursor.high_ms),
        sweep_from_ms=0,
        turn_total=cursor.sweep_count,
    )
    gone = tuple(sorted(missing.difference(run.run_uuid for run in found)))
    return Batch(found, done.text(), swept=True, gone=gone, expected=cursor.sweep_count)


def latest(runs: Sequence[RunObservation], before_ms: int) -> int:
    """Return the latest start or end of runs and of what was seen before them, in epoch ms."""
    return max(before_ms, max((max(run.start_ms, run.end_ms or 0) for run in runs), default=0))


def _over(runs: Runs, at_ms: int | None) -> Iterator[list[Row]]:
    """Yield the runs that began before an instant, if there is one, and ended later or have not ended."""
    if at_ms is None:
        return
    before = f"attributes.start_time < {at_ms}"
    for filters in (f"{before} AND attributes.end_time >= {at_ms}", f"{before} AND {UNFINISHED}"):
        for window in runs.windows(filters, "start_time"):
            yield window.rows


def _expected(cursor: Cursor, first_ms: int | None, now_ms: int) -> int:
    """Guess how many runs there are from how much of the time since the first one is behind; at least what was read."""
    at_ms = cursor.sweep.at_ms if cursor.sweep else None
    if first_ms is None or at_ms is None or not first_ms < at_ms < now_ms:
        return cursor.sweep_count
    return round(cursor.sweep_count * (now_ms - first_ms) / (at_ms - first_ms))

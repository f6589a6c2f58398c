"""Metering: which stretches of time a run is charged for, by what polls observed and not by its label."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alerter.core.usage import RunObservation, RunStatus


class Clamp(StrEnum):
    """A client's clock that could not be believed."""

    INVERTED = "end before start"
    FUTURE = "time in the future"


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger already holds of a run: its settled segments ``[start, end)``, ascending, and its open one."""

    settled: tuple[tuple[int, int], ...] = ()
    open_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """Where a run's charges should stand.

    Attributes:
        settled: closed segments ``[start_ms, end_ms)``, ascending, disjoint.
        open_since_ms: start of the segment that still accrues, or None.
        clamps: what was corrected in the client's times.
    """

    settled: tuple[tuple[int, int], ...]
    open_since_ms: int | None
    clamps: tuple[Clamp, ...] = ()


def meter(run: RunObservation, known: Known, *, now_ms: int, last_seen_ms: int) -> Metered:
    """Return the segments that a run should be charged for.

    Args:
        run: what this poll saw.
        known: what the ledger holds of it.
        now_ms: the poll's time; nothing is charged beyond it.
        last_seen_ms: the last complete poll before this one, at which open runs were seen to be running.
    """
    if run.status is RunStatus.SCHEDULED:
        return Metered(known.settled, None)
    start, clamps = _start(run, now_ms)
    if run.is_live:
        return _live(run, known, start, now_ms, clamps)
    if known.open_since_ms is not None and (run.deleted and run.status is RunStatus.RUNNING):
        end = max(last_seen_ms, known.open_since_ms)
        return Metered((*known.settled, (known.open_since_ms, end)), None, clamps)
    return _ended(run, known, start, now_ms, last_seen_ms, clamps)


def vanished(known: Known, *, last_seen_ms: int) -> Metered:
    """Return the segments of an open run that MLflow no longer has: it closes at the last poll that saw it."""
    if known.open_since_ms is None:
        return Metered(known.settled, None)
    end = max(last_seen_ms, known.open_since_ms)
    return Metered((*known.settled, (known.open_since_ms, end)), None)


def _start(run: RunObservation, now_ms: int) -> tuple[int, tuple[Clamp, ...]]:
    if run.start_ms > now_ms:
        return now_ms, (Clamp.FUTURE,)
    return max(run.start_ms, 0), ()


def _live(run: RunObservation, known: Known, start: int, now_ms: int, clamps: tuple[Clamp, ...]) -> Metered:
    if known.open_since_ms is not None:
        if known.settled or run.end_ms is not None:
            return Metered(known.settled, known.open_since_ms, clamps)
        return Metered((), known.open_since_ms if run.start_ms > now_ms else start, clamps)
    resumed_after = known.settled[-1][1] if known.settled else run.end_ms
    if resumed_after is None:
        return Metered((), start, clamps)
    settled = known.settled or ((start, min(max(resumed_after, start), now_ms)),)
    alive = run.last_metric_ms
    since = now_ms
    if alive is not None and resumed_after < alive <= now_ms:
        since = alive
    return Metered(settled, max(since, settled[-1][1]), clamps)


def _ended(
    run: RunObservation, known: Known, start: int, now_ms: int, last_seen_ms: int, clamps: tuple[Clamp, ...]
) -> Metered:
    segments = _observed(run, known, start, now_ms)
    end = run.end_ms
    resumed = len(segments) > 1 and segments[-2][1] < segments[-1][0]
    if end is None or (resumed and end <= segments[-2][1]):
        # The label changed and no new end came with it: it was alive at the last poll that saw it so.
        end = last_seen_ms if known.open_since_ms is not None else segments[-1][1]
    if end > now_ms:
        end, clamps = now_ms, (*clamps, Clamp.FUTURE)
    if end < segments[0][0]:
        end, clamps = segments[0][0], (*clamps, Clamp.INVERTED)
    clipped = [(since, min(until, end)) for since, until in segments if since < end]
    return Metered(tuple(clipped) or ((start, start),), None, clamps)


def _observed(run: RunObservation, known: Known, start: int, now_ms: int) -> list[tuple[int, int]]:
    """Return the segments of an ended run before its end is applied; the last one reaches to now."""
    if known.open_since_ms is not None:
        first = known.open_since_ms if known.settled else min(start, known.open_since_ms)
        return [*known.settled, (first, now_ms)]
    if not known.settled:
        return [(start, now_ms if run.end_ms is not None else start)]
    first_end = known.settled[0][1]
    settled = [(min(start, first_end), first_end), *known.settled[1:]]
    last_end = known.settled[-1][1]
    if run.end_ms is None or run.end_ms <= last_end:
        return settled
    # It ended later than the ledger says: it was resumed in between, and its idle gap is free.
    alive = run.last_metric_ms
    if alive is not None and last_end < alive <= min(run.end_ms, now_ms):
        return [*settled, (alive, now_ms)]
    return settled

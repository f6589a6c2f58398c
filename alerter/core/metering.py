"""Metering: which stretches of time a run is charged for, by what polls observed and not by its label.

What a client said before and says again moves nothing: a new tag, a rename or a deletion leaves the times as they
were counted. A start that is told anew moves a run's beginning only to an earlier time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alerter.core.usage import RunObservation, RunStatus

Segment = tuple[int, int]
"""``[start, end)`` in epoch ms."""

_NOT_OVER = (RunStatus.RUNNING, RunStatus.SCHEDULED)

EARLIEST_MS = 10**12
"""September 2001. A start before it is no time in milliseconds: none was given, or it is in seconds."""

TOLERATED_MS = 300_000
"""So far ahead a client's clock is corrected without a word: a poll that takes long sees runs that end meanwhile."""


class Clamp(StrEnum):
    """A client's clock that could not be believed."""

    INVERTED = "end before start"
    FUTURE = "time in the future"
    IMPLAUSIBLE = "start before 2001"


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger already holds of a run.

    Attributes:
        settled: its settled segments, ascending, disjoint.
        open_since_ms: where its open segment begins, None where it has none; it may touch the last settled one.
        start_ms, end_ms: what the client said of them when the run was last looked at; None for a new run.
        until_ms: the last sign of life of an open run that is suspected stale: it ends there. None otherwise.
    """

    settled: tuple[Segment, ...] = ()
    open_since_ms: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_blank(self) -> bool:
        """Whether no time of it is charged: it is metered as if it were new."""
        return not self.settled and self.open_since_ms is None

    @property
    def stretch_ms(self) -> int | None:
        """Where the stretch began that it accrues in, of which some may be settled; None where it doesn't accrue."""
        if self.settled and self.settled[-1][1] == self.open_since_ms:
            return self.settled[-1][0]
        return self.open_since_ms


@dataclass(frozen=True, slots=True)
class Metered:
    """Where a run's charges should stand.

    Attributes:
        settled: closed segments, ascending, disjoint.
        open_since_ms: start of the segment that still accrues, or None.
        clamps: what was corrected in the client's times.
    """

    settled: tuple[Segment, ...]
    open_since_ms: int | None
    clamps: tuple[Clamp, ...] = ()


def after(metered: Metered, since_ms: int) -> Metered:
    """Return what of some time lies after an instant."""
    settled = tuple((max(start, since_ms), end) for start, end in metered.settled if end > since_ms)
    opened = metered.open_since_ms
    return Metered(settled, None if opened is None else max(opened, since_ms), metered.clamps)


def meter(run: RunObservation, known: Known, *, now_ms: int, last_seen_ms: int) -> Metered:
    """Return the segments that a run should be charged for.

    Args:
        run: what this poll saw.
        known: what the ledger holds of it.
        now_ms: the poll's time; nothing is charged beyond it.
        last_seen_ms: the last complete poll before this one, at which open runs were seen to be running.
    """
    waits = run.status is RunStatus.SCHEDULED
    if known.open_since_ms is not None and (waits or (run.deleted and run.status is RunStatus.RUNNING)):
        return vanished(known, last_seen_ms=last_seen_ms)
    if waits:
        return Metered(known.settled, None)
    start, clamps = _start(run, now_ms)
    if run.is_live:
        return _live(run, known, start, now_ms, clamps)
    if known.is_blank:
        end = _told_end(run, start, now_ms)
        if start < end <= now_ms:
            return Metered(((start, end),), None, clamps)
        return _clipped([(start, now_ms)], end, now_ms, clamps)
    if known.open_since_ms is None:
        return _ended_before(run, known, start, now_ms, clamps)
    return _ended(run, known, start, (last_seen_ms, now_ms), clamps)


def is_told_whole(run: RunObservation, now_ms: int) -> bool:
    """Whether a new run has ended and tells believable times: `meter` charges it for just these."""
    if run.end_ms is None or run.status in _NOT_OVER:
        return False
    return EARLIEST_MS <= run.start_ms < run.end_ms <= now_ms


def vanished(known: Known, *, last_seen_ms: int) -> Metered:
    """Return the segments of an open run that MLflow no longer has: it closes at the last complete poll."""
    if known.open_since_ms is None or known.stretch_ms is None:
        return Metered(known.settled, None)
    end = max(_alive(known, last_seen_ms), known.stretch_ms)
    kept = clipped([*known.settled, (known.open_since_ms, end)], end)
    return Metered(kept or ((end, end),), None)


def clipped(segments: Sequence[Segment], end_ms: int) -> tuple[Segment, ...]:
    """Return what of some segments lies before an instant."""
    return tuple((since, min(until, end_ms)) for since, until in segments if since < end_ms)


def _alive(known: Known, end_ms: int) -> int:
    """Return an open run's end, or the last sign of life of one that was suspected stale, whichever is earlier."""
    return end_ms if known.until_ms is None else min(end_ms, known.until_ms)


def _start(run: RunObservation, now_ms: int) -> tuple[int, tuple[Clamp, ...]]:
    if run.start_ms > now_ms:
        return now_ms, _ahead(run.start_ms, now_ms)
    if run.start_ms < EARLIEST_MS:
        return now_ms, (Clamp.IMPLAUSIBLE,)
    return run.start_ms, ()


def _live(run: RunObservation, known: Known, start: int, now_ms: int, clamps: tuple[Clamp, ...]) -> Metered:
    settled, opened = _begun(run, known, start)
    if opened is not None:
        return Metered(settled, opened, clamps)
    resumed_after = settled[-1][1] if settled else run.end_ms
    if resumed_after is None:
        return Metered((), start, clamps)
    if not settled:
        settled = ((start, min(max(resumed_after, start), now_ms)),)
    alive = run.last_metric_ms
    since = alive if alive is not None and resumed_after < alive <= now_ms else now_ms
    return Metered(settled, max(since, settled[-1][1]), clamps)


def _ended(run: RunObservation, known: Known, start: int, seen: tuple[int, int], clamps: tuple[Clamp, ...]) -> Metered:
    """End an open run; ``seen`` are the last complete poll that saw it running, and this one.

    One that doesn't tell when ends at the former, whatever of its stretch was settled since: which time is charged must
    not depend on where a price changed, and of what a poll that broke off saw of it nothing is kept.
    """
    last_seen_ms, now_ms = seen
    settled, opened = _begun(run, known, start)
    end = run.end_ms
    if end is None or (known.end_ms is not None and end <= known.end_ms):
        # The label changed and no new end came with it: it was alive at the last complete poll.
        end = max(last_seen_ms, known.stretch_ms or 0)
    end = _alive(known, end)
    return _clipped([*settled, (opened if opened is not None else start, now_ms)], end, now_ms, clamps)


def _told_end(run: RunObservation, start: int, now_ms: int) -> int:
    """Return a run's end; of one that was only given a status, its last sign of life."""
    if run.end_ms is not None:
        return run.end_ms
    alive = run.last_metric_ms
    return alive if alive is not None and start < alive <= now_ms else start


def _ended_before(run: RunObservation, known: Known, start: int, now_ms: int, clamps: tuple[Clamp, ...]) -> Metered:
    """Look again at a run that doesn't accrue: has it another end than the one that it was charged to?"""
    settled, _ = _begun(run, known, start)
    last_start, last_end = settled[-1]
    end = run.end_ms
    if end is None or end == known.end_ms or (len(settled) > 1 and end <= settled[-2][1]):
        return Metered(settled, None, clamps)
    if known.end_ms is None:
        # It was closed without an end of its own, which is now known.
        return _clipped([*settled[:-1], (last_start, max(now_ms, last_end))], end, now_ms, clamps)
    if end <= last_end:
        return _clipped(settled, end, now_ms, clamps)
    # It was resumed and ended between two polls; the idle gap is free.
    alive = run.last_metric_ms
    if alive is None or not last_end < alive <= min(end, now_ms):
        return Metered(settled, None, clamps)
    return _clipped([*settled, (alive, now_ms)], end, now_ms, clamps)


def _begun(run: RunObservation, known: Known, start: int) -> tuple[tuple[Segment, ...], int | None]:
    """Return the settled segments and the open one's start, from an earlier beginning if the client tells one.

    It is none of a run that goes on if all that is charged of it came after the end that it had: it was resumed.
    """
    settled, opened = known.settled, known.open_since_ms
    first = settled[0][0] if settled else opened
    is_resumed = opened is not None and first is not None and known.end_ms is not None and first >= known.end_ms
    if first is None or is_resumed or run.start_ms == known.start_ms:
        return settled, opened
    if settled:
        return ((min(start, first), settled[0][1]), *settled[1:]), opened
    return settled, min(start, first)


def _clipped(segments: Sequence[Segment], end: int, now_ms: int, clamps: tuple[Clamp, ...]) -> Metered:
    """Return what of some segments lies before a client's end."""
    first = segments[0][0]
    if end > now_ms:
        end, clamps = now_ms, (*clamps, *_ahead(end, now_ms))
    if end < first:
        end, clamps = first, (*clamps, Clamp.INVERTED)
    kept = clipped(segments, end)
    return Metered(kept or ((first, first),), None, clamps)


def _ahead(at_ms: int, now_ms: int) -> tuple[Clamp, ...]:
    return (Clamp.FUTURE,) if at_ms > now_ms + TOLERATED_MS else ()

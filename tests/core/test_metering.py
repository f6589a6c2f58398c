"""Which time is charged: every way in which a run begins, ends, resumes and is misreported."""

from __future__ import annotations

import pytest

from alerter.core.metering import Clamp, Known, Metered, meter, vanished
from alerter.core.usage import RunObservation, RunStatus

HOUR = 3_600_000
T = 1_795_392_000_000  # 2026-11-23 00:00 UTC


def seen(
    status: str, start: float = 0, end: float | None = None, *, deleted: bool = False, alive: float | None = None
) -> RunObservation:
    """A run whose times are hours after T."""
    last = None if alive is None else at(alive)
    ended = None if end is None else at(end)
    return RunObservation("r", "1", "", "", RunStatus(status), at(start), ended, deleted, (), (), last)


def at(hours: float) -> int:
    return T + round(hours * HOUR)


def known(
    *settled: tuple[float, float], since: float | None = None, start: float = 0, end: float | None = None
) -> Known:
    return Known(
        tuple((at(low), at(high)) for low, high in settled),
        None if since is None else at(since),
        at(start),
        None if end is None else at(end),
    )


def hours(metered: Metered) -> tuple[list[tuple[float, float]], float | None]:
    """Settled segments that are not empty, and where the open one begins, in hours after T."""
    settled = [((low - T) / HOUR, (high - T) / HOUR) for low, high in metered.settled if low < high]
    return settled, None if metered.open_since_ms is None else (metered.open_since_ms - T) / HOUR


NEW = Known()
CASES = {
    "a new running run": (seen("RUNNING"), NEW, ([], 0)),
    "scheduled": (seen("SCHEDULED"), NEW, ([], None)),
    "scheduled again while it ran": (seen("SCHEDULED"), known(since=0), ([(0, 9)], None)),
    "ended before it was seen": (seen("FAILED", 0, 4), NEW, ([(0, 4)], None)),
    "ended, without an end, before it was seen": (seen("KILLED"), NEW, ([], None)),
    "goes on": (seen("RUNNING"), known(since=0), ([], 0)),
    "ends": (seen("FINISHED", 0, 9.5), known(since=0), ([(0, 9.5)], None)),
    "ends without an end": (seen("KILLED"), known(since=0), ([(0, 9)], None)),
    "an end before the last poll": (seen("FINISHED", 0, 3), known(since=0), ([(0, 3)], None)),
    "an end in the future": (seen("FINISHED", 0, 12), known(since=0), ([(0, 10)], None)),
    "an end before the start": (seen("FINISHED", 0, -2), known(since=0), ([], None)),
    "a start in the future": (seen("RUNNING", 12), NEW, ([], 10)),
    "a start that was in the future": (seen("RUNNING", 12), known(since=8, start=12), ([], 8)),
    "a start in seconds": (seen("RUNNING", -T / HOUR * 0.999), NEW, ([], 10)),
    "a later start is not believed": (seen("RUNNING", 5), known(since=0), ([], 0)),
    "an earlier start is": (seen("RUNNING", -5), known(since=0), ([], -5)),
    "an earlier start after the end": (seen("FINISHED", -5, 4), known((0, 4), end=4), ([(-5, 4)], None)),
    "... nor is one of what all came after an end": (
        seen("RUNNING", -5, 1),
        known((6, 8), since=8, end=1),
        ([(6, 8)], 8),
    ),
    "an earlier start of one that ended and was resumed unseen": (
        seen("RUNNING", -5, 4),
        known(since=0, end=4),
        ([], -5),
    ),
    "seen first after it was resumed": (seen("RUNNING", 0, 4), NEW, ([(0, 4)], 10)),
    "... with a metric since": (seen("RUNNING", 0, 4, alive=7), NEW, ([(0, 4)], 7)),
    "... with a metric from before": (seen("RUNNING", 0, 4, alive=3), NEW, ([(0, 4)], 10)),
    "resumed": (seen("RUNNING", 0, 4), known((0, 4), end=4), ([(0, 4)], 10)),
    "resumed, with a metric": (seen("RUNNING", 0, 4, alive=6), known((0, 4), end=4), ([(0, 4)], 6)),
    "goes on after it was resumed": (seen("RUNNING", 0, 4), known((0, 4), since=6, end=4), ([(0, 4)], 6)),
    "ends again": (seen("FINISHED", 0, 9.5), known((0, 4), since=6, end=4), ([(0, 4), (6, 9.5)], None)),
    "ends again, with its old end": (seen("FAILED", 0, 4), known((0, 4), since=6, end=4), ([(0, 4), (6, 9)], None)),
    "... across a change of price": (
        seen("FAILED", 0, 4),
        known((0, 4), (6, 8), since=8, end=4),
        ([(0, 4), (6, 8), (8, 9)], None),
    ),
    "an end before it was seen resumed": (seen("FAILED", 0, 5), known((0, 4), since=6, end=4), ([(0, 4)], None)),
    "nothing before the resumption was charged": (seen("FINISHED", 0, 9), known(since=6, end=-1), ([(6, 9)], None)),
    "... nor moves its beginning": (seen("FINISHED", 0, 9), known((6, 9), end=9), ([(6, 9)], None)),
    "resumed and ended between two polls": (seen("FINISHED", 0, 8), known((0, 4), end=4), ([(0, 4)], None)),
    "... with a metric": (seen("FINISHED", 0, 8, alive=7), known((0, 4), end=4), ([(0, 4), (7, 8)], None)),
    "an end that was moved back": (seen("FINISHED", 0, 3), known((0, 4), end=4), ([(0, 3)], None)),
    "an end, where there was none": (seen("FINISHED", 0, 8), known((0, 4)), ([(0, 8)], None)),
    "deleted": (seen("FINISHED", 0, 4, deleted=True), known((0, 4), end=4), ([(0, 4)], None)),
    "deleted while it ran": (seen("RUNNING", deleted=True), known(since=0), ([(0, 9)], None)),
    "ended and deleted": (seen("FINISHED", 0, 9.5, deleted=True), known(since=0), ([(0, 9.5)], None)),
    "restored": (seen("RUNNING"), known((0, 4)), ([(0, 4)], 10)),
    "a clamped end, told again": (seen("FINISHED", 0, 9.5), known((0, 5), end=9.5), ([(0, 5)], None)),
}


@pytest.mark.parametrize("case", CASES)
def test_segments(case: str) -> None:
    run, before, wanted = CASES[case]
    assert hours(meter(run, before, now_ms=at(10), last_seen_ms=at(9))) == wanted


def test_a_run_that_is_gone_closes_at_the_last_poll_that_saw_it() -> None:
    assert hours(vanished(known(since=0), last_seen_ms=at(9))) == ([(0, 9)], None)
    assert hours(vanished(known(since=9.5), last_seen_ms=at(9))) == ([], None)
    assert hours(vanished(known((0, 4), end=4), last_seen_ms=at(9))) == ([(0, 4)], None)


@pytest.mark.parametrize(
    ("run", "clamps"),
    [
        (seen("RUNNING"), ()),
        (seen("RUNNING", 12), (Clamp.FUTURE,)),
        (seen("FINISHED", 0, 12), (Clamp.FUTURE,)),
        (seen("FINISHED", 0, -1), (Clamp.INVERTED,)),
        (seen("RUNNING", -T / HOUR), (Clamp.IMPLAUSIBLE,)),
        (seen("FINISHED", -T / HOUR, 4), (Clamp.IMPLAUSIBLE, Clamp.INVERTED)),
    ],
)
def test_clamps_are_told(run: RunObservation, clamps: tuple[Clamp, ...]) -> None:
    assert meter(run, NEW, now_ms=at(10), last_seen_ms=at(9)).clamps == clamps

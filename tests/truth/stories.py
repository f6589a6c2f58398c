"""Stories of runs that once were counted wrongly, or might be: each is compared with the oracle after every poll."""

from tests.truth.ledgers import DAY, HOUR, MINUTE
from tests.truth.worlds import Steps

POLL = (20 * MINUTE, ("poll", 3, None))
DOWN = (20 * MINUTE, ("poll", 1, 0))
READ = (20 * MINUTE, ("poll", 3, 1))
"""A poll that breaks off when it has read all runs."""
RUNS = (5 * HOUR, ("begin", "r1", 1, "RUNNING", 0))
ENDS = (HOUR, ("end", "r1", 0))
RESUMES = (3 * HOUR, ("resume", "r1", None))
TAGGED = (HOUR, ("tag", "r1", 1))
NO_END = (HOUR, ("end", "r1", None))
LONG = (40 * HOUR, ("poll", 3, None))
"""Across at least one date at which the price of r1 changes."""
LATE = (34 * HOUR, ("tag", "r1", 0))
EARLIER = (HOUR, ("earlier", "r1", 5 * HOUR))
BEATS = (MINUTE, ("beat", "r1", 0))
STALE = (4 * HOUR, POLL[1])
NESTS: Steps = [RUNS, POLL, (MINUTE, ("begin", "r2", 1, "RUNNING", 0, "r1")), POLL]
MACHINES = (("r1", 6), ("r2", 6), ("r3", 7))
"""Three on one machine."""

STORIES: dict[str, Steps] = {
    "never a metric, ended later": [RUNS, POLL, LONG, STALE, ENDS, POLL, TAGGED, POLL],
    "never a metric for long, then one": [RUNS, POLL, LONG, STALE, BEATS, POLL, STALE, STALE, ENDS, POLL],
    "stale, tagged, ended": [RUNS, BEATS, POLL, STALE, TAGGED, POLL, ENDS, POLL, RESUMES, POLL],
    "stale across a date of a price": [RUNS, BEATS, POLL, LONG, LONG, BEATS, POLL, LONG, ENDS, POLL],
    "stale, woken, stale, deleted": [
        *[RUNS, BEATS, POLL, STALE, BEATS, POLL, STALE, (MINUTE, ("delete", "r1")), POLL, (1, ("restore", "r1")), POLL]
    ],
    "stale, a price edited, woken": [RUNS, BEATS, POLL, STALE, (1, ("reprice",)), POLL, STALE, BEATS, POLL, ENDS, POLL],
    "a price edited, then stale to before that, woken": [
        *[(5 * HOUR, ("begin", "r1", 0, "RUNNING", 0)), BEATS, POLL, POLL, (1, ("reprice",)), POLL, STALE],
        *[BEATS, POLL, ENDS, POLL],
    ],
    "the same at odd instants: what was cut is one charge again": [
        *[(5 * HOUR, ("begin", "r1", 0, "RUNNING", 0)), (1, ("beat", "r1", 0)), POLL, (20 * MINUTE + 1, POLL[1])],
        *[(1, ("reprice",)), POLL, STALE, BEATS, POLL, ENDS, POLL],
    ],
    "the same, ended with a newer metric": [
        *[(5 * HOUR, ("begin", "r1", 0, "RUNNING", 0)), BEATS, POLL, POLL, (1, ("reprice",)), POLL, STALE],
        *[(1, ("tag", "r1", 1)), POLL, BEATS, ENDS, POLL],
    ],
    "one that shares a machine ends just after a date of a price, before the poll": [
        *[(27_000_000, ("begin", name, machine, "RUNNING", 0, None)) for name, machine in MACHINES],
        *[(27_000_003, POLL[1]), (27_000_003, POLL[1]), (3_599_995, ("end", "r2", 0)), (1, POLL[1]), POLL],
    ],
    "a price edited before another one joins, then stale to before that, woken": [
        *[(MINUTE, ("begin", "r2", 10, "RUNNING", 0, None)), (MINUTE, ("beat", "r2", 25 * MINUTE)), (HOUR, POLL[1])],
        *[(MINUTE, ("reprice",)), (MINUTE, ("begin", "r1", 6, "RUNNING", 0, None)), (5 * HOUR, POLL[1])],
        *[(MINUTE, ("beat", "r2", 0)), POLL, ENDS, POLL],
    ],
    "a poll breaks off between a run above and one below, across a date of a price": [
        *[(MINUTE, ("begin", "r2", 5, "RUNNING", 0, None)), (13 * HOUR, ("begin", "r3", 1, "RUNNING", 0, "r2"))],
        *[(13 * HOUR, POLL[1]), (15 * HOUR, ("params", "r2", 0)), (1, ("poll", 1, 1)), (1, POLL[1])],
    ],
    "a poll that breaks off learns that a run above had no time at all, below it one runs since a dated price": [
        *[(7 * HOUR, ("begin", "r2", 7, "RUNNING", 0, None)), (7 * HOUR, ("begin", "r3", 7, "RUNNING", 0, "r2"))],
        *[(25 * HOUR, ("no start", "r2")), (MINUTE, ("end", "r2", None)), READ, POLL],
    ],
    "the run above names another machine, on which one below ran before it began": [
        *[(HOUR, ("begin", "r2", 5, "RUNNING", 0, "r1")), (5 * HOUR, ("begin", "r1", 0, "RUNNING", 0)), POLL],
        *[(MINUTE, ("params", "r1", 1)), POLL, (HOUR, ("end", "r2", 0)), POLL, (MINUTE, ("params", "r1", 2)), POLL],
    ],
    "a price edited and edited back, between which only a poll that broke off looked": [
        *[(MINUTE, ("begin", "r3", 4, "RUNNING", 0)), (1, POLL[1]), (33_224, ("begin", "r1", 0, "RUNNING", 0)), POLL],
        *[(MINUTE, ("tag", "r1", 0)), (MINUTE, ("tag", "r3", 1)), (MINUTE, ("reprice",)), READ],
        *[(5 * HOUR, ("reprice",)), POLL, (MINUTE, ("tag", "r3", 2)), POLL],
    ],
    "the run above names no machine any more": [
        *[(MINUTE, ("begin", "r1", 2, "RUNNING", 0)), (MINUTE, ("begin", "r2", 5, "RUNNING", 0, "r1"))],
        *[(1, ("earlier", "r2", 30 * HOUR)), POLL, (MINUTE, ("params", "r1", 5)), POLL, ENDS, POLL],
    ],
    "other params of a run that was free": [
        *[(15 * HOUR, ("begin", "r2", 1, "RUNNING", 0)), (HOUR, ("begin", "r3", 1, "RUNNING", 0, "r2")), LONG],
        *[(MINUTE, ("params", "r3", 3)), POLL],
    ],
    "a silent run ends before it had begun: the one above lived by it no more": [
        *[(MINUTE, ("begin", "r1", 0, "RUNNING", 0)), (14 * HOUR, ("begin", "r2", 5, "RUNNING", 0, "r1")), POLL],
        *[(1, ("beat", "r2", 5 * HOUR)), (7 * HOUR, ("wait", "r2")), POLL, (7 * HOUR, ("begin", "r2", 4, "", 0)), POLL],
        *[(1, ("end", "r2", -3 * DAY)), POLL],
    ],
    "other params of a run that waits again": [
        *[(27_000_000, ("begin", "r2", 1, "RUNNING", 0)), (135_000_638, ("beat", "r2", -MINUTE)), (9_302, POLL[1])],
        *[(227, ("wait", "r2")), (5_400_000, ("params", "r2", 2)), POLL, POLL],
    ],
    "stale, other params, woken": [RUNS, BEATS, POLL, STALE, (1, ("params", "r1", 2)), POLL, STALE, BEATS, POLL],
    "a price edited, then stale to before that, other params, woken": [
        *[(5 * HOUR, ("begin", "r1", 0, "RUNNING", 0)), BEATS, POLL, POLL, (1, ("reprice",)), POLL, STALE],
        *[(1, ("params", "r1", 2)), BEATS, POLL, ENDS, POLL],
    ],
    "ends with its only metric": [RUNS, BEATS, POLL, STALE, BEATS, ENDS, POLL],
    "lives by the run nested in it": [
        *NESTS,
        (HOUR, ("beat", "r2", 0)),
        POLL,
        STALE,
        (1, ("beat", "r2", 0)),
        POLL,
        LONG,
    ],
    "lives by one that ended": [*NESTS, (2 * HOUR, ("end", "r2", 0)), POLL, (2 * HOUR, POLL[1]), STALE, ENDS, POLL],
    "both silent, both end after a metric": [
        *[
            *NESTS,
            BEATS,
            (1, ("beat", "r2", 0)),
            POLL,
            STALE,
            (HOUR, ("beat", "r2", 0)),
            (1, ("end", "r2", 0)),
            ENDS,
            POLL,
        ]
    ],
    "nested runs seen before the one above": [
        *[(MINUTE, ("begin", "r3", 1, "RUNNING", 0, "r2")), (HOUR, ("end", "r3", 0)), POLL],
        *[
            (MINUTE, ("begin", "r2", 1, "RUNNING", -2 * HOUR, "r1")),
            POLL,
            (1, ("begin", "r1", 1, "RUNNING", -2 * HOUR)),
        ],
        *[POLL, STALE, STALE, ENDS, POLL],
    ],
    "a nested run's end was cut": [
        *[*NESTS, (HOUR, ("end", "r2", 0)), POLL, (HOUR, ("end", "r2", -100 * MINUTE)), POLL, STALE, STALE, ENDS, POLL]
    ],
    "a label without a new end": [RUNS, POLL, ENDS, POLL, RESUMES, POLL, POLL, NO_END, POLL, TAGGED],
    "the same across a change of price": [RUNS, POLL, ENDS, POLL, RESUMES, POLL, LONG, LONG, NO_END, POLL],
    "a label without any end, then an end": [RUNS, POLL, POLL, NO_END, POLL, TAGGED, POLL, ENDS, POLL],
    "vanished, back, ended": [
        *[RUNS, POLL, POLL, (HOUR, ("vanish", "r1")), POLL, POLL, (HOUR, ("reappear", "r1")), POLL, LONG, ENDS, POLL]
    ],
    "vanished after its end": [RUNS, ENDS, POLL, (1, ("vanish", "r1")), POLL, (1, ("reappear", "r1")), POLL, TAGGED],
    "an end before the start, resumed, ended, tagged": [
        *[RUNS, (HOUR, ("end", "r1", -3 * DAY)), POLL, RESUMES, POLL, POLL, (HOUR, ("end", "r1", 0)), POLL, TAGGED]
    ],
    "an end ahead of the clock, tagged after it": [
        RUNS,
        (HOUR, ("end", "r1", 11 * MINUTE)),
        (1, POLL[1]),
        LONG,
        TAGGED,
    ],
    "seconds for milliseconds": [(HOUR, ("begin", "r1", 1, "RUNNING", -(2**60))), POLL, LONG, ENDS, POLL, TAGGED],
    "no start": [RUNS, *[(1, ("no start", "r1")), POLL] * 3, ENDS, POLL],
    "deleted, restored, ended": [
        *[RUNS, POLL, POLL, (HOUR, ("delete", "r1")), POLL, LONG, (HOUR, ("restore", "r1")), POLL, POLL, ENDS, POLL]
    ],
    "seen only by polls that broke off, across a date of a price, then a label without an end": [
        *[RUNS, LATE, READ, NO_END, READ, POLL, TAGGED, POLL]
    ],
    "... or deleted": [RUNS, POLL, LATE, READ, (HOUR, ("delete", "r1")), READ, POLL],
    "... or gone": [RUNS, POLL, LATE, READ, (HOUR, ("vanish", "r1")), POLL, POLL],
    "... or resumed, and another label without a new end": [
        *[RUNS, ENDS, POLL, RESUMES, POLL, LATE, READ, NO_END, READ, POLL, TAGGED, POLL]
    ],
    "an earlier start, before the date of a price": [
        *[(40 * HOUR, ("begin", "r1", 1, "RUNNING", 0)), POLL, EARLIER, POLL, ENDS, POLL, TAGGED, POLL, EARLIER, POLL]
    ],
    "an earlier start of a run that ends": [
        *[(MINUTE, ("begin", "r3", 2, "RUNNING", 0)), POLL, POLL, (MINUTE, ("earlier", "r3", 30 * HOUR))],
        *[(MINUTE, ("end", "r3", 0)), POLL, POLL],
    ],
    "an earlier start of a run that was ended and resumed between two polls, on a shared machine": [
        *[(MINUTE, ("begin", "r1", 6, "RUNNING", 0, None)), (MINUTE, ("begin", "r2", 8, "RUNNING", 0, "r1")), POLL],
        *[(MINUTE, ("end", "r1", 0)), (MINUTE, ("resume", "r1", MINUTE)), POLL, (1, ("earlier", "r1", 5 * HOUR)), POLL],
    ],
    "an earlier start of a suspect": [
        *[(40 * HOUR, ("begin", "r1", 1, "RUNNING", 0)), BEATS, POLL, STALE, EARLIER, POLL, BEATS, POLL, ENDS, POLL]
    ],
    "scheduled again": [RUNS, POLL, POLL, (HOUR, ("wait", "r1")), POLL, (HOUR, ("begin", "r1", 1, "", 0)), POLL, POLL],
    "a price edited while the source is down": [
        *[(HOUR, ("begin", "r1", 0, "RUNNING", 0)), POLL, POLL, DOWN, (HOUR, ("reprice",)), DOWN, DOWN, LONG, ENDS]
    ],
    "a dated price while the source is down, ended before it": [RUNS, POLL, ENDS, (30 * HOUR, DOWN[1]), DOWN, POLL],
    "other params across two prices": [RUNS, POLL, LONG, LONG, (HOUR, ("params", "r1", 2)), POLL, LONG, ENDS, POLL],
    "resumed and ended between two polls": [RUNS, ENDS, POLL, (3 * HOUR, ("resume", "r1", MINUTE)), ENDS, POLL, TAGGED],
}

"""Clocks that can't be believed: corrected, counted, and shown where people look."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerter.coverage import coverage_lines, measure
from alerter.explain import explain
from alerter.status import status_json
from tests.metering.test_stale import BUDGETS, PRICES, T0
from tests.truth.ledgers import HOUR, MINUTE, House, config_of, house, run


def told(home: House, now: int, name: str) -> tuple[str | None, int, str]:
    with home.services.ledger.read() as view:
        note = explain(view, name, now)["clamped"]
        return note, status_json(view, now)["coverage"]["clamped_runs"], next(iter(coverage_lines(measure(view, now))))


@pytest.mark.parametrize(
    ("start", "end", "note"),
    [
        (-2 * HOUR, -3 * HOUR, "end before start"),
        (-2 * HOUR, 6 * HOUR, "time in the future"),
        (6 * HOUR, 7 * HOUR, "time in the future"),
        (-T0 + 1, -HOUR, "start before 2001; end before start"),
    ],
)
def test_a_wrong_clock_is_shown(tmp_path: Path, migrated_sqlite: Path, start: int, end: int, note: str) -> None:
    good = run("good", "FINISHED", T0 - HOUR, T0)
    bad = run("bad", "FINISHED", T0 + start, T0 + end)
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0, [good, bad]) as home:
        (polled,) = home.cycle(T0).polls
        assert polled.recorded.clamped == 1
        found = told(home, T0, "bad")
        assert found[:2] == (note, 1)
        assert told(home, T0, "good")[0] is None
        assert "wrong clocks of 1 run corrected" in found[2]
        # Another tag is no other time; a time that can be is.
        home.source.put(run("bad", "FINISHED", T0 + start, T0 + end, tags={"team": "a"}))
        home.cycle(T0 + MINUTE)
        assert told(home, T0 + MINUTE, "bad")[1] == 1
        home.source.put(run("bad", "FINISHED", T0 - 3 * HOUR, T0 - 2 * HOUR))
        home.cycle(T0 + 2 * MINUTE)
        note_after, count, line = told(home, T0 + 2 * MINUTE, "bad")
        assert (note_after, count) == (None, 0)
        assert "clock" not in line


def test_a_run_that_ends_while_a_poll_reads_is_no_wrong_clock(tmp_path: Path, migrated_sqlite: Path) -> None:
    seen = run("r", "FINISHED", T0 - HOUR, T0 + 2 * MINUTE)
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0, [seen]) as home:
        home.cycle(T0)
        assert told(home, T0, "r")[:2] == (None, 0)

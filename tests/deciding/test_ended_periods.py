"""Periods that are over: judged once every source was read beyond their end, told once, closed."""

from __future__ import annotations

import json
from pathlib import Path

from alerter.holds import acknowledge
from alerter.store.engine import Store
from tests.deciding.tools import at, audited, budget, costs, daemon, hourly, told
from tests.truth.ledgers import DAY, HOUR


def test_what_the_night_held_back_of_a_day_is_told_in_the_morning_though_it_is_over(
    store: Store, tmp_path: Path
) -> None:
    evening = at("2026-11-09 22:00")
    with daemon(store, tmp_path, budget('quiet_hours: {from: "20:00", to: "07:00"}', "daily"), evening) as home:
        home.source.put(costs("r", 85, evening))
        hourly(home, evening, 12)
        assert told(home) == [("Tue 10 07:00", "a", "first", 80)]
        alert = json.loads(str(home.rows("SELECT message FROM notification")[0][0]))["alerts"][0]
        assert (alert["period_start"], alert["days_left"], alert["next_percent"]) == ("2026-11-09", 0, None)
        assert home.rows("SELECT status, reason FROM alert") == [("resolved", "period closed at $85.00")]


def test_a_day_that_ended_while_the_source_was_down_is_judged_when_it_is_back(store: Store, tmp_path: Path) -> None:
    evening = at("2026-11-09 20:00")
    with daemon(store, tmp_path, budget(period="daily"), evening) as home:
        home.source.put(costs("r", 85, evening))
        home.cycle(evening)
        home.source.fails_after = 0
        hourly(home, evening + HOUR, 8)
        assert home.rows("SELECT status FROM alert") == [("firing",)]  # nobody knows how the day ended
        home.source.put(costs("late", 40, at("2026-11-09 23:59")))
        home.source.fails_after = None
        home.cycle(at("2026-11-10 09:00"))
        assert told(home)[1:] == [("Tue 10 09:00", "a", "higher threshold", 125)]
        assert {row[0] for row in home.rows("SELECT status FROM alert")} == {"resolved"}
        hourly(home, at("2026-11-10 10:00"), 24 * 3)
        assert len(told(home)) == 2


def test_a_source_that_stays_away_keeps_no_day_open_for_long(store: Store, tmp_path: Path) -> None:
    evening = at("2026-11-09 20:00")
    with daemon(store, tmp_path, budget(period="daily"), evening) as home:
        home.source.put(costs("r", 85, evening))
        home.cycle(evening)
        home.source.fails_after = 0
        home.cycle(at("2026-11-12 23:00"))
        assert home.rows("SELECT status FROM alert") == [("firing",)]
        home.cycle(at("2026-11-13 00:00"))
        assert home.rows("SELECT status, reason FROM alert") == [("resolved", "period closed at $85.00")]


def test_days_that_passed_while_the_daemon_was_down_are_all_told_in_one_message(store: Store, tmp_path: Path) -> None:
    before, after = at("2026-11-02 10:00"), at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget(period="daily"), before) as home:
        for day in (3, 5, 6):
            home.source.put(costs(f"r{day}", 100 + day, at(f"2026-11-{day:02d} 20:00")))
        home.restart(after)
        home.cycle(after)
        rows = home.rows("SELECT message FROM notification")
        assert len(rows) == 1
        alerts = json.loads(str(rows[0][0]))["alerts"]
        assert sorted(each["period_start"] for each in alerts) == ["2026-11-03", "2026-11-05", "2026-11-06"]
        rows = home.rows("SELECT DISTINCT status, reason FROM alert ORDER BY reason")
        assert rows == [("resolved", f"period closed at ${each}") for each in (103, 105, 106)]
        hourly(home, after + HOUR, 30)
        assert len(told(home)) == 3


def test_a_year_of_days_is_told_no_further_back_than_a_month(store: Store, tmp_path: Path) -> None:
    now = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget(period="daily"), at("2026-01-05 10:00")) as home:
        for day in range(60):
            home.source.put(costs(f"r{day}", 85, at("2026-11-08 20:00") - day * DAY))
        home.cycle(now)
        assert len({row[0] for row in home.rows("SELECT period_start FROM alert")}) == 31


def test_holds_end_with_their_period_silently_and_audited(store: Store, tmp_path: Path) -> None:
    evening = at("2026-11-09 20:00")
    with daemon(store, tmp_path, budget(period="daily"), evening) as home:
        home.source.put(costs("r", 85, evening))
        home.cycle(evening)
        assert acknowledge(store, "one", actor="ann", via="cli", now_ms=evening, until="period").ok
        hourly(home, evening + HOUR, 8)
        assert len(told(home)) == 1
        assert home.rows("SELECT COUNT(*) FROM hold WHERE ended_ms IS NULL") == [(0,)]
        assert audited(home)[-1] == (
            "alerter", "cycle", "hold ended", "ack by ann until the period's end, Tue 10 Nov 00:00"
        )  # fmt: skip

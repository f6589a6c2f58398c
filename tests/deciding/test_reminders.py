"""Weeks of real cycles in virtual time: what is told, when, to whom and why; on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

from alerter.holds import acknowledge, unacknowledge
from alerter.metrics import Metrics
from alerter.store.engine import Store
from tests.deciding.tools import PRICES, RECEIVERS, at, budget, costs, daemon, hourly, told
from tests.truth.ledgers import HOUR, config_of


def test_reminders_come_on_working_days_at_the_same_time_over_a_clock_change(store: Store, tmp_path: Path) -> None:
    friday = at("2026-10-23 14:00")
    with daemon(store, tmp_path, budget(), friday) as home:
        home.source.put(costs("r", 110, friday))
        hourly(home, friday, 24 * 5)
        assert told(home) == [
            ("Fri 23 14:00", "a", "first", 100),
            ("Mon 26 14:00", "a", "repeat", 100),
            ("Tue 27 14:00", "a", "repeat", 100),
        ]
        home.source.put(costs("more", 20, at("2026-10-27 20:00")))
        hourly(home, at("2026-10-28 13:00"), 26)
        assert told(home)[3:] == [
            ("Wed 28 13:00", "a", "higher threshold", 125),
            ("Thu 29 13:00", "a", "repeat", 125),
        ]


def test_nobody_is_reminded_of_what_is_acknowledged_and_taken_back_it_starts_anew(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget("escalate_to: oncall"), monday) as home:
        home.source.put(costs("r", 110, monday))
        hourly(home, monday, 2)
        assert acknowledge(store, "one", actor="ann", via="cli", now_ms=monday + 2 * HOUR).ok
        hourly(home, monday + 2 * HOUR, 60)
        assert len(told(home)) == 1
        assert unacknowledge(store, "one", actor="bob", via="cli", now_ms=monday + 62 * HOUR).ok  # Thursday 0:00
        hourly(home, monday + 62 * HOUR, 26)
        assert told(home)[1:] == [("Thu 12 04:00", "oncall", "escalation", 100), ("Fri 13 00:00", "a", "repeat", 100)]


def test_escalated_once_and_the_budgets_own_receivers_are_reminded_as_before(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget("escalate_to: oncall, escalate_after: 6h"), monday) as home:
        home.source.put(costs("r", 110, monday))
        hourly(home, monday, 60)
        assert told(home) == [
            ("Mon 09 10:00", "a", "first", 100),
            ("Mon 09 16:00", "oncall", "escalation", 100),
            ("Tue 10 10:00", "a", "repeat", 100),
            ("Wed 11 10:00", "a", "repeat", 100),
        ]


def test_quiet_hours_hold_back_what_is_below_a_hundred_percent_and_nothing_else(store: Store, tmp_path: Path) -> None:
    evening = at("2026-11-09 20:00")
    keys = 'quiet_hours: {from: "20:00", to: "07:00"}, repeat_interval: never'
    with daemon(store, tmp_path, budget(keys), evening) as home:
        home.source.put(costs("r", 85, evening))
        hourly(home, evening, 10)
        assert told(home) == []
        hourly(home, evening + 10 * HOUR, 10)
        assert told(home) == [("Tue 10 07:00", "a", "first", 80)]
        home.source.put(costs("more", 20, at("2026-11-10 23:00")))
        hourly(home, at("2026-11-11 02:00"), 9)
        assert told(home)[1:] == [("Wed 11 02:00", "a", "higher threshold", 100)]


def test_observed_budgets_tell_nobody_and_then_come_as_one_message_each_receiver(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    text = budget("mode: observe", receivers="[a, b]")
    two = '  - {name: two, amount: "50", period: weekly, mode: observe}\n'
    with daemon(store, tmp_path / "before", text + two, monday) as home:
        home.source.put(costs("r", 90, monday))
        hourly(home, monday, 3)
        assert told(home) == []
        assert home.rows("SELECT DISTINCT status, reason FROM alert") == [("firing", "observed")]
        enforced = (text + two).replace("mode: observe", "mode: enforce")
        home.restart(monday + 3 * HOUR, config_of(tmp_path / "after", enforced, PRICES, RECEIVERS))
        hourly(home, monday + 3 * HOUR, 2)
        kinds = [json.loads(str(row[0]))["kind"] for row in home.rows("SELECT message FROM notification")]
        assert kinds == ["opening", "opening"]  # b has `group: false`
        assert sorted(told(home)) == [
            ("Mon 09 13:00", receiver, "opening", percent) for receiver in "ab" for percent in (80, 175)
        ]


def test_small_amounts_are_no_news_until_they_are_larger(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget('min_alert: "95"'), monday) as home:
        home.source.put(costs("r", 85, monday))
        report = home.cycle(monday)
        assert (report.fired, dict(report.decisions)) == (0, {"below min_alert": 1})
        assert dict(home.cycle(monday + 1).decisions) == {}  # a silence counts when it begins
        home.source.put(costs("s", 11, monday))
        report = home.cycle(monday + HOUR)
        assert dict(report.decisions) == {"first": 1}
        metrics = Metrics("1")
        metrics.decided(report.decisions)
        assert 'alerter_decisions_total{reason="first"} 1.0' in metrics.render().decode()
        assert told(home) == [("Mon 09 11:00", "a", "first", 80)]

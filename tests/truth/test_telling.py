"""What is put into the outbox: one message per receiver, the highest threshold named, each recorded, nothing twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alerter.alerts_shown import alerts_json
from alerter.core.usage import RunObservation
from tests.truth.ledgers import DAY, HOUR, House, config_of, house, run

NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "10"}]\n'
RECEIVERS = """
sources: [{name: main, tracking_uri: http://127.0.0.1:5000}]
receivers: [{name: a, console: {}}, {name: b, console: {}}, {name: oncall, console: {}}]
"""


def budgets(amount: str = "100", thresholds: str = "[80%, 100%]") -> str:
    return f"""
defaults: {{receivers: [a], thresholds: {thresholds}}}
budgets:
  - {{name: one, amount: "{amount}", period: monthly}}
  - {{name: two, amount: "{amount}", period: daily, receivers: [a, b]}}
"""


def alerts(home: House) -> list[tuple[object, ...]]:
    sql = (
        "SELECT b.name, a.period_start, a.percent, a.status, a.reason FROM alert a JOIN budget b ON b.id = a.budget_id"
    )
    return sorted(home.rows(sql), key=repr)


def alerts_shown(home: House) -> list[dict[str, Any]]:
    with home.services.ledger.read() as view:
        found: list[dict[str, Any]] = alerts_json(view)["alerts"]
    return found


def messages(home: House) -> list[tuple[str, dict[str, Any]]]:
    rows = home.rows("SELECT receiver, message FROM notification ORDER BY id")
    return [(str(receiver), json.loads(str(message))) for receiver, message in rows]


def told(home: House) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """(receiver, kind, [(budget, percent named), ...]) of each message."""
    return [
        (receiver, message["kind"], [(each["budget"], each["percent"]) for each in message["alerts"]])
        for receiver, message in messages(home)
    ]


def running(hours: int) -> RunObservation:
    return run("r1", "RUNNING", NOW_MS - hours * HOUR)


def test_what_is_over_at_the_first_sync_comes_as_one_opening_message_per_receiver(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    config = config_of(tmp_path, budgets(), PRICES, RECEIVERS)
    with house(config, migrated_sqlite, NOW_MS, [running(11)]) as home:
        home.source.fails_after = 1
        home.source.size = 1
        assert home.cycle(NOW_MS).evaluated is False  # half a sweep is not evaluated
        assert told(home) == []
        home.source.fails_after = None
        home.cycle(NOW_MS)
        assert told(home) == [
            ("a", "opening", [("one", 100), ("two", 100)]),
            ("b", "opening", [("two", 100)]),
        ]
        assert [(row[0], row[2]) for row in alerts(home)] == [("one", 100), ("one", 80), ("two", 100), ("two", 80)]


def test_a_jump_over_several_thresholds_is_one_message_that_names_the_highest(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    thresholds = "[50%, 80%, {at: 100%, receivers: [oncall]}]"
    config = config_of(tmp_path, budgets(thresholds=thresholds), PRICES, RECEIVERS)
    with house(config, migrated_sqlite, NOW_MS, [running(1)]) as home:
        home.cycle(NOW_MS)
        assert told(home) == []
        home.cycle(NOW_MS + 12 * HOUR - 1)  # 129.99 of 100
        assert sorted(told(home)) == [
            ("a", "alert", [("one", 125), ("two", 125)]),
            ("b", "alert", [("two", 125)]),
            ("oncall", "alert", [("one", 125), ("two", 125)]),
        ]
        assert [row[2] for row in alerts(home) if row[0] == "one"] == [100, 125, 50, 80]
        crossed = messages(home)[0][1]["alerts"][0]["crossed"]
        assert crossed == ["50%", "80%", "100%", "125%"]
        before = home.everything()
        home.cycle(NOW_MS + 12 * HOUR - 1)
        home.restart(NOW_MS + 12 * HOUR)
        home.cycle(NOW_MS + 12 * HOUR - 1)
        assert home.everything() == before


def test_a_raised_amount_repeats_nothing_and_says_why_it_resolved(tmp_path: Path, migrated_sqlite: Path) -> None:
    config = config_of(tmp_path / "before", budgets(), PRICES, RECEIVERS)
    raised = config_of(tmp_path / "after", budgets("110"), PRICES, RECEIVERS)
    ended = run("r1", "FINISHED", NOW_MS - 11 * HOUR, NOW_MS - HOUR)
    with house(config, migrated_sqlite, NOW_MS, [ended]) as home:
        home.cycle(NOW_MS)
        sent = told(home)
        home.restart(NOW_MS, raised)
        assert home.cycle(NOW_MS + 1).fired == 0
        assert told(home) == sent
        why = "amount raised to $110, 90.9 % of it used"
        assert {row[2:] for row in alerts(home)} == {(80, "firing", "opening"), (100, "resolved", why)}
        shown = {each["threshold"]: each["reason"] for each in alerts_shown(home)}
        assert shown == {80: "opening", 100: "resolved: raised"}


def test_what_fell_below_says_so_and_is_told_again_when_it_is_crossed_again(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    config = config_of(tmp_path, budgets(), PRICES, RECEIVERS)
    with house(config, migrated_sqlite, NOW_MS, [run("r1", "FINISHED", NOW_MS - 9 * HOUR, NOW_MS)]) as home:
        home.cycle(NOW_MS)
        home.source.put(run("r1", "FINISHED", NOW_MS - 9 * HOUR, NOW_MS - 4 * HOUR))
        assert home.cycle(NOW_MS + 1).fired == 0
        assert {row[3:] for row in alerts(home)} == {("resolved", "corrected: -$40.00 (times changed)")}
        home.source.put(run("r2", "FINISHED", NOW_MS - 9 * HOUR, NOW_MS - 5 * HOUR))
        assert home.cycle(NOW_MS + 2).fired == 2
        assert {row[3:] for row in alerts(home)} == {("firing", "reopened")}
        assert len(alerts(home)) == 2
        assert len(told(home)) == 4


def test_a_period_that_ended_is_judged_by_its_own_last_amount(tmp_path: Path, migrated_sqlite: Path) -> None:
    dated = """
budgets:
  - name: one
    period: daily
    receivers: [console]
    amounts: [{from: 2026-01-01, amount: "200"}, {from: 2026-11-24, amount: "10"}]
"""
    midnight = NOW_MS + 12 * HOUR
    with house(config_of(tmp_path, dated, PRICES), migrated_sqlite, NOW_MS, [running(2)]) as home:
        home.source.put(run("r1", "FINISHED", NOW_MS - 2 * HOUR, NOW_MS - HOUR))
        home.cycle(midnight - HOUR)
        home.cycle(midnight + HOUR)
        assert alerts(home) == []


def test_a_closed_period_resolves_silently_and_a_new_one_tells_again(tmp_path: Path, migrated_sqlite: Path) -> None:
    with house(config_of(tmp_path, budgets(), PRICES, RECEIVERS), migrated_sqlite, NOW_MS, [running(9)]) as home:
        home.cycle(NOW_MS)
        home.source.put(replace(running(9), last_metric_ms=NOW_MS + DAY))
        home.cycle(NOW_MS + DAY)
        two = [row[1:] for row in alerts(home) if row[0] == "two" and row[2] == 80]
        assert two == [
            ("2026-11-23", 80, "resolved", "period closed at $210"),
            ("2026-11-24", 80, "firing", "first"),
        ]

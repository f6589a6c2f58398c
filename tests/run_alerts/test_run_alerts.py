"""A single run that passes its limit, on the real cycle, in virtual time, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerter.alerts_shown import alert_views, alerts_json
from alerter.core.alerts import Alert, AlertStatus, Message, MessageKind
from alerter.core.budgets import Basis
from alerter.core.usage import RunObservation
from alerter.holds import acknowledge, snooze
from alerter.store.engine import Store
from alerter.store.messages import decode
from tests.truth.ledgers import HOUR, MINUTE, FakeSource, House, config_of, run, services_of

BUDGETS = """
defaults: {timezone: UTC, period: monthly, receivers: [console], per_run: "20"}
budgets:
  - {name: all, amount: "1000"}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "m5.*"}, per_instance_hour: "2"}]\n'


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> int:
    return round(datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def made(store: Store, tmp_path: Path) -> House:
    config = config_of(tmp_path / "config", BUDGETS, PRICES)
    source = FakeSource()
    house = House(config, store, source, services_of(config, store, source, at(18)))
    house.cycle(at(18))
    return house


def changed(made: House, folder: Path, budgets: str, now_ms: int) -> None:
    made.restart(now_ms, config_of(folder / "changed", budgets, PRICES))


def messages(made: House) -> list[Message]:
    return [decode(str(text)) for (text,) in made.rows("SELECT message FROM notification ORDER BY id")]


def told(made: House) -> list[Alert]:
    """Every alert of a single run that was told, oldest first."""
    return [each for message in messages(made) for each in message.alerts if each.basis is Basis.RUN]


def rows(made: House) -> list[tuple[object, ...]]:
    return made.rows("SELECT subject, status, reason FROM alert WHERE subject <> '' ORDER BY id")


def reasons(made: House) -> list[object]:
    """Why each run's alert is as it is, as `alerts --json` says."""
    with made.services.ledger.read() as view:
        return [each["reason"] for each in alerts_json(view)["alerts"] if each["run"]]


def live(uuid: str, start_ms: int, now_ms: int) -> RunObservation:
    """A run that still logs metrics."""
    return run(uuid, "RUNNING", start_ms, alive_ms=now_ms)


def walk(made: House, uuid: str, start_ms: int, *times: int) -> None:
    """Poll a living run."""
    for now_ms in times:
        made.source.put(live(uuid, start_ms, now_ms))
        made.cycle(now_ms)


@pytest.mark.parametrize("status", ["RUNNING", "FINISHED"])
def test_a_run_that_logged_its_own_cost_is_told_as_such(made: House, status: str) -> None:
    end_ms = at(18, 2) if status == "FINISHED" else None
    seen = run("dear", status, at(18, 1), end_ms, usage={"instance_type": "m5.large"})
    made.source.put(replace(seen, costs=(("metric.cost_usd", "21"),)))
    made.cycle(at(18, 3))
    (alert,) = told(made)
    assert (alert.spent_nanos, alert.top[0].machine) == (21 * 10**9, "m5.large (cost logged by the run)")


def test_a_run_is_told_once_while_it_runs_with_its_cost_and_burn(made: House) -> None:
    walk(made, "trial", at(18, 1), *range(at(18, 1), at(19, 1), HOUR))
    (alert,) = told(made)
    assert (alert.spent_nanos, alert.amount_nanos, alert.reason) == (20 * 10**9, 20 * 10**9, "first")
    assert (alert.top[0].name, alert.top[0].running, alert.top[0].per_hour_nanos) == ("name of trial", True, 2 * 10**9)
    assert (alert.budget_spent_nanos, alert.budget_amount_nanos) == (20 * 10**9, 1000 * 10**9)
    assert rows(made) == [("trial", "firing", "first")]


def test_the_whole_run_counts_and_is_told_in_one_period_only(made: House) -> None:
    start = at(30, 19)  # 5 h in November, the rest in December
    walk(made, "long", start, *range(start, at(3, month=12), HOUR))
    (alert,) = told(made)
    assert (alert.period, alert.spent_nanos) == ("December", 20 * 10**9)
    walk(made, "long", start, at(1, month=12) + 31 * 24 * HOUR, at(2, 1, month=12) + 31 * 24 * HOUR)
    assert rows(made) == [("long", "resolved", "period closed")]
    assert len(told(made)) == 1


def test_what_it_passed_in_its_last_minutes_is_told_too(made: House) -> None:
    walk(made, "short", at(18, 1), at(18, 10))
    made.source.put(run("short", "FINISHED", at(18, 1), at(18, 11, 30)))
    made.cycle(at(18, 12))
    assert [(each.top[0].running, each.spent_nanos) for each in told(made)] == [(False, 21 * 10**9)]


def test_a_run_that_began_and_ended_in_a_downtime_is_told(made: House) -> None:
    made.source.put(run("unseen", "FINISHED", at(18, 1), at(18, 12)), run("cheap", "FINISHED", at(18, 1), at(18, 2)))
    made.cycle(at(19))
    assert [each.top[0].run_uuid for each in told(made)] == ["unseen"]
    assert made.rows("SELECT * FROM ended_run") == []


def test_ended_runs_of_a_first_sync_and_late_edits_of_them_tell_nothing(store: Store, tmp_path: Path) -> None:
    config, source = config_of(tmp_path / "config", BUDGETS, PRICES), FakeSource()
    house = House(config, store, source, services_of(config, store, source, at(18)))
    source.put(*(run(f"old-{each}", "FINISHED", at(2), at(3)) for each in range(30)), live("new", at(17), at(18)))
    house.cycle(at(18))
    (opening,) = messages(house)
    assert opening.kind is MessageKind.OPENING
    assert sorted(each.basis for each in opening.alerts) == ["actual", "run"]
    assert [(each.top[0].run_uuid, each.reason) for each in told(house)] == [("new", "opening")]
    source.put(*(run(f"old-{each}", "FINISHED", at(2), at(3), tags={"team": "nlp"}) for each in range(30)))
    house.cycle(at(18, 1))
    assert len(messages(house)) == 1


def test_several_runs_of_one_cycle_are_one_message(made: House) -> None:
    for each in range(3):
        made.source.put(live(f"trial-{each}", at(18, 1), at(18, 12)))
    made.cycle(at(18, 12))
    (message,) = messages(made)
    assert len(message.alerts) == 3


def test_a_raised_limit_resolves_and_the_next_crossing_is_news(made: House, tmp_path: Path) -> None:
    walk(made, "trial", at(18, 1), at(18, 11))
    changed(made, tmp_path, BUDGETS.replace('"20"', '"40"'), at(18, 12))
    walk(made, "trial", at(18, 1), at(18, 12))
    assert rows(made) == [("trial", "resolved", "limit raised to $40.00 a run")]
    assert reasons(made) == ["resolved: raised"]
    walk(made, "trial", at(18, 1), at(18, 20), at(18, 21), at(18, 22))
    assert [(each.reason, each.amount_nanos // 10**9) for each in told(made)] == [("first", 20), ("reopened", 40)]
    assert len({each.id for each in told(made)}) == 1
    changed(made, tmp_path, BUDGETS.replace(', per_run: "20"', ""), at(18, 22))
    walk(made, "trial", at(18, 1), at(18, 23))
    assert rows(made) == [("trial", "resolved", "limit removed")]
    assert reasons(made) == ["resolved: raised"]


def test_its_decisions_are_counted_with_the_others(made: House, tmp_path: Path) -> None:
    made.source.put(live("trial", at(18, 1), at(18, 12)))
    assert dict(made.cycle(at(18, 12)).decisions) == {"first": 1}
    assert dict(made.cycle(at(18, 12, 1)).decisions) == {}
    made.restart(at(18, 13), config_of(tmp_path / "raised", BUDGETS.replace('"20"', '"40"'), PRICES))
    assert dict(made.cycle(at(18, 13)).decisions) == {"resolved: raised": 1}


def test_its_acknowledgement_hides_no_threshold_and_the_budgets_hides_no_run(made: House, tmp_path: Path) -> None:
    changed(made, tmp_path, BUDGETS.replace('"1000"', '"30"'), at(18))
    walk(made, "trial", at(18, 1), at(18, 11))
    (alert,) = told(made)
    done = acknowledge(made.store, alert.id, actor="ana", via="cli", now_ms=at(18, 11))
    assert (done.ok, done.text.rpartition(" is ")[2]) == (True, "acknowledged by ana")
    walk(made, "trial", at(18, 1), at(18, 13, 30))
    assert [each.basis.value for message in messages(made) for each in message.alerts] == ["run", "actual"]
    with made.services.ledger.read() as view:
        states = {each.basis: (each.status, each.acknowledged_by) for each in alert_views(view)}
    assert states[Basis.RUN] == (AlertStatus.ACKNOWLEDGED, "ana")
    assert states[Basis.ACTUAL] == (AlertStatus.FIRING, "")
    assert acknowledge(made.store, "all", actor="bob", via="cli", now_ms=at(18, 14)).ok
    made.source.put(live("other", at(18, 4), at(18, 15)))
    made.cycle(at(18, 15))
    assert [each.top[0].run_uuid for each in told(made)] == ["trial", "other"]


@pytest.mark.parametrize(("rules", "reason"), [("mode: observe", ("observed", 0)), ('min_alert: "30"', ("first", 1))])
def test_observe_tells_nobody_and_min_alert_waits(
    made: House, tmp_path: Path, rules: str, reason: tuple[str, int]
) -> None:
    changed(made, tmp_path, BUDGETS.replace("per_run", f"{rules}, per_run"), at(18))
    walk(made, "trial", at(18, 1), at(18, 12), at(18, 13))
    assert told(made) == []
    walk(made, "trial", at(18, 1), at(18, 16), at(18, 17))
    assert (rows(made)[0][2], len(told(made))) == reason


def test_a_snooze_that_ends_while_the_run_goes_on_is_told_once_more(made: House) -> None:
    walk(made, "trial", at(18, 1), at(18, 12))
    (alert,) = told(made)
    done = snooze(made.store, alert.id, actor="ana", via="slack", now_ms=at(18, 12), until="2h")
    assert (done.ok, done.text.rpartition(", ")[2]) == (True, "quiet until Wed 18 Nov 14:00")
    walk(made, "trial", at(18, 1), at(18, 13), at(18, 14), at(18, 15), at(18, 16))
    assert [(each.reason, each.spent_nanos // 10**9) for each in told(made)] == [("first", 22), ("snooze ended", 26)]
    assert {each.id for each in told(made)} == {alert.id}
    assert reasons(made) == ["snooze ended"]
    audited = made.rows("SELECT actor, action, detail FROM audit ORDER BY id")
    assert audited[1:] == [("alerter", "snooze ended", "snooze by ana until Wed 18 Nov 14:00")]


def test_an_acknowledgement_until_so_much_more_is_spent_ends_there(made: House) -> None:
    walk(made, "trial", at(18, 1), at(18, 12))
    (alert,) = told(made)
    assert acknowledge(made.store, alert.id, actor="ana", via="cli", now_ms=at(18, 12), until="+$5").ok
    walk(made, "trial", at(18, 1), at(18, 14), at(18, 15), at(18, 16))
    assert [(each.reason, each.spent_nanos // 10**9) for each in told(made)] == [("first", 22), ("hold ended", 28)]
    acknowledge(made.store, alert.id, actor="ana", via="cli", now_ms=at(18, 16))
    walk(made, "trial", at(18, 1), at(19), at(20))
    assert len(told(made)) == 2


def test_a_snooze_of_a_run_that_ended_meanwhile_ends_silently(made: House) -> None:
    walk(made, "trial", at(18, 1), at(18, 12))
    (alert,) = told(made)
    assert snooze(made.store, alert.id, actor="ana", via="cli", now_ms=at(18, 12), until="2h").ok
    made.source.put(run("trial", "FINISHED", at(18, 1), at(18, 13)))
    for hour in (13, 14, 15):
        made.cycle(at(18, hour))
    assert len(told(made)) == 1
    assert [row[0] for row in made.rows("SELECT action FROM audit ORDER BY id")] == ["snooze", "snooze ended"]
    with made.services.ledger.read() as view:
        assert [each.status for each in alert_views(view)] == [AlertStatus.FIRING]


def test_what_was_observed_is_told_as_one_opening_message_when_that_ends(made: House, tmp_path: Path) -> None:
    changed(made, tmp_path, BUDGETS.replace("per_run", "mode: observe, per_run"), at(18))
    made.source.put(live("going", at(18, 1), at(18, 13)), run("ended", "FINISHED", at(18), at(18, 12)))
    made.cycle(at(18, 13))
    assert {row[1:] for row in rows(made)} == {("firing", "observed")}
    changed(made, tmp_path, BUDGETS, at(18, 14))
    for minute in range(3):
        made.source.put(live("going", at(18, 1), at(18, 14, minute)))
        made.cycle(at(18, 14, minute))
    (message,) = messages(made)
    assert message.kind is MessageKind.OPENING
    assert {each.top[0].run_uuid for each in message.alerts} == {"going", "ended"}
    assert {row[1:] for row in rows(made)} == {("firing", "opening")}


def test_a_rolling_budget_tells_a_run_once_too(made: House, tmp_path: Path) -> None:
    changed(made, tmp_path, BUDGETS.replace("period: monthly", "period: {rolling_days: 3}"), at(18))
    walk(made, "trial", at(18, 1), *range(at(18, 1), at(24), 6 * HOUR))
    assert len(told(made)) == 1
    assert rows(made) == [("trial", "resolved", "period closed")]


def test_scripts_see_which_run_it_is(made: House) -> None:
    walk(made, "trial", at(18, 1), at(18, 12), at(18, 12, 5) + MINUTE)
    with made.services.ledger.read() as view:
        (found,) = alerts_json(view)["alerts"]
    assert (found["basis"], found["threshold"], found["amount"], found["spent"]) == ("run", 100, "20.00", "22.00")
    assert found["run"] == "trial"
    with made.services.ledger.read() as view:
        (shown,) = alert_views(view)
    assert (shown.title, shown.crossed) == ("all · name of trial", "limit of a run")

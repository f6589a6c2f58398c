"""Acknowledge and take back, by any name, once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from alerter.core.alerts import AlertState, AlertStatus
from alerter.core.budgets import Basis
from alerter.holds import record_refusal
from alerter.store.alerts import put_alert
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.holds import hold_in_force
from alerter.store.outbox import claim, claim_updates
from alerter.store.outcomes import mark_sent
from tests.fixtures.rows import NOW_MS, add_alert, add_notification, reload
from tests.holds.tools import MINUTE, NLP, VISION, ack, audited, resolve, state, unack


def test_by_its_id_in_any_case(store: Store) -> None:
    alert = add_alert(store)
    outcome = ack(store, f"  {alert.public_id.lower()} ", note="on it")
    assert outcome.ok
    assert outcome.code == "acknowledged"
    assert outcome.text == (
        f"fraud-detection ({alert.public_id}) is acknowledged by ann, quiet until the next threshold"
    )
    assert outcome.alert_ids == (alert.public_id,)
    assert state(store, alert) == AlertState(
        AlertStatus.ACKNOWLEDGED, by="ann", at_ms=NOW_MS, until="the next threshold", note="on it", covers=80, via="cli"
    )
    assert audited(store) == [
        (
            "ann",
            "cli",
            "ack",
            alert.public_id.lower(),
            f"acknowledged {alert.public_id} until the next threshold -- on it",
        )
    ]


@pytest.mark.parametrize(
    "reference", ["every-team/vision", "EVERY-TEAM/Vision", "vision", "Vision", "every-team", " vision "]
)
def test_by_its_budget_or_its_scope(store: Store, reference: str) -> None:
    alert = add_alert(store, "every-team", VISION)
    assert ack(store, reference).alert_ids == (alert.public_id,)
    assert state(store, alert).status is AlertStatus.ACKNOWLEDGED


def test_twice_says_who_did_and_when_in_the_budgets_zone(store: Store) -> None:
    alert = add_alert(store)
    ack(store, "fraud-detection", "ann")
    again = ack(store, "fraud-detection", "bob", now_ms=NOW_MS + MINUTE)
    assert (again.ok, again.code) == (True, "already")
    assert again.text == f"fraud-detection ({alert.public_id}) is already acknowledged by ann at 14:05"
    tomorrow = ack(store, "fraud-detection", "bob", now_ms=NOW_MS + 1440 * MINUTE)
    assert tomorrow.text.endswith("by ann at Mon 23 Nov 14:05")
    assert state(store, alert).by == "ann"
    assert [each[4].split()[0] for each in audited(store)] == ["acknowledged", "already", "already"]


def test_two_people_at_once_one_wins_and_the_other_is_told(store: Store) -> None:
    for number in range(6):
        alert = add_alert(store, f"budget-{number}")
        people = ("ann", "bob", "cem")
        with ThreadPoolExecutor(3) as pool:
            outcomes = list(pool.map(lambda who, alert=alert: ack(store, alert.public_id, who), people))
        by_code = sorted(each.code for each in outcomes)
        assert by_code == ["acknowledged", "already", "already"]
        winner = state(store, alert).by
        assert all(f"by {winner}" in each.text for each in outcomes)
        with store.read() as connection:
            held = query(connection, "SELECT COUNT(*) FROM hold WHERE budget_id = ?", alert.budget_id).scalar()
        assert held == 1


def test_a_higher_threshold_fires_through_it_and_can_be_acknowledged_next(store: Store) -> None:
    low = add_alert(store, percent=80)
    ack(store, "fraud-detection", "ann")
    high = add_alert(store, percent=100)
    assert state(store, high) == AlertState()
    assert state(store, low).by == "ann"
    outcome = ack(store, low.public_id, "bob")  # the button on the older message
    assert (outcome.code, outcome.alert_ids) == ("acknowledged", (low.public_id, high.public_id))
    assert state(store, high).by == "bob"
    assert state(store, low).by == "bob"


def test_an_acknowledged_forecast_does_not_silence_what_is_spent(store: Store) -> None:
    expected = add_alert(store, percent=100, basis=Basis.FORECAST)
    ack(store, "fraud-detection")
    spent = add_alert(store, percent=80)
    assert state(store, expected).status is AlertStatus.ACKNOWLEDGED
    assert state(store, spent).status is AlertStatus.FIRING


def test_one_that_fires_again_stays_acknowledged(store: Store) -> None:
    alert = add_alert(store)
    ack(store, alert.public_id)
    resolve(store, alert)
    assert state(store, alert) == AlertState(AlertStatus.RESOLVED, at_ms=NOW_MS - MINUTE, note="the amount was raised")
    with store.write() as connection:
        put_alert(connection, reload(store, alert))
    assert state(store, alert).status is AlertStatus.ACKNOWLEDGED


def test_a_resolved_one_is_left_as_it_is(store: Store) -> None:
    alert = add_alert(store)
    resolve(store, alert)
    by_id, by_name = ack(store, alert.public_id), ack(store, "fraud-detection")
    assert (by_id.ok, by_id.code) == (False, "resolved")
    assert by_id.text == (
        f"{alert.public_id} (fraud-detection) is resolved, Mon 23 Nov 14:04: there is nothing to acknowledge"
    )
    assert (by_name.ok, by_name.code) == (False, "quiet")
    assert [each[4].split()[0] for each in audited(store)] == ["resolved", "quiet"]


@pytest.mark.parametrize("verb", [ack, unack])
def test_a_closed_period_is_left_as_it_is(store: Store, verb: type) -> None:
    alert = add_alert(store, period=("2026-10-01", "2026-11-01"))
    for reference in (alert.public_id, "fraud-detection"):
        outcome = verb(store, reference)
        assert (outcome.ok, outcome.code) == (False, "closed")
        assert outcome.text == "fraud-detection: its period ended on 2026-10-31, so nothing was changed"
    assert state(store, alert) == AlertState()
    midnight_in_berlin_ms = 1_793_487_600_000
    assert ack(store, alert.public_id, now_ms=midnight_in_berlin_ms).code == "closed"
    assert ack(store, alert.public_id, now_ms=midnight_in_berlin_ms - 1).code == "acknowledged"


def test_a_name_means_the_latest_period_and_a_rolling_one_is_never_closed(store: Store) -> None:
    add_alert(store, period=("2026-10-01", "2026-11-01"))
    new = add_alert(store, period=("2026-11-01", "9999-12-31"))
    assert ack(store, "fraud-detection").alert_ids == (new.public_id,)


def test_what_could_be_several_is_asked_back(store: Store) -> None:
    vision, nlp = add_alert(store, "every-team", VISION), add_alert(store, "every-team", NLP)
    other = add_alert(store, "gpu", VISION)
    several = ack(store, "every-team")
    assert (several.ok, several.code) == (False, "ambiguous")
    assert several.text == (
        f"every-team could be every-team/vision ({vision.public_id}), every-team/nlp ({nlp.public_id}): "
        "name one of them"
    )
    assert ack(store, "vision").code == "ambiguous"
    assert ack(store, "nlp").alert_ids == (nlp.public_id,)
    resolve(store, other)
    assert ack(store, "vision").alert_ids == (vision.public_id,)


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("fraud-detektion", "did you mean fraud-detection?"),
        ("visoin", "did you mean every-team/vision?"),
        ("xyzzy", "`status` lists the budgets"),
        ("", "Name an alert such as A-7F3K"),
        ("A-\x00ZZZ", "No alert and no budget is called A- ZZZ"),
        ("\ud800", "Name an alert"),
        ("x" * 10_000, "No alert and no budget"),
        ("'; DROP TABLE alert; --", "No alert and no budget"),
    ],
)
def test_an_unknown_one_gets_a_hint_and_is_audited(store: Store, reference: str, hint: str) -> None:
    add_alert(store)
    add_alert(store, "every-team", VISION)
    outcome = ack(store, reference)
    assert (outcome.ok, outcome.code) == (False, "unknown")
    assert hint in outcome.text
    assert len(outcome.text) < 300
    assert len(audited(store)) == 1


@pytest.mark.parametrize("value", ["a/b", "  two  spaces", "<!channel> & \N{PARTY POPPER}", "line\nbreak", "ünïcode"])
def test_odd_names_are_found_as_they_are_and_as_they_are_shown(store: Store, value: str) -> None:
    alert = add_alert(store, "every-team", (("team", value),))
    shown = ack(store, value).text
    assert alert.public_id in shown
    assert "\n" not in shown
    label = shown.partition(f" ({alert.public_id}")[0]
    assert ack(store, label).code == "already"


def test_a_long_note_is_cut_and_becomes_one_line(store: Store) -> None:
    alert = add_alert(store)
    ack(store, alert.public_id, note="line\nbreak " + "x" * 600)
    note = state(store, alert).note
    assert note.startswith("line break xxx")
    assert (len(note), note[-1]) == (500, "…")


def test_taken_back_and_taken_back_again(store: Store) -> None:
    alert = add_alert(store)
    ack(store, alert.public_id, "ann")
    outcome = unack(store, alert.public_id, "bob")
    assert (outcome.ok, outcome.code) == (True, "unacknowledged")
    assert outcome.text == (f"fraud-detection ({alert.public_id}) is no longer acknowledged; ann had acknowledged it")
    assert state(store, alert) == AlertState()
    assert unack(store, alert.public_id).code == "not_acknowledged"
    assert ack(store, alert.public_id, "cem").code == "acknowledged"
    with store.read() as connection:
        hold = hold_in_force(connection, alert.budget_id, alert.scope_id, alert.period_start)
    assert hold is not None
    assert hold.actor == "cem"
    assert [each[2] for each in audited(store)] == ["ack", "unack", "unack", "ack"]


def test_the_alerts_messages_are_updated_once_a_change(store: Store) -> None:
    alert, other = add_alert(store), add_alert(store, "other")
    add_notification(store, "k", alert)
    add_notification(store, "o", other, channel="#other")
    with store.write() as connection:
        for claimed in claim(connection, owner="me", now_ms=NOW_MS, limit=9, kind="slack"):
            mark_sent(connection, claimed, reference={}, now_ms=NOW_MS)
    ack(store, alert.public_id)
    ack(store, alert.public_id)  # nothing new to show
    ack(store, "nonsense")
    with store.write() as connection:
        due = claim_updates(connection, owner="me", now_ms=NOW_MS, limit=9, kind="slack")
    assert [(each.key, each.wanted) for each in due] == [("k", 1)]


def test_a_refusal_at_the_door_is_audited(store: Store) -> None:
    record_refusal(store, actor="eve", via="slack", what="ack A-7F3K\n", now_ms=NOW_MS)
    assert audited(store) == [("eve", "slack", "refused", "ack A-7F3K", "")]

"""Until when a hold lasts, and whose word holds."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from alerter.core.alerts import AlertState, AlertStatus
from alerter.holds import Outcome, acknowledge, snooze
from alerter.store.alerts import StoredAlert
from alerter.store.engine import Store
from tests.fixtures.rows import NOW_MS, add_alert
from tests.holds.tools import ack, audited, state, unack


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("whenever", "until whenever is no end of a hold: write 100%, +$500"),
        ("80%", "80 % has been reached already"),
        ("$0.000000008", "$0.0000000080 is spent already"),
        ("900", "until 900 has no unit: write $900, 900%, 900h or 900d"),
        ("€900", "this budget is in USD"),
        ("2026-11-01", "until 2026-11-01 is not in the future: it is Mon 23 Nov 14:05 (Europe/Berlin)"),
    ],
)
def test_an_end_that_is_none_is_refused_in_words(store: Store, until: str, words: str) -> None:
    alert = add_alert(store)
    outcome = acknowledge(store, alert.public_id, actor="ann", via="slack", now_ms=NOW_MS, until=until)
    assert (outcome.ok, outcome.code) == (False, "unsupported")
    assert words in outcome.text
    assert state(store, alert) == AlertState()
    assert len(audited(store)) == 1


@pytest.mark.parametrize(
    ("until", "shown", "covers"),
    [
        ("100%", "100 %", 99),
        ("+$500", "$500 is spent", 80),
        ("$1,200", "$1,200 is spent", 80),
        ("2026-12-01", "Tue 1 Dec 00:00", 80),
        ("2026-11-24 16:00", "Tue 24 Nov 16:00", 80),
        ("16:00", "Mon 23 Nov 16:00", 80),
        ("3d", "Thu 26 Nov 14:05", 80),
        ("period", "the period's end, Tue 1 Dec 00:00", 80),
    ],
)
def test_another_end_is_said_shown_and_audited(store: Store, until: str, shown: str, covers: int) -> None:
    alert = add_alert(store)
    outcome = acknowledge(store, alert.public_id, actor="ann", via="slack", now_ms=NOW_MS, until=until)
    assert outcome.text.endswith(f"is acknowledged by ann, quiet until {shown}")
    known = state(store, alert)
    assert (known.status, known.until, known.covers) == (AlertStatus.ACKNOWLEDGED, shown, covers)
    assert audited(store)[0][4] == f"acknowledged {alert.public_id} until {shown}"


def test_a_snooze_lasts_for_a_time_and_nothing_else(store: Store) -> None:
    alert = add_alert(store)
    for until in ("100%", "+$5", "next", ""):
        refused = snooze(store, alert.public_id, actor="ann", via="slack", now_ms=NOW_MS, until=until)
        assert (refused.ok, refused.code) == (False, "unsupported")
        assert "a snooze lasts for a time: 2h, 3d" in refused.text
    outcome = snooze(store, alert.public_id, actor="ann", via="slack", now_ms=NOW_MS, until="2h", note="lunch")
    assert outcome.text == f"fraud-detection ({alert.public_id}) is snoozed by ann, quiet until Mon 23 Nov 16:05"
    assert state(store, alert).status is AlertStatus.SNOOZED
    detail = f"snoozed {alert.public_id} until Mon 23 Nov 16:05 -- lunch"
    assert audited(store)[-1] == ("ann", "slack", "snooze", alert.public_id, detail)
    assert unack(store, alert.public_id, "bob").text == (
        f"fraud-detection ({alert.public_id}) is no longer snoozed; ann had snoozed it"
    )


def test_a_rolling_budget_has_no_end_of_its_period(store: Store) -> None:
    alert = add_alert(store, period=("2026-11-01", "9999-12-31"))
    outcome = snooze(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS, until="period")
    assert outcome.text == "a rolling budget's period has no end: write a date, or a time such as 3d"


def test_of_two_who_snooze_and_acknowledge_at_once_both_know_whose_word_holds(store: Store) -> None:
    def asked(number: int, alert: StoredAlert) -> Outcome:
        who, via = f"person-{number}", "cli"
        if number % 2:
            return ack(store, alert.public_id, who)
        return snooze(store, alert.public_id, actor=who, via=via, now_ms=NOW_MS, until="1h")

    for number in range(4):
        alert = add_alert(store, f"budget-{number}")
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda each, alert=alert: asked(each, alert), range(4)))
        assert all(each.ok for each in outcomes)
        held = state(store, alert)
        assert held.status is AlertStatus.ACKNOWLEDGED  # it takes a snooze's place, never the other way round
        told = [each.text for each in outcomes if each.code == "already"]
        assert len(told) >= 2
        assert all("is already acknowledged by person-" in each or "is already snoozed by" in each for each in told)


def test_ones_own_hold_can_be_changed_and_anothers_only_taken_back(store: Store) -> None:
    alert = add_alert(store)
    snooze(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS, until="1h")
    longer = snooze(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS, until="3h")
    assert (longer.code, state(store, alert).until) == ("snoozed", "Mon 23 Nov 17:05")
    other = snooze(store, alert.public_id, actor="bob", via="cli", now_ms=NOW_MS, until="9h")
    assert other.text.endswith("is already snoozed by ann at 14:05, until Mon 23 Nov 17:05")
    taken = ack(store, alert.public_id, "bob")
    assert taken.text.endswith("is acknowledged by bob in place of the snooze by ann, quiet until the next threshold")
    late = snooze(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS, until="1h")
    assert late.text.endswith("is already acknowledged by bob at 14:05")


@pytest.mark.parametrize("until", [None, "", "the next threshold", "Next"])
def test_the_default_until_may_be_said(store: Store, until: str | None) -> None:
    alert = add_alert(store)
    assert acknowledge(store, alert.public_id, actor="a", via="slack", now_ms=NOW_MS, until=until).ok

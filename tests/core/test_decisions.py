"""Whether an episode is told, and why: a table of every reason, and what holds for any sequence of days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from alerter.core.budgets import Basis
from alerter.core.decisions import REMINDERS, Decision, HoldTerms, Reason, Situation, Told, decide
from alerter.core.rules import AlertRules, Mode, QuietHours

HOUR = 3_600_000
DAY = 24 * HOUR
NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000  # a Monday
NIGHT = NOON + 10 * HOUR
QUIET = AlertRules(quiet_hours=QuietHours(time(20), time(7)))
ESCALATES = AlertRules(escalate_to="oncall")
ACK_80 = HoldTerms(percent=80)
TOLD_80 = Told(actual=80, told_ms=NOON - HOUR, tellings=1)
TOLD_100 = Told(actual=100, told_ms=NOON - HOUR, over_ms=NOON - HOUR, tellings=1)


def situation(**changes: Any) -> Situation:  # noqa: ANN401 - of any field
    """80 % of 1,000 is spent and nobody was told."""
    usual = Situation(NOON, "UTC", AlertRules(), Told(), actual=80, forecast=0, spent=800, amount=1000)
    return replace(usual, **changes)


def at_100(**changes: Any) -> Situation:  # noqa: ANN401
    return situation(**{"actual": 100, "spent": 1000, **changes})


CASES: list[tuple[str, Situation, Reason, bool]] = [
    # news
    ("first", situation(), Reason.FIRST, True),
    ("first of a forecast", situation(actual=0, forecast=100, spent=10), Reason.FIRST, True),
    ("opening", situation(opening=True), Reason.OPENING, True),
    ("higher", at_100(told=TOLD_80), Reason.HIGHER, True),
    ("spent after forecast", situation(told=Told(forecast=100, told_ms=1), forecast=100), Reason.HIGHER, True),
    ("forecast after spent", situation(told=TOLD_80, forecast=100), Reason.HIGHER, True),
    ("expected, and known to be spent", at_100(told=TOLD_100, forecast=100), Reason.NOTHING_NEW, False),
    ("reopened", situation(told=Told(told_ms=1, tellings=1)), Reason.REOPENED, True),
    ("after observing", situation(told=Told(silence=Reason.OBSERVED)), Reason.OPENING, True),
    ("after observing, more", at_100(told=replace(TOLD_80, silence=Reason.OBSERVED)), Reason.OPENING, True),
    ("after observing, nothing", situation(told=replace(TOLD_80, silence=Reason.OBSERVED)), Reason.NOTHING_NEW, False),
    ("known", situation(told=TOLD_80), Reason.NOTHING_NEW, False),
    ("never fired", situation(actual=0, spent=0), Reason.NOTHING_NEW, False),
    # resolved
    ("raised", situation(actual=0, told=TOLD_80, resolved=Reason.RAISED), Reason.RAISED, False),
    ("corrected", situation(actual=0, told=TOLD_80, resolved=Reason.CORRECTED), Reason.CORRECTED, False),
    ("partly resolved", situation(told=TOLD_100, resolved=Reason.RAISED), Reason.RAISED, False),
    ("closed", situation(actual=0, told=TOLD_80, resolved=Reason.CLOSED, closed=True), Reason.CLOSED, False),
    # silences
    ("observed", at_100(rules=AlertRules(mode=Mode.OBSERVE)), Reason.OBSERVED, False),
    ("small", situation(rules=AlertRules(min_alert_nanos=801)), Reason.BELOW_MIN, False),
    ("just large enough", situation(rules=AlertRules(min_alert_nanos=800)), Reason.FIRST, True),
    (
        "small, but a large forecast",
        situation(actual=0, forecast=100, spent=1, expected=1000, rules=AlertRules(min_alert_nanos=900)),
        Reason.FIRST,
        True,
    ),
    ("at night", situation(now_ms=NIGHT, rules=QUIET), Reason.QUIET_HOURS, False),
    ("over 100 % at night", at_100(now_ms=NIGHT, rules=QUIET), Reason.FIRST, True),
    ("by day", situation(rules=QUIET), Reason.FIRST, True),
    ("what the night held back", situation(told=Told(silence=Reason.QUIET_HOURS), rules=QUIET), Reason.FIRST, True),
    # holds
    ("held", situation(told=TOLD_80, hold=ACK_80), Reason.HELD, False),
    ("a hold over what nobody was told", situation(hold=ACK_80), Reason.HELD, False),
    ("a higher one than what is held", at_100(told=TOLD_80, hold=ACK_80), Reason.HIGHER, True),
    ("a forecast that is not held", situation(told=TOLD_80, forecast=100, hold=ACK_80), Reason.HIGHER, True),
    (
        "until 100 %, at 90 %",
        situation(actual=90, spent=900, told=TOLD_80, hold=HoldTerms(percent=99, until_percent=100)),
        Reason.HELD,
        False,
    ),
    (
        "until 100 %, at 100 %",
        at_100(told=TOLD_80, hold=HoldTerms(percent=99, until_percent=100)),
        Reason.HIGHER,
        True,
    ),
    (
        "until 85 %, which is no threshold",
        situation(spent=850, told=TOLD_80, hold=HoldTerms(percent=84, until_percent=85)),
        Reason.HOLD_ENDED,
        True,
    ),
    ("until $900, not yet", situation(told=TOLD_80, hold=HoldTerms(percent=80, until_nanos=900)), Reason.HELD, False),
    (
        "until $900, spent",
        situation(spent=900, told=TOLD_80, hold=HoldTerms(percent=80, until_nanos=900)),
        Reason.HOLD_ENDED,
        True,
    ),
    (
        "a snooze that is over",
        situation(told=TOLD_80, hold=HoldTerms(snooze=True, percent=80, until_ms=NOON)),
        Reason.SNOOZE_ENDED,
        True,
    ),
    (
        "a snooze that is over when nothing fires",
        situation(actual=0, spent=0, told=TOLD_80, hold=HoldTerms(snooze=True, percent=80, until_ms=NOON)),
        Reason.NOTHING_NEW,
        False,
    ),
    (
        "a snooze that ends at night",
        situation(now_ms=NIGHT, rules=QUIET, told=TOLD_80, hold=HoldTerms(snooze=True, percent=80, until_ms=NIGHT)),
        Reason.QUIET_HOURS,
        False,
    ),
    ("told in the morning", situation(told=replace(TOLD_80, owed=Reason.SNOOZE_ENDED)), Reason.SNOOZE_ENDED, True),
    # reminders
    ("not yet", at_100(told=TOLD_100, now_ms=NOON + 23 * HOUR - 1), Reason.NOTHING_NEW, False),
    ("a day later", at_100(told=TOLD_100, now_ms=NOON + 23 * HOUR), Reason.REPEAT, True),
    ("never below 100 %", situation(told=TOLD_80, now_ms=NOON + 9 * DAY), Reason.NOTHING_NEW, False),
    ("not if acknowledged", at_100(told=TOLD_100, now_ms=NOON + DAY, hold=HoldTerms(percent=100)), Reason.HELD, False),
    (
        "a hold below what is over is none",
        at_100(told=TOLD_100, now_ms=NOON + DAY, hold=ACK_80),
        Reason.REPEAT,
        True,
    ),
    (
        "a day after the hold ended",
        at_100(told=TOLD_100, now_ms=NOON + DAY, freed_ms=NOON + 1),
        Reason.NOTHING_NEW,
        False,
    ),
    (
        "never",
        at_100(told=TOLD_100, now_ms=NOON + 9 * DAY, rules=AlertRules(repeat_interval_ms=0)),
        Reason.NOTHING_NEW,
        False,
    ),
    ("after four hours", at_100(told=TOLD_100, rules=ESCALATES, now_ms=NOON + 3 * HOUR), Reason.ESCALATION, True),
    (
        "escalated once",
        at_100(told=replace(TOLD_100, escalated_ms=NOON), rules=ESCALATES, now_ms=NOON + 3 * HOUR),
        Reason.NOTHING_NEW,
        False,
    ),
    (
        "not if acknowledged",
        at_100(told=TOLD_100, rules=ESCALATES, now_ms=NOON + 3 * HOUR, hold=HoldTerms(percent=100)),
        Reason.HELD,
        False,
    ),
    # a period that is over
    ("late", situation(closed=True), Reason.FIRST, True),
    ("late and known", situation(closed=True, told=TOLD_80), Reason.NOTHING_NEW, False),
    ("no reminders of it", at_100(closed=True, told=TOLD_100, now_ms=NOON + 9 * DAY), Reason.NOTHING_NEW, False),
    (
        "its holds end silently",
        situation(closed=True, told=TOLD_80, hold=HoldTerms(snooze=True, percent=80, until_ms=NOON)),
        Reason.HELD,
        False,
    ),
]


@pytest.mark.parametrize(("given_", "reason", "tells"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_reason(given_: Situation, reason: Reason, tells: bool) -> None:  # noqa: FBT001
    decision = decide(given_)
    assert (decision.reason, decision.tells) == (reason, tells)
    assert decision.told.silence is (None if tells else reason)
    assert decision.told.tellings == given_.told.tellings + tells


def test_the_table_has_every_reason() -> None:
    assert {case[2] for case in CASES} == set(Reason)


def test_what_is_known_afterwards() -> None:
    told = decide(at_100(told=TOLD_80, forecast=100)).told
    assert told == Told(100, 100, NOON, NOON, None, tellings=2)
    repeated = decide(at_100(told=told, forecast=100, now_ms=NOON + DAY)).told
    assert (repeated.told_ms, repeated.over_ms, repeated.repeats) == (NOON + DAY, NOON, 1)
    raised = decide(situation(told=repeated, resolved=Reason.RAISED)).told
    assert (raised.actual, raised.forecast, raised.over_ms, raised.repeats) == (80, 0, None, 0)


def test_an_escalation_leaves_the_reminders_as_they_were() -> None:
    decision = decide(at_100(told=TOLD_100, rules=ESCALATES, now_ms=NOON + 3 * HOUR))
    assert (decision.told.told_ms, decision.told.escalated_ms) == (TOLD_100.told_ms, NOON + 3 * HOUR)
    assert (decision.repeat_ms, decision.escalate_ms) == (NOON + 23 * HOUR, None)


def test_a_telling_says_when_the_next_ones_come() -> None:
    decision = decide(at_100(rules=ESCALATES))
    assert (decision.repeat_ms, decision.escalate_ms) == (NOON + DAY, NOON + 4 * HOUR)
    assert decide(situation(rules=ESCALATES)).repeat_ms is None


def test_a_hold_that_ended_says_how() -> None:
    snooze = HoldTerms(snooze=True, percent=80, until_ms=NOON)
    assert decide(situation(told=TOLD_80, hold=snooze)).hold_ended is Reason.SNOOZE_ENDED


def test_what_comes_after_a_hold_is_counted_from_its_end() -> None:
    """The message that the end of a snooze brings promised an escalation of the day before."""
    snooze = HoldTerms(snooze=True, percent=100, until_ms=NOON - 1)
    told = Told(actual=100, told_ms=NOON - DAY, over_ms=NOON - DAY, tellings=1)
    decision, due_ms = decide(at_100(told=told, hold=snooze, rules=ESCALATES)), NOON + ESCALATES.escalate_after_ms
    assert (decision.reason, decision.escalate_ms) == (Reason.SNOOZE_ENDED, due_ms)
    after = at_100(told=decision.told, rules=ESCALATES, freed_ms=NOON)
    assert decide(replace(after, now_ms=due_ms - 1)).reason is Reason.NOTHING_NEW
    assert decide(replace(after, now_ms=due_ms)).reason is Reason.ESCALATION
    assert decide(at_100(told=TOLD_80, hold=snooze)).reason is Reason.HIGHER  # one message says both
    assert decide(situation(told=TOLD_80, hold=ACK_80)).hold_ended is None


HOLDS = st.none() | st.builds(
    HoldTerms,
    snooze=st.booleans(),
    percent=st.sampled_from([0, 80, 99, 100, 125]),
    forecast_percent=st.sampled_from([0, 100]),
    until_ms=st.none() | st.integers(NOON, NOON + 4 * DAY),
    until_nanos=st.none() | st.integers(800, 1600),
    until_percent=st.none() | st.sampled_from([90, 100, 150]),
)
RULES = st.builds(
    AlertRules,
    repeat_interval_ms=st.sampled_from([0, 4 * HOUR, DAY]),
    repeat_on_weekdays=st.booleans(),
    escalate_to=st.sampled_from([None, "oncall"]),
    quiet_hours=st.none() | st.builds(QuietHours, st.just(time(20)), st.just(time(7)), st.booleans()),
)
STEPS = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([0, 700, 800, 900, 1000, 1250, 1500]), HOLDS), min_size=1, max_size=12
)
THRESHOLDS = (80, 100, 125, 150)


def told_over(rules: AlertRules, steps: list[tuple[int, int, HoldTerms | None]]) -> list[tuple[Situation, Decision]]:
    """Decide hour after hour, as an evaluation does: what is known goes from one decision to the next."""
    now_ms, told, found = NOON, Told(), []
    for hours, spent, hold in steps:
        now_ms += hours * HOUR
        actual = max((each for each in THRESHOLDS if spent * 100 >= each * 1000), default=0)
        asked = situation(now_ms=now_ms, rules=rules, told=told, actual=actual, spent=spent, hold=hold)
        found.append((asked, decide(asked)))
        told = found[-1][1].told
    return found


@settings(max_examples=150, deadline=None)
@given(rules=RULES, steps=STEPS)
def test_no_hold_hides_a_higher_threshold_than_it_covers(
    rules: AlertRules, steps: list[tuple[int, int, HoldTerms | None]]
) -> None:
    for asked, decision in told_over(rules, steps):
        hold = asked.hold
        higher = asked.actual > min(asked.told.actual, asked.actual)
        covered = hold is not None and hold.covers(Basis.ACTUAL, asked.actual)
        quiet = not asked.is_over and rules.quiet(asked.now_ms, asked.zone)
        if higher and not covered and not quiet:
            assert decision.tells, (asked, decision)
        if decision.reason is Reason.HELD:
            assert hold is not None
            assert not hold.is_over(asked.now_ms, asked.spent, asked.amount)


@settings(max_examples=150, deadline=None)
@given(rules=RULES, steps=STEPS)
def test_nothing_is_told_twice_without_news_or_time(
    rules: AlertRules, steps: list[tuple[int, int, HoldTerms | None]]
) -> None:
    for asked, decision in told_over(rules, steps):
        if not decision.tells:
            continue
        again = replace(asked, told=decision.told, hold=None if decision.hold_ended else asked.hold, opening=False)
        second = decide(again)
        if second.tells:  # to another receiver, or the reminder that an escalation went before
            assert {decision.reason, second.reason} <= REMINDERS | {Reason.FIRST, Reason.HIGHER, Reason.REOPENED}
            assert second.reason in {Reason.ESCALATION, Reason.REPEAT}
            assert second.reason is not decision.reason
            assert not decide(replace(again, told=second.told)).tells


@settings(max_examples=150, deadline=None)
@given(rules=RULES, steps=STEPS)
def test_what_was_held_back_is_told_once_nothing_holds_it(
    rules: AlertRules, steps: list[tuple[int, int, HoldTerms | None]]
) -> None:
    last, decision = told_over(rules, steps)[-1]
    monday_noon = NOON + 7 * 7 * DAY
    freed = replace(last, told=decision.told, hold=None, now_ms=monday_noon)
    if last.fires and last.actual > decision.told.actual:
        assert decide(freed).tells
    known = decide(freed).told
    assert known.actual == last.actual

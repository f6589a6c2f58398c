"""Whether to tell, and why: the one place that decides every notification and every silence.

It is level-triggered on what was told, not on what has just changed: whatever hid a threshold (quiet hours, a hold,
`observe`), the first decision after it still sees that the threshold is higher than what people know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from alerter.core.budgets import Basis
from alerter.core.rules import AlertRules, Mode


class Reason(StrEnum):
    """Why an episode is told, or why not."""

    OPENING = "opening"
    FIRST = "first"
    HIGHER = "higher threshold"
    REOPENED = "reopened"
    REPEAT = "repeat"
    ESCALATION = "escalation"
    SNOOZE_ENDED = "snooze ended"
    HOLD_ENDED = "hold ended"
    RAISED = "resolved: raised"
    CORRECTED = "resolved: corrected"
    CLOSED = "resolved: period closed"
    HELD = "held"
    QUIET_HOURS = "quiet hours"
    BELOW_MIN = "below min_alert"
    OBSERVED = "observed"
    NOTHING_NEW = "nothing new"


REMINDERS = frozenset({Reason.REPEAT, Reason.ESCALATION, Reason.SNOOZE_ENDED, Reason.HOLD_ENDED})
"""Told about thresholds that people know already."""

SILENCES = frozenset({Reason.HELD, Reason.QUIET_HOURS, Reason.BELOW_MIN, Reason.OBSERVED, Reason.NOTHING_NEW})
"""Why something that fires is not told."""


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """What keeps an episode quiet, and until when.

    Attributes:
        snooze: it is a snooze, not an acknowledgement.
        percent, forecast_percent: the highest thresholds that it covers, of either basis; 0 is none.
        until_ms: it ends at this instant.
        until_nanos, until_percent: it ends once so much is spent.
    """

    snooze: bool = False
    percent: int = 0
    forecast_percent: int = 0
    until_ms: int | None = None
    until_nanos: int | None = None
    until_percent: int | None = None

    def covers(self, basis: Basis, percent: int) -> bool:
        """Whether it keeps a threshold quiet: never one that is higher than what it was made for."""
        return percent <= (self.forecast_percent if basis is Basis.FORECAST else self.percent)

    def is_over(self, now_ms: int, spent: int, amount: int) -> bool:
        """Whether it has ended by itself."""
        return (
            (self.until_ms is not None and now_ms >= self.until_ms)
            or (self.until_nanos is not None and spent >= self.until_nanos)
            or (self.until_percent is not None and spent * 100 >= self.until_percent * amount)
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What people know of one (budget, scope, period).

    Attributes:
        actual, forecast: the highest thresholds told that still stand, in percent; 0 is none.
        told_ms: when it was last told to the budget's receivers; None before the first time.
        over_ms: since when it has been known to be at or above 100 %; None while it is below.
        escalated_ms: when it was escalated, while it is at or above 100 %.
        tellings: how often it was told; ``repeats``: reminders since the last news.
        owed: that a hold has ended, while that could not be told yet.
        silence: why nothing was told at the last decision; None if something was.
    """

    actual: int = 0
    forecast: int = 0
    told_ms: int | None = None
    over_ms: int | None = None
    escalated_ms: int | None = None
    tellings: int = 0
    repeats: int = 0
    owed: Reason | None = None
    silence: Reason | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision depends on.

    Attributes:
        now_ms: epoch milliseconds; ``zone`` is the budget's.
        actual, forecast: the highest thresholds that fire, in percent; 0 is none.
        spent, amount, expected: nanos; ``expected`` is the forecast, None where there is none.
        hold: in force as far as anybody has said; it may be over by now.
        freed_ms: when the last hold ended, if there was one.
        resolved: why thresholds have just resolved, or None.
        opening: it is the first evaluation of all.
        closed: the period is over.
    """

    now_ms: int
    zone: str
    rules: AlertRules
    told: Told
    actual: int
    forecast: int
    spent: int
    amount: int
    expected: int | None = None
    hold: HoldTerms | None = None
    freed_ms: int | None = None
    resolved: Reason | None = None
    opening: bool = False
    closed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the amount is spent."""
        return self.spent >= self.amount

    @property
    def fires(self) -> bool:
        """Whether any threshold fires."""
        return bool(self.actual or self.forecast)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about an episode.

    Attributes:
        reason: why it is told, or why not.
        tells: whether it is.
        told: what people know afterwards.
        hold_ended: how the hold ended, if it has.
        repeat_ms, escalate_ms: when, without an acknowledgement, it is told again or escalated; None for not.
    """

    reason: Reason
    tells: bool
    told: Told
    hold_ended: Reason | None = None
    repeat_ms: int | None = None
    escalate_ms: int | None = None


def decide(situation: Situation) -> Decision:
    """Return whether an episode is told now, with the reason for that or for the silence."""
    ended, hold = _hold_ended(situation), situation.hold
    if ended:
        situation, hold = replace(situation, hold=None, freed_ms=situation.now_ms), None
    known = _still_stands(situation, ended)
    reason = _news(situation, known, hold)
    silence = _silence(situation, known, hold, reason)
    if silence is not None:
        return Decision(silence, tells=False, told=replace(known, silence=silence), hold_ended=ended)
    if reason is None:
        raise AssertionError("without news there is a reason to be silent")
    told = _after_telling(situation, known, reason)
    repeat_ms, escalate_ms = _next_reminders(situation, told)
    return Decision(reason, tells=True, told=told, hold_ended=ended, repeat_ms=repeat_ms, escalate_ms=escalate_ms)


def _hold_ended(situation: Situation) -> Reason | None:
    hold = situation.hold
    # A hold on a period that is over has nothing left to remind of: closing is silent.
    if hold is None or situation.closed or not hold.is_over(situation.now_ms, situation.spent, situation.amount):
        return None
    return Reason.SNOOZE_ENDED if hold.snooze else Reason.HOLD_ENDED


def _still_stands(situation: Situation, ended: Reason | None) -> Told:
    """Return what people know, without what no longer holds."""
    told, fires = situation.told, situation.fires
    known = replace(
        told,
        actual=min(told.actual, situation.actual),
        forecast=min(told.forecast, situation.forecast),
        owed=(ended or told.owed) if fires and not situation.closed else None,
    )
    if not fires or not situation.is_over:
        return replace(known, over_ms=None, escalated_ms=None, repeats=0)
    if known.over_ms is None and known.told_ms is not None:
        return replace(known, over_ms=situation.now_ms)
    return known


def _news(situation: Situation, known: Told, hold: HoldTerms | None) -> Reason | None:
    """Return the most telling reason to tell, or None."""
    if _untold(situation, known, hold):
        if situation.opening or known.silence is Reason.OBSERVED:
            return Reason.OPENING
        if known.actual or known.forecast:
            return Reason.HIGHER
        return Reason.FIRST if known.told_ms is None else Reason.REOPENED
    if not situation.fires or situation.closed or _is_held(situation, hold):
        return None
    if known.owed is not None:
        return known.owed
    repeat_ms, escalate_ms = _next_reminders(situation, known)
    if escalate_ms is not None and situation.now_ms >= escalate_ms:
        return Reason.ESCALATION
    if repeat_ms is not None and situation.now_ms >= repeat_ms:
        return Reason.REPEAT
    return None


def _untold(situation: Situation, known: Told, hold: HoldTerms | None = None) -> bool:
    """Whether a threshold fires that is higher than what people know and what a hold covers."""
    actual, forecast = situation.actual, situation.forecast
    # That 100 % is expected is no news to those who know that it is spent.
    higher = {
        Basis.ACTUAL: actual if actual > known.actual else 0,
        Basis.FORECAST: forecast if forecast > max(known.forecast, known.actual) else 0,
    }
    return any(percent and not (hold and hold.covers(basis, percent)) for basis, percent in higher.items())


def _is_held(situation: Situation, hold: HoldTerms | None) -> bool:
    return (
        hold is not None
        and hold.covers(Basis.ACTUAL, situation.actual)
        and hold.covers(Basis.FORECAST, situation.forecast)
    )


def _silence(situation: Situation, known: Told, hold: HoldTerms | None, reason: Reason | None) -> Reason | None:
    """Return why nothing is told, or None to tell."""
    if not situation.fires:
        return situation.resolved or Reason.NOTHING_NEW
    rules = situation.rules
    if rules.mode is Mode.OBSERVE:
        return Reason.OBSERVED
    if reason is None:
        held = _untold(situation, known) or _is_held(situation, hold)
        return Reason.HELD if hold is not None and held else situation.resolved or Reason.NOTHING_NEW
    stake = max(situation.spent, situation.expected or 0) if situation.forecast else situation.spent
    if stake < rules.min_alert_nanos:
        return Reason.BELOW_MIN
    if not situation.is_over and rules.quiet(situation.now_ms, situation.zone):
        return Reason.QUIET_HOURS
    return None


def _after_telling(situation: Situation, known: Told, reason: Reason) -> Told:
    now_ms = situation.now_ms
    told = replace(known, tellings=known.tellings + 1, silence=None)
    if reason is Reason.ESCALATION:  # others were told: the reminders of the budget's receivers go on
        return replace(told, escalated_ms=now_ms)
    return replace(
        told,
        actual=situation.actual,
        forecast=situation.forecast,
        told_ms=now_ms,
        over_ms=(known.over_ms or now_ms) if situation.is_over else None,
        repeats=known.repeats + 1 if reason is Reason.REPEAT else 0,
        owed=None,
    )


def _next_reminders(situation: Situation, known: Told) -> tuple[int | None, int | None]:
    """Return when an episode at or above 100 % is told again and escalated if nobody acknowledges it."""
    rules = situation.rules
    if known.told_ms is None or known.over_ms is None or situation.closed:
        return None, None
    freed_ms = situation.freed_ms or 0
    repeat_ms = rules.repeat_ms(max(known.told_ms, freed_ms), situation.zone)
    if rules.escalate_to is None or known.escalated_ms is not None:
        return repeat_ms, None
    return repeat_ms, max(known.over_ms, freed_ms) + rules.escalate_after_ms

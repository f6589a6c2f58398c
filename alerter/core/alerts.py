"""What is told: alerts with their evidence, and messages of one or more of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alerter.core.budgets import Basis, Scope


class AlertStatus(StrEnum):
    """Alertmanager's words for where an alert stands."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


PERIOD_CLOSED = "period closed"
"""How the note begins of an alert that resolved because its period is over: nothing got better by that."""


class MessageKind(StrEnum):
    """Why a message is sent."""

    ALERT = "alert"
    OPENING = "opening"
    OPERATOR = "operator"
    TEST = "test"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """A run that an alert names.

    Attributes:
        name, url: for people; ``url`` is ``""`` where no UI is known.
        machine: such as ``4 x p4d.24xlarge (from num_workers)``.
        running: it still accrues.
        cost_nanos: in this scope and period.
        per_hour_nanos: its burn now; 0 when it has ended.
        stale_nanos: what it would have cost since its last sign of life; not counted.
        user: who started it, as the client claims; ``""`` where that isn't known or not told.
    """

    run_uuid: str
    name: str
    url: str
    machine: str
    running: bool
    cost_nanos: int
    per_hour_nanos: int
    stale_nanos: int = 0
    user: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Everything a message says of one (budget, scope, period), frozen when it was told.

    Attributes:
        id: short public id such as ``A-7F3K``, by which it is acknowledged.
        budget, scope: which one; ``title`` is how people say it: ``vision`` or the budget's name.
        period: label such as ``November``; ``period_start`` and ``period_end`` are local ISO dates ``[start, end)``.
        basis, percent: of the highest threshold crossed; ``crossed`` are all that this message records.
        amount_nanos, spent_nanos, accruing_nanos: ``spent`` includes ``accruing``.
        forecast_nanos ... high: at the period's end, None where none is made.
        forecast_day_nanos: a day from now; None where none is made, and of messages of an earlier version.
        crossing_ms: when 100 % is expected; ``crossing_low_ms`` and ``crossing_high_ms`` the band.
        recent_nanos: spent in the last 24 h; ``recent_share`` whole percent of it by ``recent_run``.
        top: the most expensive runs, at most ten; ``more_runs`` how many there are besides.
        priced_percent: run-hours that had a price; ``coverage_shown`` whether that is below the configured floor.
        unpriced_tokens: LLM tokens that have no price.
        low_confidence: some rates were assumed.
        stale_nanos: suspected stale and not counted.
        price_note: what was assumed, such as ``prices of 2025-01-02; region assumed: us-east-1``.
        next_percent: the threshold of the next message, or None.
        as_of_ms: the data's time; ``stale`` where a source could not be read since.
        burn_up: (local day as an ordinal, nanos spent by its end), oldest first: the line of the chart.
        reason: why it was told, a word of `alerter.core.decisions.Reason`.
        repeats: reminders since the last news, this one included.
        repeat_ms, escalate_ms: when, unless somebody acknowledges, it is told again, and to ``escalate_to``; or None.
        quiet: hours in which nothing below 100 % is told, in words.
        budget_amount_nanos, budget_spent_nanos: of the budget, where the alert is of one run: then the amounts are
            that run's and what one run may cost, and the run is the only one of ``top``.
    """

    id: str
    budget: str
    title: str
    scope: Scope
    timezone: str
    period: str
    period_start: str
    period_end: str
    basis: Basis
    percent: int
    crossed: tuple[str, ...]
    currency: str
    amount_nanos: int
    spent_nanos: int
    accruing_nanos: int
    as_of_ms: int
    days_left: int
    reason: str
    forecast_nanos: int | None = None
    forecast_low_nanos: int | None = None
    forecast_high_nanos: int | None = None
    crossing_ms: int | None = None
    crossing_low_ms: int | None = None
    crossing_high_ms: int | None = None
    recent_nanos: int = 0
    recent_run: str = ""
    recent_share: int = 0
    top: tuple[RunEvidence, ...] = ()
    more_runs: int = 0
    priced_percent: int = 100
    coverage_shown: bool = True
    unpriced_tokens: int = 0
    low_confidence: bool = False
    stale_nanos: int = 0
    price_note: str = ""
    next_percent: int | None = None
    owner: str | None = None
    mention: str | None = None
    stale: bool = False
    page_url: str = ""
    burn_up: tuple[tuple[int, int], ...] = ()
    repeats: int = 0
    repeat_ms: int | None = None
    escalate_ms: int | None = None
    escalate_to: str = ""
    quiet: str = ""
    budget_amount_nanos: int = 0
    budget_spent_nanos: int = 0
    forecast_day_nanos: int | None = None


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where an alert stands now, shown on its message.

    Attributes:
        status: firing ... resolved.
        by, via, at_ms: who acknowledged or snoozed, from where, and when.
        until: in words: ``the next threshold``, ``Tue 24 Nov 16:00``.
        note: what they wrote, or why it was resolved.
        covers: of a hold the highest percent spent that it keeps quiet; what is higher is told.
    """

    status: AlertStatus = AlertStatus.FIRING
    by: str = ""
    at_ms: int = 0
    until: str = ""
    note: str = ""
    covers: int = 0
    via: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether it resolved because its period is over."""
        return self.status is AlertStatus.RESOLVED and self.note.startswith(PERIOD_CLOSED)

    @property
    def is_mended(self) -> bool:
        """Whether it resolved because what it says no longer holds."""
        return self.status is AlertStatus.RESOLVED and not self.is_closed


@dataclass(frozen=True, slots=True)
class DigestBudget:
    """A scope of a budget in a digest.

    Attributes:
        title, period: how people call it: ``vision``, ``November``.
        amount_nanos, spent_nanos: of its current period; ``expected_nanos`` at its end, None without a forecast.
        moved_nanos, before_nanos: spent in the days that the digest looks back on, and in as many before.
        stale_nanos: suspected stale, and not counted.
        names_user: the title is, or has in it, a user's name.
        unpriced_tokens: LLM tokens of its current period that have no price.
    """

    title: str
    period: str
    amount_nanos: int
    spent_nanos: int
    expected_nanos: int | None
    days_left: int
    moved_nanos: int
    before_nanos: int
    stale_nanos: int = 0
    names_user: bool = False
    unpriced_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Digest:
    """What a receiver reads of its budgets every day or week, frozen when it was decided.

    Attributes:
        name, every, day: which one: ``weekly``, of a local ISO date in ``timezone``; it looks back on the ``days``
            local days before that one.
        budgets: at most ten, the highest expected utilization first; ``more_budgets`` how many there are besides.
        over: of all of them, how many are over their amount or expected to be.
        movers: at most five, the largest rise first.
        top: the runs that cost most in those days, at most five; ``more_runs`` how many there are besides.
        stale: runs that are suspected stale, at most five; ``stale_nanos`` and ``stale_runs`` of all of them.
        priced_percent: of the run time of those days, rounded down.
        missing: what was not read when this was made, in words; empty where it is complete.
    """

    name: str
    every: str
    day: str
    days: int
    timezone: str
    currency: str
    as_of_ms: int
    budgets: tuple[DigestBudget, ...] = ()
    more_budgets: int = 0
    over: int = 0
    movers: tuple[DigestBudget, ...] = ()
    top: tuple[RunEvidence, ...] = ()
    more_runs: int = 0
    stale: tuple[RunEvidence, ...] = ()
    stale_runs: int = 0
    stale_nanos: int = 0
    priced_percent: int = 100
    low_confidence: bool = False
    missing: tuple[str, ...] = ()
    page_url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one receiver: alerts of one cycle, a digest, or an operator's notice.

    Attributes:
        kind: alert, opening, operator, test, digest.
        alerts: what it tells, most urgent first; empty for a notice.
        title, text: of a notice; ``""`` otherwise. A digest has the title.
        at_ms: when it was decided.
    """

    kind: MessageKind
    alerts: tuple[Alert, ...] = ()
    title: str = ""
    text: str = ""
    at_ms: int = 0
    digest: Digest | None = None

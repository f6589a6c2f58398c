"""What the pictures show: a made-up company's budgets; the figures agree with each other and with built-in prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from alerter.core.alerts import PERIOD_CLOSED, Alert, AlertState, AlertStatus, Message, MessageKind, RunEvidence
from alerter.core.budgets import Basis
from alerter.core.money import NANOS
from alerter.core.wording import opening_title

ZONE = "Europe/Berlin"
PUBLIC = "https://budgets.example.com"


def at(day: int, hour: int, minute: int = 0) -> int:
    """Return a moment of November 2026 in Berlin (UTC+1), as epoch milliseconds."""
    return round(datetime(2026, 11, day, hour - 1, minute, tzinfo=UTC).timestamp() * 1000)


NOW = at(23, 14, 32)


def run(name: str, machine: str, cost: int, per_hour: str = "0") -> RunEvidence:
    """Return a run; one that costs something per hour is running."""
    units, _, cents = per_hour.partition(".")
    burn = int(units) * NANOS + int(cents.ljust(2, "0")) * NANOS // 100
    url = f"https://mlflow.example.com/#/experiments/7/runs/{name}"
    return RunEvidence(name, name, url, machine, burn > 0, cost * NANOS, burn)


FIRST = date(2026, 11, 1).toordinal()
BY_DAY = (2, 3, 3, 9, 15, 16, 16, 17, 22, 28, 31, 33, 34, 34, 35, 40, 46, 50, 58, 63, 68, 74, 81)
"""Percent of team vision's amount that were spent by the end of each day."""

VISION = Alert(
    id="A-7F3K",
    budget="every-team",
    title="vision",
    scope=(("team", "vision"),),
    timezone=ZONE,
    period="November",
    period_start="2026-11-01",
    period_end="2026-12-01",
    basis=Basis.ACTUAL,
    percent=80,
    crossed=("80%",),
    currency="USD",
    amount_nanos=12_000 * NANOS,
    spent_nanos=9_740 * NANOS,
    accruing_nanos=2_600 * NANOS,
    as_of_ms=NOW,
    days_left=8,
    reason="first",
    forecast_nanos=14_900 * NANOS,
    forecast_low_nanos=13_700 * NANOS,
    forecast_high_nanos=16_100 * NANOS,
    forecast_day_nanos=12_375 * NANOS,
    crossing_ms=at(24, 11, 7),
    crossing_low_ms=at(24, 7, 14),
    crossing_high_ms=at(25, 9, 26),
    recent_nanos=2_310 * NANOS,
    recent_run="trial-14",
    recent_share=64,
    top=(
        run("trial-14", "4 x p4d.24xlarge (from num_workers)", 1_480, "87.83"),
        run("hpo-resnet", "p4d.24xlarge", 1_120, "21.96"),
        run("baseline", "8 x g5.12xlarge", 640),
    ),
    more_runs=27,
    priced_percent=94,
    price_note="region assumed: us-east-1",
    next_percent=100,
    owner="@vision-lead",
    page_url=PUBLIC,
    burn_up=tuple((day, percent * 120 * NANOS) for day, percent in enumerate(BY_DAY, FIRST)),
)
FRAUD = replace(
    VISION,
    id="A-9QXM",
    budget="fraud-detection",
    title="fraud-detection",
    scope=(),
    percent=100,
    crossed=("80%", "100%"),
    amount_nanos=5_000 * NANOS,
    spent_nanos=5_632 * NANOS,
    accruing_nanos=0,
    burn_up=tuple((day, percent * 5_632 * NANOS // 81) for day, percent in enumerate(BY_DAY, FIRST)),
    forecast_nanos=7_100 * NANOS,
    forecast_low_nanos=6_700 * NANOS,
    forecast_high_nanos=7_500 * NANOS,
    forecast_day_nanos=5_830 * NANOS,
    crossing_ms=None,
    recent_nanos=0,
    repeat_ms=at(24, 14, 32),
    top=(run("xgboost-final", "4 x m5.24xlarge", 910),),
    more_runs=112,
    priced_percent=100,
    next_percent=125,
    owner=None,
)
ANALYTICS = replace(
    VISION,
    id="A-2HDC",
    title="analytics",
    scope=(("team", "analytics"),),
    basis=Basis.FORECAST,
    percent=100,
    crossed=("forecast 100%",),
    amount_nanos=2_000 * NANOS,
    spent_nanos=1_270 * NANOS,
    accruing_nanos=214 * NANOS,
    burn_up=tuple((day, percent * 1_270 * NANOS // 81) for day, percent in enumerate(BY_DAY, FIRST)),
    forecast_nanos=2_240 * NANOS,
    forecast_low_nanos=2_050 * NANOS,
    forecast_high_nanos=2_430 * NANOS,
    forecast_day_nanos=1_401 * NANOS,
    crossing_ms=at(29, 4, 5),
    crossing_low_ms=at(28, 6, 10),
    crossing_high_ms=at(30, 12, 36),
    recent_nanos=131 * NANOS,
    recent_run="nightly-features",
    recent_share=14,
    next_percent=80,
    top=(run("nightly-features", "m5.4xlarge", 214, "0.77"),),
    more_runs=48,
)
FIRING = Message(MessageKind.ALERT, (VISION,), at_ms=NOW)
OPENING = Message(MessageKind.OPENING, (FRAUD, VISION, ANALYTICS), title=opening_title(6), at_ms=NOW)
ACKNOWLEDGED = AlertState(
    AlertStatus.ACKNOWLEDGED, "slack:U01ANNA (anna)", at(23, 14, 40), "the next threshold", "the sweep ends tonight"
)
SNOOZED = AlertState(AlertStatus.SNOOZED, "slack:U01ANNA (anna)", at(23, 14, 45), "Tue 24 Nov 09:00")
CLOSED = AlertState(AlertStatus.RESOLVED, at_ms=at(30, 24), note=f"{PERIOD_CLOSED} at $14,870")
RESOLVED = AlertState(AlertStatus.RESOLVED, at_ms=at(24, 10, 5), note="amount raised to $15,000, 64.9 % of it used")

SPENT = replace(
    VISION,
    id="A-D4WQ",
    percent=100,
    crossed=("100%",),
    spent_nanos=12_064 * NANOS,
    accruing_nanos=1_240 * NANOS,
    forecast_nanos=15_300 * NANOS,
    forecast_low_nanos=14_600 * NANOS,
    forecast_high_nanos=16_000 * NANOS,
    forecast_day_nanos=14_699 * NANOS,
    crossing_ms=None,
    as_of_ms=at(24, 11, 20),
    repeat_ms=at(25, 11, 20),
    days_left=7,
    reason="higher threshold",
    next_percent=125,
)
"""The vision team's budget a day later."""

ESCALATED = replace(SPENT, reason="escalation", as_of_ms=at(24, 15, 20), spent_nanos=12_500 * NANOS)
"""What on-call is told, when nobody has acknowledged it for four hours."""

SPENT_NOW = replace(SPENT, crossed=("80%", "100%"))
"""What the first message about it shows by then."""

REMINDER = replace(
    SPENT,
    reason="repeat",
    repeats=1,
    repeat_ms=at(26, 11, 20),
    mention="U01ANNA",
    spent_nanos=13_110 * NANOS,
    as_of_ms=at(25, 11, 20),
    days_left=6,
)

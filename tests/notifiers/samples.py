"""Alerts to tell: one that people might get, and ways to change it."""

# ruff: noqa: ANN401 - changes are checked where they are made

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from alerter.core.alerts import Alert, AlertState, AlertStatus, Message, MessageKind, RunEvidence
from alerter.core.budgets import Basis
from alerter.core.money import NANOS


def at(day: int, hour: int, minute: int = 0) -> int:
    """Return a moment of November 2026 in Berlin (UTC+1), as epoch milliseconds."""
    return round(datetime(2026, 11, day, hour - 1, minute, tzinfo=UTC).timestamp() * 1000)


NOW = at(23, 14, 32)


FIRST = date(2026, 11, 1).toordinal()
DAYS = tuple((FIRST + number, (number + 1) * 400 * NANOS) for number in range(23))
"""What was spent by the end of each day of November so far."""


def run(name: str = "trial-14", **changes: Any) -> RunEvidence:
    made = RunEvidence(
        run_uuid="0f3c5d8e9a7b4c1d8e2f6a5b4c3d2e1f",
        name=name,
        url="https://mlflow.example.com/#/experiments/7/runs/0f3c5d8e9a7b4c1d8e2f6a5b4c3d2e1f",
        machine="4 x p4d.24xlarge (from num_workers)",
        running=True,
        cost_nanos=1_480 * NANOS,
        per_hour_nanos=88 * NANOS,
    )
    return replace(made, **changes)


AHEAD: dict[str, Any] = {
    "forecast_nanos": 14_200 * NANOS,
    "forecast_low_nanos": 13_100 * NANOS,
    "forecast_high_nanos": 15_300 * NANOS,
    "crossing_ms": at(24, 15, 50),
    "crossing_low_ms": at(24, 9),
    "crossing_high_ms": at(25, 11),
}


def alert(**changes: Any) -> Alert:
    made = Alert(
        id="A-7F3K",
        budget="every-team",
        title="vision",
        scope=(("team", "vision"),),
        timezone="Europe/Berlin",
        period="November",
        period_start="2026-11-01",
        period_end="2026-12-01",
        basis=Basis.ACTUAL,
        percent=80,
        crossed=("80%",),
        currency="USD",
        amount_nanos=12_000 * NANOS,
        spent_nanos=9_740 * NANOS,
        accruing_nanos=1_600 * NANOS,
        as_of_ms=NOW,
        days_left=8,
        reason="first",
        recent_nanos=2_310 * NANOS,
        recent_run="hpo-resnet",
        recent_share=92,
        top=(
            run(),
            run("hpo-resnet", cost_nanos=1_120 * NANOS, machine="p4d.24xlarge"),
            run("baseline", running=False, per_hour_nanos=0, cost_nanos=640 * NANOS, machine="4 x m5.xlarge"),
        ),
        more_runs=27,
        priced_percent=94,
        stale_nanos=120 * NANOS,
        price_note="list prices us-east-1",
        next_percent=100,
        owner="@vision-lead",
        page_url="https://budgets.example.com/alerts/A-7F3K",
    )
    return replace(made, **(AHEAD | changes))


def over(**changes: Any) -> Alert:
    """Return an alert of a budget that is spent."""
    given: dict[str, Any] = {
        "id": "A-9QXM",
        "budget": "fraud-detection",
        "title": "fraud-detection",
        "scope": (),
        "percent": 100,
        "crossed": ("80%", "100%"),
        "amount_nanos": 1_000 * NANOS,
        "spent_nanos": 1_126 * NANOS + 400_000_000,
        "crossing_ms": None,
        "forecast_nanos": 1_800 * NANOS,
        "forecast_low_nanos": 1_700 * NANOS,
        "forecast_high_nanos": 1_900 * NANOS,
        "next_percent": 125,
        "owner": None,
        "page_url": "https://budgets.example.com/alerts/A-9QXM",
    }
    return alert(**(given | changes))


def forecast(**changes: Any) -> Alert:
    """Return an alert of a budget that is on course to be spent."""
    given: dict[str, Any] = {
        "id": "A-2HDC",
        "budget": "analytics",
        "title": "analytics",
        "scope": (),
        "basis": Basis.FORECAST,
        "percent": 100,
        "crossed": ("forecast 100%",),
        "spent_nanos": 6_100 * NANOS,
        "page_url": "https://budgets.example.com/alerts/A-2HDC",
    }
    return alert(**(given | changes))


def message(*alerts: Alert, **changes: Any) -> Message:
    return replace(Message(MessageKind.ALERT, alerts or (alert(),), at_ms=NOW), **changes)


def acknowledged(**changes: Any) -> AlertState:
    made = AlertState(AlertStatus.ACKNOWLEDGED, "anna", at(23, 14, 40), "the next threshold", "on it")
    return replace(made, **changes)


RESOLVED = AlertState(AlertStatus.RESOLVED, "", at(23, 18, 5), "", "the amount was raised to $20,000")

HOSTILE = (
    "<!here>",
    "<!channel> & <@U012345>",
    "`code` *bold* ~struck~ _slanted_",
    "<https://evil.example|click>",
    "line\nbreak\r\nBcc: everyone@example.com",
    "\u202egnp.exe\u2066 hidden \u200b",
    "👩‍👩‍👧‍👦 🏴 é̴̷",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "[red]markup[/red] \x1b[31mescape\x07",
    "https://evil.example/auto",
    "&amp;lt;",
    "A" * 4000,
    "<" * 4000,
    "\ud800 lone",
    "",
    " ",
)


def hostile(text: str, **changes: Any) -> Alert:
    """Return an alert whose every untrusted field is the same text."""
    made = alert(
        budget=text,
        title=text,
        scope=(("team", text),),
        recent_run=text,
        price_note=text,
        owner=text,
        top=tuple(run(text, machine=text, url=text) for _ in range(4)),
        page_url=text,
        escalate_to=text,
        escalate_ms=at(23, 18),
        repeat_ms=at(24, 14),
    )
    return replace(made, **changes)

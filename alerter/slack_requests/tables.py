"""Budgets and runs as lines of a Slack reply."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from alerter.core.alerts import RunEvidence
from alerter.core.money import NANOS, human
from alerter.core.views import BudgetStatus, RunCost, title_of
from alerter.core.wording import CENTS_BELOW, Style, percent, run_facts
from alerter.notifiers.slack.escape import link, untrusted
from alerter.slack_requests.reply import Reply

ROWS = 25
"""Budgets that one reply lists; the page has them all."""

DETAILED = 3
"""Up to so many budgets are told in full."""

_BAR = 10
_STYLE = Style(safe=untrusted, strong="*{}*".format)


def budgets(statuses: Sequence[BudgetStatus], *, none: str) -> Reply:
    """Return budgets as a reply, the fullest first; ``none`` (escaped) is said where there are none."""
    if not statuses:
        return Reply((none,))
    ordered = sorted(statuses, key=lambda each: (-each.percent, each.title))
    shown = ordered[:ROWS]
    lines = _in_full(shown) if len(ordered) <= DETAILED else [_line(each) for each in shown]
    if len(ordered) > ROWS:
        lines.append(f"… and {len(ordered) - ROWS:,} more. Ask for one by name, or for `list over 80`.")
    if any(each.stale for each in statuses):
        lines.append("⚠️ A source could not be read since: there may be more.")
    return Reply((*lines, "_Amounts are estimates until a bill confirms them._"))


def runs(costs: Sequence[RunCost], *, none: str) -> Reply:
    """Return runs as a reply, in the order given; ``none`` (escaped) is said where there are none."""
    if not costs:
        return Reply((none,))
    lines = ["*Most expensive runs*"]
    for number, run in enumerate(costs, 1):
        evidence = RunEvidence(
            run.run_uuid,
            run.name,
            run.url,
            run.machine,
            run.running,
            run.cost_nanos,
            run.per_hour_nanos,
            run.stale_nanos,
        )
        facts = run_facts(evidence, run.currency, _STYLE)
        where = f" · {untrusted(title_of(run.budget, run.scope))}" if run.budget else ""
        lines.append(f"{number}. {link(run.url, untrusted(run.name or run.run_uuid))} · {facts}{where}")
    return Reply(tuple(lines))


def _line(status: BudgetStatus) -> str:
    budget = f" ({untrusted(status.budget)})" if status.title != status.budget else ""
    name = f"{_sign(status)} *{untrusted(status.title)}*{budget}"
    priced = "".join(f" · {each}" for each in status.unpriced_words())
    return f"{name} · {untrusted(status.period)} · {_share(status)} · {_of(status)}{priced}"


def _in_full(statuses: Sequence[BudgetStatus]) -> list[str]:
    lines: list[str] = []
    for each in statuses:
        if lines:
            lines.append(" ")
        lines += [_line(each), f"`{_bar(each)}`", _details(each)]
    return lines


def _details(status: BudgetStatus) -> str:
    parts = []
    if status.accruing_nanos > 0:
        parts.append(f"{_money(status, status.accruing_nanos)} by runs still running")
    if status.forecast_nanos is not None:
        last = date.fromisoformat(status.period_end) - timedelta(days=1)
        parts.append(f"on course to reach {_money(status, status.forecast_nanos)} by {last:%a} {last.day} {last:%b}")
    parts.append(f"{status.runs:,} run{'' if status.runs == 1 else 's'}")
    return " · ".join(parts)


def _of(status: BudgetStatus) -> str:
    return f"{_money(status, status.spent_nanos)} of {_money(status, status.amount_nanos)}"


def _money(status: BudgetStatus, nanos: int) -> str:
    return human(nanos, status.currency, cents=status.amount_nanos < CENTS_BELOW and nanos < 10**6 * NANOS)


def _share(status: BudgetStatus) -> str:
    return percent(status.spent_nanos, status.amount_nanos)


def _sign(status: BudgetStatus) -> str:
    if status.percent >= 100:
        return "🔴"
    return "🟠" if status.percent >= 80 else "🟢"


def _bar(status: BudgetStatus) -> str:
    full = min(max(int(status.percent * _BAR // 100), 0), _BAR)
    return "█" * full + "░" * (_BAR - full)

"""An alert of a single run to show: the one that ``make pictures`` draws."""

from __future__ import annotations

from alerter.core.alerts import Alert, Message, MessageKind
from alerter.core.budgets import Basis
from alerter.core.money import NANOS
from tests.notifiers.samples import NOW, alert, run

ALERT: Alert = alert(
    id="A-4M2T",
    basis=Basis.RUN,
    percent=100,
    crossed=("per_run",),
    amount_nanos=1_400 * NANOS,
    spent_nanos=1_480 * NANOS,
    accruing_nanos=0,
    forecast_nanos=None,
    forecast_low_nanos=None,
    forecast_high_nanos=None,
    crossing_ms=None,
    recent_nanos=0,
    top=(run(per_hour_nanos=87_830_000_000),),
    more_runs=0,
    coverage_shown=False,
    stale_nanos=0,
    price_note="",
    next_percent=None,
    budget_amount_nanos=12_000 * NANOS,
    budget_spent_nanos=9_740 * NANOS,
    page_url="https://budgets.example.com",
    burn_up=(),
)
MESSAGE = Message(MessageKind.ALERT, (ALERT,), at_ms=NOW)

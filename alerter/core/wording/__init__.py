"""The words of an alert, shared by every way of telling it.

Each function returns one line, ``""`` where there is nothing to say. An amount is an estimate until a bill confirms
it, and the headline says so. Instants are in the budget's own time zone.
"""

from alerter.core.wording.ahead import FIRING, footer_line, owner_line
from alerter.core.wording.alerts import (
    amount_line,
    claim,
    coverage_line,
    forecast_line,
    group_title,
    headline,
    icon,
    id_line,
    is_single,
    more_line,
    opening_title,
    recent_line,
    state_line,
    subject,
    used,
)
from alerter.core.wording.runs import run_facts, run_line
from alerter.core.wording.style import CENTS_BELOW, PLAIN, Style, moment, money, percent, share_words, without_price

__all__ = [
    "CENTS_BELOW",
    "FIRING",
    "PLAIN",
    "Style",
    "amount_line",
    "claim",
    "coverage_line",
    "footer_line",
    "forecast_line",
    "group_title",
    "headline",
    "icon",
    "id_line",
    "is_single",
    "moment",
    "money",
    "more_line",
    "opening_title",
    "owner_line",
    "percent",
    "recent_line",
    "run_facts",
    "run_line",
    "share_words",
    "state_line",
    "subject",
    "used",
    "without_price",
]

"""Why an alert resolved: the words that its message shows, and which reason they stand for."""

from __future__ import annotations

from alerter.core.alerts import PERIOD_CLOSED
from alerter.core.decisions import Reason
from alerter.core.money import human
from alerter.core.wording import percent

BUDGET_REMOVED = "budget removed"
LIMIT_REMOVED = "limit removed"
COST_CORRECTED = "cost corrected"
"""Of an alert of a single run."""

_RAISED = ("amount raised", "limit raised", LIMIT_REMOVED)
_CLOSED = (PERIOD_CLOSED, BUDGET_REMOVED)


def amount_raised(amount: int, spent: int, currency: str, by: str = "") -> str:
    """Return ``amount raised to $15,000 by 3fa9c21, 64.9 % of it used``; ``by`` is a commit, where it is known."""
    who = f" by {by}" if by else ""
    return f"amount raised to {human(amount, currency)}{who}, {percent(spent, amount)} of it used"


def period_closed(spent: int, currency: str) -> str:
    """Return ``period closed at $12,904``."""
    return f"{PERIOD_CLOSED} at {human(spent, currency)}"


def limit_raised(limit: int, currency: str) -> str:
    """Return ``limit raised to $300 a run``."""
    return f"limit raised to {human(limit, currency)} a run"


def spending_fell(spent: int, amount: int, currency: str) -> str:
    """Return ``spending fell to $9,100 (75.8 %)``."""
    return f"spending fell to {human(spent, currency)} ({percent(spent, amount)})"


def forecast_fell(expected: int, amount: int, currency: str) -> str:
    """Return ``forecast fell to $11,200 (93.3 %)``."""
    return f"forecast fell to {human(expected, currency)} ({percent(expected, amount)})"


def reason_of(words: str) -> Reason:
    """Return the reason that an alert's words, also those of an earlier version, stand for."""
    if words.startswith(_RAISED):
        return Reason.RAISED
    return Reason.CLOSED if words.startswith(_CLOSED) else Reason.CORRECTED

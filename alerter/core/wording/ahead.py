"""What comes next of an alert, as far as that is known: it must hold under holds, reminders and quiet hours."""

from __future__ import annotations

from alerter.core.alerts import Alert, AlertState, AlertStatus
from alerter.core.budgets import Basis
from alerter.core.decisions import REMINDERS, Reason
from alerter.core.text import joined
from alerter.core.wording.style import PLAIN, Style, moment

FIRING = AlertState()
"""What an alert is while nobody has said anything."""

_HOLDS = {AlertStatus.ACKNOWLEDGED: "acknowledgement", AlertStatus.SNOOZED: "snooze"}


def footer_line(alert: Alert, style: Style = PLAIN, state: AlertState = FIRING) -> str:
    """Return ``Nothing is stopped. Next message at 100 %. · owner @vision-lead``."""
    return joined(f"Nothing is stopped. {_ahead(alert, state, style)}".strip(), owner_line(alert, style))


def owner_line(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``owner @vision-lead``, where the budget names one."""
    return f"owner {style.text(alert.owner)}" if alert.owner else ""


def is_over(alert: Alert) -> bool:
    """Whether its period has ended; a rolling one never does."""
    return alert.days_left <= 0 and not alert.period.startswith("last ")


def _ahead(alert: Alert, state: AlertState, style: Style) -> str:
    if alert.basis is Basis.RUN:
        return _ahead_of_run(alert, state)
    if is_over(alert):
        return "The period is over."
    if alert.reason == Reason.ESCALATION:
        return "An escalation is told once."
    if state.status is AlertStatus.RESOLVED:
        return ""
    if state.status in _HOLDS:
        return f"Next message {_when_held(alert, state)}."
    return " ".join(filter(None, (_threshold(alert), _reminders(alert, style))))


def _ahead_of_run(alert: Alert, state: AlertState) -> str:
    if state.status in _HOLDS and state.until:
        return f"Next message when the {_HOLDS[state.status]} ends, if the run still goes on."
    return "" if state.status is AlertStatus.RESOLVED or alert.reason in REMINDERS else "A run is told once."


def _threshold(alert: Alert) -> str:
    if not alert.next_percent:
        return "No further threshold."
    quiet = f" (below 100 % not from {alert.quiet})" if alert.quiet and alert.next_percent < 100 else ""
    return f"Next message at {alert.next_percent} %{quiet}."


def _reminders(alert: Alert, style: Style) -> str:
    when = []
    if alert.escalate_ms is not None:
        when.append(f"{style.text(alert.escalate_to)} is told {moment(alert.escalate_ms, alert.timezone)}")
    if alert.repeat_ms is not None:
        when.append(f"a reminder comes {moment(alert.repeat_ms, alert.timezone)}")
    return f"Unless somebody acknowledges, {' and '.join(when)}." if when else ""


def _when_held(alert: Alert, state: AlertState) -> str:
    """Return when a hold lets the next message through: at a higher threshold than it covers, or at its end."""
    if state.until == f"{state.covers + 1} %":
        return f"at {state.until}"
    known = alert.next_percent if alert.next_percent and alert.next_percent > state.covers else None
    threshold = f"at {known} %" if known else "at the next threshold"
    if state.until in {"", "the next threshold"}:
        return threshold
    return f"{threshold}, or when the {_HOLDS[state.status]} ends"

"""What is told once more, and the words for why."""

from __future__ import annotations

from alerter.core.alerts import Alert
from alerter.core.decisions import REMINDERS, Reason

_WHY: dict[str, str] = {
    Reason.REOPENED: "It had been resolved, and fires again.",
    Reason.REPEAT: "Reminder: nobody has acknowledged this yet.",
    Reason.ESCALATION: "Escalated to you: nobody has acknowledged this yet.",
    Reason.SNOOZE_ENDED: "The snooze is over, and it still fires.",
    Reason.HOLD_ENDED: "The acknowledgement has ended, and it still fires.",
}


def is_reminder(alert: Alert) -> bool:
    """Whether it tells of thresholds that people know already."""
    return alert.reason in REMINDERS


def reason_line(alert: Alert) -> str:
    """Return why it is told once more: ``Reminder: nobody has acknowledged this yet.``; ``""`` where it is news."""
    said = _WHY.get(alert.reason, "")
    if alert.reason == Reason.REPEAT and alert.repeats > 1:
        return said.replace("Reminder", f"Reminder {alert.repeats}")
    return said

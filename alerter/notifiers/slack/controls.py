"""What people press on an alert: buttons and the snooze menu, and what their values mean when they come back."""

from __future__ import annotations

from alerter.core.alerts import Alert, AlertState, AlertStatus
from alerter.notifiers.slack.escape import is_link
from alerter.notifiers.slack.limits import Block

ACK = "ack"
UNACK = "unack"
SNOOZE = "snooze"
OPEN = "open"
"""``action_id`` of each; their value is the alert's id, followed in the menu by until when."""

PERIOD = "period"
SNOOZES = (
    ("1 hour", "1h"),
    ("4 hours", "4h"),
    ("until tomorrow 9:00", "tomorrow"),
    ("until Monday 9:00", "monday"),
    ("until the period ends", PERIOD),
)
"""What the menu offers, and how `alerter.core.until` reads it."""


def actions(alert: Alert, state: AlertState, *, opens: bool = True) -> list[Block]:
    """Return the actions block of an alert in its state; empty where there is nothing to press.

    ``opens`` adds the link to the alert's page.
    """
    elements = _elements(alert, state)
    if opens and is_link(alert.page_url):
        elements.append(_button(OPEN, "Open", alert.id) | {"url": alert.page_url})
    return [{"type": "actions", "block_id": f"alert:{alert.id}", "elements": elements}] if elements else []


def read_snooze(value: str) -> tuple[str, str]:
    """Return the alert's id and until when, from the value of a chosen option; either may be ``""``."""
    reference, _, until = value.partition(" ")
    return reference, until


def _elements(alert: Alert, state: AlertState) -> list[Block]:
    match state.status:
        case AlertStatus.FIRING:
            return [_button(ACK, "Acknowledge", alert.id) | {"style": "primary"}, _snooze(alert)]
        case AlertStatus.ACKNOWLEDGED | AlertStatus.SNOOZED:
            return [_button(UNACK, "Take back", alert.id)]
    return []


def _snooze(alert: Alert) -> Block:
    endless = alert.period.startswith("last ")  # a rolling window never ends
    offered = [(label, until) for label, until in SNOOZES if not (endless and until == PERIOD)]
    return {
        "type": "static_select",
        "action_id": SNOOZE,
        "placeholder": _plain("Snooze"),
        "options": [{"text": _plain(label), "value": f"{alert.id} {until}"} for label, until in offered],
    }


def _button(action_id: str, label: str, value: str) -> Block:
    return {"type": "button", "action_id": action_id, "text": _plain(label), "value": value}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}

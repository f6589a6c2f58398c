"""What was pressed on a message, as the command that says the same."""

from __future__ import annotations

from collections.abc import Mapping

from alerter.notifiers.slack.controls import ACK, SNOOZE, UNACK, read_snooze
from alerter.slack_requests.grammar import Ack, Acting, Snooze, Unack


def pressed(payload: Mapping[str, object]) -> Acting | None:
    """Return what the payload of an interaction asks for; None where that is nothing, as of a link's button."""
    actions = payload.get("actions")
    for action in actions if isinstance(actions, list) else []:
        if isinstance(action, dict) and (found := _read(action)):
            return found
    return None


def words(command: Acting) -> str:
    """Return a command for the audit: ``acknowledge A-7F3K``."""
    match command:
        case Ack(reference):
            return f"acknowledge {reference}"
        case Unack(reference):
            return f"take back {reference}"
        case Snooze(reference, until):
            return f"snooze {reference} {until}"


def _read(action: Mapping[str, object]) -> Acting | None:
    match action.get("action_id"), action.get("value"), action.get("selected_option"):
        case (str(name), str(value), _) if name == ACK and value:
            return Ack(value)
        case (str(name), str(value), _) if name == UNACK and value:
            return Unack(value)
        case (str(name), _, {"value": str(value)}) if name == SNOOZE:
            reference, until = read_snooze(value)
            return Snooze(reference, until) if reference and until else None
    return None

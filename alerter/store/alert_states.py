"""Where alerts stand now: firing, held by somebody, or resolved."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection

from alerter.core.alerts import AlertState, AlertStatus
from alerter.core.budgets import Basis
from alerter.core.until import NEXT_THRESHOLD
from alerter.core.wording import moment
from alerter.store.bulk import select_in
from alerter.store.holds import SNOOZE

_COLUMNS = (
    "a.public_id, a.basis, a.percent, a.status, a.reason, a.resolved_ms, b.spec, h.kind, h.percent AS held, "
    "h.forecast_percent AS held_forecast, h.until_ms, h.until_words, h.actor, h.via, h.note, h.created_ms"
)
_HELD = (
    "JOIN budget b ON b.id = a.budget_id LEFT JOIN hold h ON h.budget_id = a.budget_id "
    "AND h.scope_id = a.scope_id AND h.period_start = a.period_start AND h.subject = a.subject AND h.ended_ms IS NULL"
)
_STATES = f"SELECT {_COLUMNS} FROM alert a {_HELD} WHERE a.id IN {{values}}"
_TOLD = (
    f"SELECT l.notification_id, {_COLUMNS} FROM alert_notification l JOIN alert a ON a.id = l.alert_id {_HELD} "
    "WHERE l.notification_id IN {values}"
)


def alert_states(connection: Connection, alert_ids: Collection[int]) -> dict[str, AlertState]:
    """Return the states of alerts (row ids) by their public ids.

    A hold covers an alert up to the threshold that it was made for: a higher one is firing, though the ones below
    stay acknowledged.
    """
    return {row.public_id: _state(row) for row in select_in(connection, _STATES, sorted(set(alert_ids)))}


def told_states(connection: Connection, notification_ids: Collection[int]) -> dict[int, dict[str, AlertState]]:
    """Return, by notification, the states of the alerts that it tells, by their public ids."""
    found: dict[int, dict[str, AlertState]] = {each: {} for each in notification_ids}
    for row in select_in(connection, _TOLD, sorted(found)):
        found[row.notification_id][row.public_id] = _state(row)
    return found


def zone_of(spec: str) -> str:
    """Return the time zone of a budget's stored definition; UTC where it can't be read."""
    try:
        return str(json.loads(spec)["timezone"])
    except (ValueError, KeyError, TypeError):
        return "UTC"


def currency_of(spec: str) -> str:
    """Return the currency of a budget's stored definition; USD where it can't be read."""
    try:
        return str(json.loads(spec)["currency"])
    except (ValueError, KeyError, TypeError):
        return "USD"


def _state(row: Any) -> AlertState:
    if row.status == AlertStatus.RESOLVED:
        return AlertState(AlertStatus.RESOLVED, at_ms=row.resolved_ms or 0, note=row.reason)
    covered = row.held_forecast if row.basis == Basis.FORECAST else row.held
    if row.kind is None or row.percent > covered:
        return AlertState()
    status = AlertStatus.SNOOZED if row.kind == SNOOZE else AlertStatus.ACKNOWLEDGED
    until = row.until_words
    if not until:  # of a hold that an earlier version made
        until = moment(row.until_ms, zone_of(row.spec)) if row.until_ms is not None else NEXT_THRESHOLD
    if row.basis == Basis.RUN and until == NEXT_THRESHOLD:
        until = ""  # a run is told once: it has no next one
    return AlertState(status, row.actor, row.created_ms, until, row.note, covers=row.held, via=row.via)

"""Which message a notification replies to, and what that message shows now.

An episode is one (budget, scope, period), or one run in it with an alert of its own. The first message about it that
reached a target is its root there; what comes later is a reply to that. A root shows the newest that was told of each
of its episodes, and so speaks of the present.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from alerter.core.alerts import Alert, AlertState, AlertStatus, Message
from alerter.core.budgets import Basis, Threshold
from alerter.core.ports import Receipt
from alerter.store.alert_states import alert_states
from alerter.store.bulk import query, select_in
from alerter.store.outbox_read import messages

PATIENT_ATTEMPTS = 10
"""So often a root may fail before what comes after it no longer waits: half an hour."""

_SAME_EPISODE = (
    "o.budget_id = a.budget_id AND o.scope_id = a.scope_id AND o.period_start = a.period_start "
    "AND o.subject = a.subject"
)
_EARLIER = (
    "SELECT DISTINCT me.id AS mine, a.budget_id, a.scope_id, a.period_start, a.subject, n.id, n.status, n.attempts, "
    "n.not_before_ms, n.reference FROM notification me JOIN alert_notification t ON t.notification_id = me.id "
    f"JOIN alert a ON a.id = t.alert_id LEFT JOIN alert o ON {_SAME_EPISODE} "
    "LEFT JOIN alert_notification l ON l.alert_id = o.id LEFT JOIN notification n ON n.id = l.notification_id "
    "AND n.id < me.id AND n.kind = me.kind AND n.target = me.target AND n.status <> 'dead' "
    "WHERE me.id IN {values} ORDER BY n.id"
)
_TOLD = (
    "SELECT o.id, o.public_id, o.basis, o.percent, o.status, o.budget_id, o.scope_id, o.period_start, "
    "o.subject, MAX(l.notification_id) AS newest FROM alert_notification mine JOIN alert a ON a.id = mine.alert_id "
    f"JOIN alert o ON {_SAME_EPISODE} JOIN alert_notification l ON l.alert_id = o.id "
    "WHERE mine.notification_id = ? "
    "GROUP BY o.id, o.public_id, o.basis, o.percent, o.status, o.budget_id, o.scope_id, o.period_start, o.subject"
)

_FIRST = (
    "SELECT n.receiver, a.id, MIN(n.id) FROM alert a "
    f"JOIN alert o ON {_SAME_EPISODE} JOIN alert_notification l ON l.alert_id = o.id "
    "JOIN notification n ON n.id = l.notification_id AND n.status <> 'dead' "
    "WHERE a.id IN {values} GROUP BY a.id, n.receiver"
)

_Episode = tuple[int, int, str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a notification belongs.

    Attributes:
        root: the message to reply to; None for one that stands by itself.
        wait_until_ms: the root is still on its way: not before this; None if there is nothing to wait for.
    """

    root: Receipt | None = None
    wait_until_ms: int | None = None


def places(connection: Connection, notification_ids: Collection[int]) -> dict[int, Place]:
    """Return what each notification replies to at its target.

    One about episodes with different roots, or about one that was not told there yet, stands by itself. A root that was
    deleted is followed by the message that was posted in its place.
    """
    earlier: dict[int, list[Any]] = {each: [] for each in notification_ids}
    for row in select_in(connection, _EARLIER, sorted(earlier)):
        earlier[row.mine].append(row)
    return {each: _place(rows) for each, rows in earlier.items()}


def _place(earlier: Sequence[Any]) -> Place:
    roots: dict[_Episode, tuple[int, Receipt] | None] = {}
    coming: dict[_Episode, int] = {}
    for row in earlier:
        episode = (row.budget_id, row.scope_id, row.period_start, row.subject)
        roots.setdefault(episode, None)
        if row.status == "pending" and row.attempts < PATIENT_ATTEMPTS:
            coming[episode] = max(row.not_before_ms, coming.get(episode, 0))
        elif row.status == "sent":
            receipt = Receipt(json.loads(row.reference))
            if not receipt.is_reply:
                roots[episode] = (row.id, receipt)
    if waiting := [at_ms for episode, at_ms in coming.items() if roots[episode] is None]:
        return Place(wait_until_ms=max(waiting))
    if len({root and root[0] for root in roots.values()}) != 1:
        return Place()
    root = next(iter(roots.values()))
    return Place(root and root[1])


def first_told(connection: Connection, alert_ids: Collection[int]) -> dict[tuple[str, int], int]:
    """Return the notification that told a receiver first of an alert's episode; none if none did.

    By receiver and the alert's row id.
    """
    rows = select_in(connection, _FIRST, sorted(set(alert_ids)))
    return {(receiver, alert_id): first for receiver, alert_id, first in rows}


def present(connection: Connection, notification_id: int, message: Message) -> tuple[Message, dict[str, AlertState]]:
    """Return a message with the newest that was told of each of its episodes, and where those alerts stand."""
    rows = query(connection, _TOLD, notification_id).all()
    episodes: dict[_Episode, list[Any]] = {}
    for row in rows:
        episodes.setdefault((row.budget_id, row.scope_id, row.period_start, row.subject), []).append(row)
    episode_of = {row.public_id: members for members in episodes.values() for row in members}
    told = messages(connection, {_newest(members) for members in episodes.values()})
    alerts = tuple(_now(each, episode_of.get(each.id, ()), told) for each in message.alerts)
    return replace(message, alerts=alerts), alert_states(connection, [row.id for row in rows])


def _newest(members: Sequence[Any]) -> int:
    """Return the notification that told last of an episode: of what still fires, if anything does."""
    return int(max(row.newest for row in _firing(members) or members))


def _firing(members: Sequence[Any]) -> list[Any]:
    return [row for row in members if row.status == AlertStatus.FIRING]


def _now(alert: Alert, members: Sequence[Any], told: Mapping[int, Message]) -> Alert:
    if not members:
        return alert
    ids = {row.public_id for row in members}
    message = told.get(_newest(members))
    newest = next((each for each in message.alerts if each.id in ids), alert) if message else alert
    order = sorted((row.basis != Basis.ACTUAL, row.percent) for row in _firing(members))
    crossed = tuple(str(Threshold(Basis.FORECAST if ahead else Basis.ACTUAL, percent)) for ahead, percent in order)
    return replace(newest, crossed=crossed or newest.crossed)

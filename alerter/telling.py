"""Put what was crossed into the outbox: one message per receiver and channel."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Connection

from alerter.briefing import Describer, Moment, brief
from alerter.config.model import ReceiverConfig
from alerter.core.alerts import Alert, Message, MessageKind
from alerter.core.budgets import Basis, receivers_for
from alerter.core.wording import opening_title
from alerter.evaluate import Fired
from alerter.store.alerts import StoredAlert
from alerter.store.outbox import enqueue
from alerter.store.totals import View

log = logging.getLogger(__name__)

Told = tuple[Fired, Alert]
"""A crossing, and what is said of it."""


def tell(
    view: View,
    fired: Sequence[Fired],
    receivers: Mapping[str, ReceiverConfig],
    describer: Describer,
    moment: Moment,
) -> int:
    """Enqueue one message per receiver and channel and return how many; in the evaluation's own transaction."""
    if not fired:
        return 0
    told = list(zip(fired, brief(view, fired, describer, moment), strict=True))
    kind = MessageKind.OPENING if moment.opening else MessageKind.ALERT
    count = 0
    for name, chosen in _by_receiver(told, frozenset(receivers)).items():
        receiver = receivers[name]
        ordered = sorted(chosen, key=_urgency)
        groups = [ordered] if receiver.group or moment.opening else [[each] for each in ordered]
        for group in groups:
            title = opening_title(len(view.budgets)) if moment.opening else ""
            message = Message(kind, tuple(alert for _, alert in group), title=title, at_ms=moment.now_ms)
            alerts = [alert for each, _ in group for alert in each.alerts]
            ids = [alert.id for alert in alerts]
            count += address(view.connection, receiver, _episode_key(alerts), message, ids)
    return count


def _by_receiver(told: Sequence[Told], known: frozenset[str]) -> dict[str, list[Told]]:
    chosen: dict[str, list[Told]] = {}
    for fired, alert in told:
        budget = fired.standing.budget
        names: dict[str, None] = {}
        for threshold in fired.thresholds:
            templates = budget.receivers if threshold.receivers is None else threshold.receivers
            names.update(dict.fromkeys(receivers_for(templates, fired.standing.scope, known)))
        if not names:
            log.warning("nobody is told id=%s budget=%r reason='no receiver'", alert.id, budget.name)
        for name in names:
            chosen.setdefault(name, []).append((fired, alert))
    return chosen


def address(
    connection: Connection, receiver: ReceiverConfig, key: str, message: Message, alert_ids: Collection[int] = ()
) -> int:
    """Enqueue a message to a receiver, over each of its channels; return how many were new. ``key`` is told once."""
    return sum(
        enqueue(
            connection,
            key=f"{kind}:{receiver.name}:{key}",
            receiver=receiver.name,
            kind=kind,
            target=target,
            message=message,
            alert_ids=alert_ids,
            now_ms=message.at_ms,
        )
        for kind, target in receiver.channels.items()
    )


def _episode_key(alerts: Sequence[StoredAlert]) -> str:
    """Return what a message about these alerts is recognised by: each tells of one firing."""
    episode = repr(sorted((alert.id, alert.fired_ms) for alert in alerts))
    return sha256(episode.encode()).hexdigest()[:24]


def _urgency(told: Told) -> tuple[bool, int, str]:
    alert = told[1]
    return alert.basis is Basis.FORECAST, -alert.spent_nanos * 10_000 // max(alert.amount_nanos, 1), alert.title

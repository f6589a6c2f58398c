"""Put what was crossed into the outbox: one message per receiver and channel."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256

from alerter.briefing import Describer, Moment, brief
from alerter.config.model import ReceiverConfig
from alerter.core.alerts import Alert, Message, MessageKind
from alerter.core.budgets import Basis, receivers_for
from alerter.core.wording import opening_title
from alerter.evaluate import Fired
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
            count += _enqueue(view, receiver, message, [each for each, _ in group], moment.now_ms)
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


def _enqueue(view: View, receiver: ReceiverConfig, message: Message, fired: Sequence[Fired], now_ms: int) -> int:
    alerts = [alert for each in fired for alert in each.alerts]
    episode = repr(sorted((alert.id, alert.fired_ms) for alert in alerts))
    digest = sha256(episode.encode()).hexdigest()[:24]
    return sum(
        enqueue(
            view.connection,
            key=f"{kind}:{receiver.name}:{digest}",
            receiver=receiver.name,
            kind=kind,
            target=target,
            message=message,
            alert_ids=[alert.id for alert in alerts],
            now_ms=now_ms,
        )
        for kind, target in receiver.channels.items()
    )


def _urgency(told: Told) -> tuple[bool, int, str]:
    alert = told[1]
    return alert.basis is Basis.FORECAST, -alert.spent_nanos * 10_000 // max(alert.amount_nanos, 1), alert.title

"""Put what was crossed into the outbox: one message per receiver and channel."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Connection

from alerter.briefing import Describer, Moment, brief
from alerter.config.model import ReceiverConfig
from alerter.core.alerts import Alert, Message, MessageKind
from alerter.core.budgets import Basis, receivers_for
from alerter.core.decisions import REMINDERS, Reason
from alerter.core.privacy import without_users
from alerter.core.wording import opening_title
from alerter.evaluate import Fired
from alerter.store import meta
from alerter.store.outbox import Letter, enqueue
from alerter.store.threads import first_told
from alerter.store.totals import View

log = logging.getLogger(__name__)

Told = tuple[Fired, Alert]
"""A crossing, and what is said of it."""

Addressed = tuple[ReceiverConfig, str, Message, Collection[int]]
"""Who gets a message, under which key, and the rows of the alerts that it tells."""


def tell(
    view: View,
    fired: Sequence[Fired],
    receivers: Mapping[str, ReceiverConfig],
    describer: Describer,
    moment: Moment,
    *,
    runs: Sequence[Told] = (),
) -> int:
    """Enqueue one message per receiver and channel and return how many; in the evaluation's own transaction.

    ``runs`` are the crossings of single runs.
    """
    if not fired and not runs:
        return 0
    told = [*zip(fired, brief(view, fired, describer, moment), strict=True), *runs]
    title = opening_title(len(view.budgets)) if moment.opening else ""
    before = first_told(view.connection, [fired.told.id for fired, _ in told])
    addressed: list[Addressed] = []
    for name, chosen in _by_receiver(told, frozenset(receivers)).items():
        receiver = receivers[name]
        for group in _groups(before, receiver, chosen):
            opening = group[0][0].reason is Reason.OPENING
            kind = MessageKind.OPENING if opening else MessageKind.ALERT
            alerts = tuple(alert for _, alert in group)
            message = Message(kind, alerts, title=title if opening else "", at_ms=moment.now_ms)
            ids = tuple(alert.id for each, _ in group for alert in each.alerts)
            addressed.append((receiver, _key([each for each, _ in group]), message, ids))
    return address(view.connection, addressed, moment.now_ms)


def _groups(before: Mapping[tuple[str, int], int], receiver: ReceiverConfig, told: Sequence[Told]) -> list[list[Told]]:
    """Return what goes into one message each: what was over before anybody watched always comes as one.

    What was told before goes with what was first told in the same message, as it is a reply to that.
    """
    ordered = sorted(told, key=_urgency)
    opening = [each for each in ordered if each[0].reason is Reason.OPENING]
    others = [each for each in ordered if each[0].reason is not Reason.OPENING]
    if not receiver.group:
        return [each for each in (opening, *([each] for each in others)) if each]
    groups: dict[int, list[Told]] = {}
    for each in others:
        groups.setdefault(before.get((receiver.name, each[0].told.id), 0), []).append(each)
    return [each for each in (opening, *groups.values()) if each]


def _by_receiver(told: Sequence[Told], known: frozenset[str]) -> dict[str, list[Told]]:
    chosen: dict[str, list[Told]] = {}
    for fired, alert in told:
        names: dict[str, None] = {}
        for templates in _addressed(fired):
            names.update(dict.fromkeys(receivers_for(templates, fired.standing.scope, known)))
        if not names:
            log.warning("nobody is told id=%s budget=%r reason='no receiver'", alert.id, fired.standing.budget.name)
        for name in names:
            chosen.setdefault(name, []).append((fired, alert))
    return chosen


def _addressed(fired: Fired) -> list[tuple[str, ...]]:
    """Return the templates of those who are told: news goes to the receivers of every threshold crossed."""
    budget = fired.standing.budget
    if fired.reason is Reason.ESCALATION:
        return [(budget.rules.escalate_to or "",)]
    thresholds = (fired.highest,) if fired.reason in REMINDERS else fired.thresholds
    return [budget.receivers if each.receivers is None else each.receivers for each in thresholds]


def address(connection: Connection, messages: Iterable[Addressed], now_ms: int) -> int:
    """Enqueue messages to receivers, over each of their channels; return how many were new. A key is told once.

    Two ledgers number alike and may tell the same people: what services recognise a message by names the ledger too.
    """
    ledger = meta.installation(connection)
    letters = [
        Letter(f"{kind}:{receiver.name}:{ledger}:{key}", receiver.name, kind, target, shown, alert_ids)
        for receiver, key, message, alert_ids in messages
        for shown in (message if receiver.show_users else without_users(message),)
        for kind, target in receiver.channels.items()
    ]
    return enqueue(connection, letters, now_ms=now_ms)


def _key(fired: Sequence[Fired]) -> str:
    """Return what a message is recognised by: it holds one telling of each of its episodes."""
    return sha256(repr(sorted(each.key for each in fired)).encode()).hexdigest()[:24]


def _urgency(told: Told) -> tuple[bool, int, str]:
    alert = told[1]
    return alert.basis is Basis.FORECAST, -alert.spent_nanos * 10_000 // max(alert.amount_nanos, 1), alert.title

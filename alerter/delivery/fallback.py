"""Who takes over what could not be delivered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy import Connection

from alerter.core.alerts import Message, MessageKind
from alerter.core.ports import Target
from alerter.core.privacy import without_users
from alerter.core.text import one_line
from alerter.store.outbox import Claimed, Letter, enqueue, told_alerts

log = logging.getLogger(__name__)

Fallback = Callable[[str], Iterable[tuple[str, Target]]]
"""Given the name of a receiver that can't be reached: the kinds and targets that take over, or none."""

_MARK = "#fallback:"
_TITLE_LIMIT = 250


def nobody(_receiver: str) -> tuple[tuple[str, Target], ...]:
    """Let no receiver take over."""
    return ()


def hand_over(connection: Connection, claimed: Claimed, fallback: Fallback, *, reason: str, now_ms: int) -> int:
    """Enqueue a notification for those who take over, once, and return to how many.

    What was handed over is not handed on, a test is not handed over, and nobody takes over from themselves.
    """
    if _MARK in claimed.key or claimed.message.kind is MessageKind.TEST:
        return 0
    told = 0
    for kind, target in fallback(claimed.receiver):
        if kind == claimed.kind and dict(target.settings) == dict(claimed.target):
            continue
        letter = Letter(
            key=f"{claimed.key}{_MARK}{kind}",
            receiver=target.receiver,
            kind=kind,
            target=target.settings,
            message=_explained(claimed, reason),
            alert_ids=told_alerts(connection, claimed.id),
        )
        told += enqueue(connection, [letter], now_ms=now_ms)
    if told:
        log.warning("handed over key=%s receiver=%s kind=%s", claimed.key, claimed.receiver, claimed.kind)
    return told


def _explained(claimed: Claimed, reason: str) -> Message:
    """Return the message with a title that says for whom it was, and why it comes here.

    It names no users: who takes over is not who it was meant for.
    """
    message = without_users(claimed.message)
    title = one_line(f"Not delivered to {claimed.receiver} by {claimed.kind}: {reason}", _TITLE_LIMIT)
    if message.alerts:
        return replace(message, title=title)
    return replace(message, title=title, text="\n".join(filter(None, (message.title, message.text))))

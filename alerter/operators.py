"""What the operators are told: a source that stays down, that it is back, and runs that no ledger takes; once each."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from alerter.core.alerts import Message, MessageKind
from alerter.core.periods import iso
from alerter.core.ports import Target
from alerter.delivery.fallback import Fallback
from alerter.services import Services
from alerter.store.sources import SourceState, mark_told
from alerter.store.totals import View
from alerter.telling import address

log = logging.getLogger(__name__)


def tell_operators(view: View, services: Services, states: Sequence[SourceState], now_ms: int) -> None:
    """Enqueue a notice for each source that has just been down for too long, or that is back after one."""
    down_after_ms = round(services.config.poll.source_down_after_s * 1000)
    for state in states:
        since = state.failing_since_ms
        if since is not None and not state.told_down and now_ms - since >= down_after_ms:
            text = f"{state.error}\nIts last totals stand, marked stale, until it can be read again."
            notice = Message(MessageKind.OPERATOR, title=f"{state.name} can't be read", text=text, at_ms=now_ms)
            notify(view, services, f"source-down:{state.name}:{since}", notice)
            mark_told(view.connection, state.id, down=True)
        elif since is None and state.told_down:
            text = f"It was read completely at {iso(now_ms)}; its totals are up to date again."
            notice = Message(MessageKind.OPERATOR, title=f"{state.name} is back", text=text, at_ms=now_ms)
            notify(view, services, f"source-up:{state.name}:{now_ms}", notice)
            mark_told(view.connection, state.id, down=False)


def tell_set_aside(view: View, services: Services, source: str, runs: int, now_ms: int) -> None:
    """Enqueue a notice of runs that can't be recorded, once a month for a source: each sweep meets them again."""
    text = f"{runs} of those just read have a time, a name or a cost that no database takes."
    text += "\nThey are in no total. The log names each."
    notice = Message(MessageKind.OPERATOR, title=f"Runs of {source} can't be recorded", text=text, at_ms=now_ms)
    notify(view, services, f"set-aside:{source}:{iso(now_ms)[:7]}", notice)


def notify(view: View, services: Services, key: str, notice: Message, to: str = "") -> None:
    """Enqueue one notice for the operators' receiver, or another one, and log it; the same key is told once."""
    log.warning("operators to=%r title=%r text=%r", to, notice.title, notice.text)
    receiver = services.receivers.get(to or services.config.operators or "")
    if receiver is None:
        return
    address(view.connection, [(receiver, key, notice, ())], notice.at_ms)


def fallback_of(services: Services) -> Fallback:
    """Return who takes over what a receiver could not be told: its `fallback`, else the operators' receiver."""

    def taking_over(name: str) -> list[tuple[str, Target]]:
        failing = services.receivers.get(name)
        chosen = (failing.fallback if failing else None) or services.config.operators
        receiver = services.receivers.get(chosen or "")
        if receiver is None:
            return []
        return [(kind, Target(receiver.name, settings)) for kind, settings in receiver.channels.items()]

    return taking_over

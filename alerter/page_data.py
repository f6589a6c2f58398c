"""What stands on the status page, read in one state of the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from alerter import __version__
from alerter.core.alerts import Message
from alerter.core.text import one_line
from alerter.core.views import PageData, SourceView, UndeliveredView
from alerter.core.wording import FIRING, group_title, headline
from alerter.services import Services
from alerter.status import alert_views, budget_status, freshness
from alerter.store import sources
from alerter.store.outbox_read import NotificationView, list_notifications, messages
from alerter.store.sources import SourceState
from alerter.store.totals import View

WAITING_MS = 60_000
"""A message that has waited longer, or was tried in vain, is shown."""

LOST_SHOWN_MS = 7 * 86_400_000
"""How long a message that was given up is shown."""

_MOST = 100
_WHAT_LIMIT = 150


def page_data(services: Services, view: View, now_ms: int, problems: Sequence[str]) -> PageData:
    """Return everything on the status page, in one state of the ledger."""
    fresh = freshness(view)
    return PageData(
        now_ms=now_ms,
        as_of_ms=fresh.as_of_ms,
        stale=fresh.stale,
        version=__version__,
        timezone=_zone(services),
        budgets=budget_status(view, now_ms),
        alerts=alert_views(view),
        undelivered=_undelivered(view, now_ms),
        sources=[
            SourceView(name, state.complete_ms if state else None, _problem(state))
            for name, state in source_states(services, view)
        ],
        problems=problems,
    )


def source_states(services: Services, view: View) -> Iterator[tuple[str, SourceState | None]]:
    """Yield the configured sources with their state, None for one that was never polled."""
    known = {state.name: state for state in sources.states(view.connection)}
    for source in services.sources:
        yield source.name, known.get(source.name)


def _problem(state: SourceState | None) -> str:
    return state.error if state is not None and state.failing_since_ms is not None else ""


def _undelivered(view: View, now_ms: int) -> list[UndeliveredView]:
    """Return the messages that were given up, and those that wait for longer than they should; the oldest last."""
    waiting = [
        each
        for each in list_notifications(view.connection, status="pending", limit=_MOST)
        if each.attempts or now_ms - each.created_ms > WAITING_MS
    ]
    lost = [
        each
        for each in list_notifications(view.connection, status="dead", limit=_MOST)
        if now_ms - each.created_ms < LOST_SHOWN_MS
    ]
    said = messages(view.connection, [each.id for each in (*waiting, *lost)])
    return [_view(each, said.get(each.id)) for each in (*waiting, *lost)]


def _view(row: NotificationView, message: Message | None) -> UndeliveredView:
    return UndeliveredView(
        receiver=row.receiver,
        kind=row.kind,
        state=row.status,
        attempts=row.attempts,
        what=one_line(_subject(message) or ", ".join(row.alert_ids) or row.key, _WHAT_LIMIT),
        since_ms=row.created_ms,
        problem=row.error,
    )


def _subject(message: Message | None) -> str:
    if message is None:
        return ""
    if len(message.alerts) == 1 and not message.title:
        return headline(message.alerts[0], FIRING)
    return group_title(message)


def _zone(services: Services) -> str:
    """Return the zone in which most budgets count their days."""
    zones = Counter(budget.timezone for budget in services.config.budgets)
    return zones.most_common(1)[0][0] if zones else "UTC"

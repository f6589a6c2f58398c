"""Acknowledge alerts and take that back: the same verbs for the command line, the page and Slack.

Each is one transaction that holds the decision, its place in the audit (also of what was refused), and the request to
show the new state on the alert's messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from alerter.core.budgets import Basis
from alerter.core.periods import local
from alerter.core.text import one_line
from alerter.core.wording import moment
from alerter.store.engine import Store
from alerter.store.holds import ACK, Hold, audit, end_hold, hold_in_force, lock_scope, place_hold
from alerter.store.outbox import request_update
from alerter.store.references import (
    Episode,
    alert_by_id,
    episode_of,
    firing_episodes,
    scopes_called,
    suggestions,
)

NOTE_LIMIT = 500
_REFERENCE_LIMIT = 200
_SHOWN = 5
_DEFAULT_UNTIL = frozenset({"", "next", "next threshold", "the next threshold"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did.

    Attributes:
        ok: whether it took effect, or had already.
        text: one plain-text sentence for the person who asked. It may quote tag values: escape it for its medium.
        code: ``acknowledged``, ``unacknowledged``, ``already``, ``not_acknowledged``, ``unknown``, ``ambiguous``,
            ``quiet`` (nothing fires), ``resolved``, ``closed`` or ``unsupported``.
        alert_ids: public ids of the alerts concerned, the highest threshold last.
    """

    ok: bool
    text: str
    code: str
    alert_ids: tuple[str, ...] = ()


def acknowledge(
    store: Store, reference: str, *, actor: str, via: str, now_ms: int, note: str = "", until: str | None = None
) -> Outcome:
    """Acknowledge what fires of an alert's id or a budget's or scope's name, until its next threshold.

    ``actor`` is who, ``via`` from where (``cli``, ``slack``, ``page``); a note is cut at 500 characters. Idempotent: of
    two people at once, one acknowledges and the other is told who did.

    Raises:
        StoreError: the database can't be written; nothing was changed.
    """
    ask = _Ask(reference, one_line(actor), via, now_ms, one_line(note, NOTE_LIMIT))
    with store.write() as connection:
        if (until or "").strip().casefold() not in _DEFAULT_UNTIL:
            outcome = _unsupported(until or "")
        else:
            found = _find(connection, ask, "acknowledge")
            outcome = found if isinstance(found, Outcome) else _acknowledge(connection, found, ask)
        _audit(connection, "ack", ask, outcome)
    return outcome


def unacknowledge(store: Store, reference: str, *, actor: str, via: str, now_ms: int) -> Outcome:
    """Take an acknowledgement back, whoever gave it; see `acknowledge`.

    Raises:
        StoreError: the database can't be written; nothing was changed.
    """
    ask = _Ask(reference, one_line(actor), via, now_ms)
    with store.write() as connection:
        found = _find(connection, ask, "take back")
        outcome = found if isinstance(found, Outcome) else _unacknowledge(connection, found, ask)
        _audit(connection, "unack", ask, outcome)
    return outcome


def record_refusal(store: Store, *, actor: str, via: str, what: str, now_ms: int) -> None:
    """Put in the audit that somebody was refused what they asked for, because they may not."""
    with store.write() as connection:
        target = one_line(what, _REFERENCE_LIMIT)
        audit(connection, at_ms=now_ms, actor=one_line(actor), via=via, action="refused", target=target)


@dataclass(frozen=True, slots=True)
class _Ask:
    reference: str
    actor: str
    via: str
    now_ms: int
    note: str = ""

    @property
    def words(self) -> str:
        return one_line(self.reference)


def _find(connection: Connection, ask: _Ask, verb: str) -> Episode | Outcome:
    """Return the one open episode that is meant and fires, or why there is none."""
    alert = alert_by_id(connection, ask.reference)
    if alert is not None:
        episode = episode_of(connection, alert)
        if episode.is_closed(ask.now_ms):
            return _closed(episode)
        if alert not in episode.firing:
            when = f", {moment(alert.resolved_ms, episode.name.zone)}" if alert.resolved_ms else ""
            text = f"{alert.public_id} ({_label(episode)}) is resolved{when}: there is nothing to {verb}"
            return Outcome(ok=False, text=text, code="resolved", alert_ids=(alert.public_id,))
        return episode
    names = scopes_called(connection, ask.reference)
    if not names:
        return _unknown(connection, ask)
    episodes = firing_episodes(connection, names)
    still_open = [each for each in episodes if not each.is_closed(ask.now_ms)]
    if len(still_open) == 1:
        return still_open[0]
    if still_open:
        return _several(still_open, ask)
    if episodes:
        return _closed(episodes[0])
    return Outcome(ok=False, text=f"Nothing fires for {ask.words}: there is nothing to {verb}", code="quiet")


def _acknowledge(connection: Connection, episode: Episode, ask: _Ask) -> Outcome:
    lock_scope(connection, episode.name.scope_id)
    held = _hold(connection, episode)
    if held is not None and held.kind == ACK and _covers_all(held, episode):
        return _already(episode, held, ask)
    if held is not None:
        end_hold(connection, held, now_ms=ask.now_ms)
    made = Hold(
        id=0,
        budget_id=episode.name.budget_id,
        scope_id=episode.name.scope_id,
        period_start=episode.period_start,
        kind=ACK,
        percent=_highest(episode, Basis.ACTUAL),
        forecast_percent=_highest(episode, Basis.FORECAST),
        until_ms=None,
        actor=ask.actor,
        via=ask.via,
        note=ask.note,
        created_ms=ask.now_ms,
        subject=episode.subject,
    )
    if not place_hold(connection, made):
        winner = _hold(connection, episode)
        return _already(episode, winner or made, ask)
    request_update(connection, [each.id for each in episode.alerts])
    text = f"{_label(episode)} ({_ids(episode)[-1]}) is acknowledged by {ask.actor}, quiet until the next threshold"
    return Outcome(ok=True, text=text, code="acknowledged", alert_ids=_ids(episode))


def _unacknowledge(connection: Connection, episode: Episode, ask: _Ask) -> Outcome:
    lock_scope(connection, episode.name.scope_id)
    held = _hold(connection, episode)
    if held is None or not end_hold(connection, held, now_ms=ask.now_ms):
        text = f"{_label(episode)} ({_ids(episode)[-1]}) is not acknowledged: there is nothing to take back"
        return Outcome(ok=True, text=text, code="not_acknowledged", alert_ids=_ids(episode))
    request_update(connection, [each.id for each in episode.alerts])
    text = f"{_label(episode)} ({_ids(episode)[-1]}) is no longer acknowledged; {held.actor} had acknowledged it"
    return Outcome(ok=True, text=text, code="unacknowledged", alert_ids=_ids(episode))


def _hold(connection: Connection, episode: Episode) -> Hold | None:
    name = episode.name
    return hold_in_force(connection, name.budget_id, name.scope_id, episode.period_start, episode.subject)


def _covers_all(held: Hold, episode: Episode) -> bool:
    return all(held.covers(each.basis, each.percent) for each in episode.firing)


def _highest(episode: Episode, basis: Basis) -> int:
    return max((each.percent for each in episode.firing if each.basis is basis), default=0)


def _ids(episode: Episode) -> tuple[str, ...]:
    # What is spent weighs more than what is expected.
    ranked = sorted(episode.firing, key=lambda each: (each.basis is Basis.ACTUAL, each.percent))
    return tuple(each.public_id for each in ranked)


def _label(episode: Episode) -> str:
    return one_line(episode.name.label)


def _already(episode: Episode, held: Hold, ask: _Ask) -> Outcome:
    at, now = (local(each, episode.name.zone) for each in (held.created_ms, ask.now_ms))
    when = f"{at:%H:%M}" if at.date() == now.date() else moment(held.created_ms, episode.name.zone)
    text = f"{_label(episode)} ({_ids(episode)[-1]}) is already acknowledged by {held.actor} at {when}"
    return Outcome(ok=True, text=text, code="already", alert_ids=_ids(episode))


def _closed(episode: Episode) -> Outcome:
    last = date.fromisoformat(episode.alerts[0].period_end) - timedelta(days=1)
    text = f"{_label(episode)}: its period ended on {last}, so nothing was changed"
    return Outcome(ok=False, text=text, code="closed", alert_ids=tuple(each.public_id for each in episode.alerts))


def _several(episodes: list[Episode], ask: _Ask) -> Outcome:
    labels = [f"{_label(each)} ({_ids(each)[-1]})" for each in episodes[:_SHOWN]]
    more = f" and {len(episodes) - _SHOWN} more" if len(episodes) > _SHOWN else ""
    text = f"{ask.words} could be {', '.join(labels)}{more}: name one of them"
    return Outcome(ok=False, text=text, code="ambiguous", alert_ids=tuple(_ids(each)[-1] for each in episodes))


def _unknown(connection: Connection, ask: _Ask) -> Outcome:
    if not ask.words:
        return Outcome(ok=False, text="Name an alert such as A-7F3K, or a budget", code="unknown")
    close = [one_line(each) for each in suggestions(connection, ask.reference)]
    hint = f"did you mean {' or '.join(close)}?" if close else "`status` lists the budgets, `alerts` the alerts"
    return Outcome(ok=False, text=f"No alert and no budget is called {ask.words}; {hint}", code="unknown")


def _unsupported(until: str) -> Outcome:
    text = f"until {one_line(until)}: an acknowledgement lasts until the next threshold; leave `until` out"
    return Outcome(ok=False, text=text, code="unsupported")


def _audit(connection: Connection, action: str, ask: _Ask, outcome: Outcome) -> None:
    target = one_line(ask.reference, _REFERENCE_LIMIT)
    note = f"-- {ask.note}" if ask.note else ""
    detail = " ".join(filter(None, (outcome.code, ",".join(outcome.alert_ids[-_SHOWN:]), note)))
    audit(connection, at_ms=ask.now_ms, actor=ask.actor, via=ask.via, action=action, target=target, detail=detail)

"""Acknowledge alerts, snooze them, take that back: the same verbs for the command line, the page and Slack.

Each is one transaction that holds the decision, its place in the audit (also of what was refused), and the request to
show the new state on the alert's messages.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from alerter.core.budgets import Basis, Reach, everything
from alerter.core.periods import local
from alerter.core.text import one_line
from alerter.core.until import NEXT_THRESHOLD, Until, UntilError, UntilKind, parse
from alerter.core.wording import moment
from alerter.holds.asking import SHOWN, Ask, Outcome, find, ids, named, period_end_ms
from alerter.store.engine import Store
from alerter.store.episodes import load_episodes
from alerter.store.holds import ACK, SNOOZE, Hold, audit, end_hold, hold_in_force, lock_scope, place_hold
from alerter.store.outbox import request_update
from alerter.store.references import Episode

__all__ = [
    "NOTE_LIMIT",
    "Outcome",
    "acknowledge",
    "record_refusal",
    "snooze",
    "unacknowledge",
]

NOTE_LIMIT = 500
_REFERENCE_LIMIT = 200
_DONE = {ACK: "acknowledged", SNOOZE: "snoozed"}
_LASTS = {UntilKind.TIME, UntilKind.PERIOD}


def acknowledge(
    store: Store,
    reference: str,
    *,
    actor: str,
    via: str,
    now_ms: int,
    note: str = "",
    until: str | None = None,
    reaches: Reach = everything,
) -> Outcome:
    """Acknowledge what fires of an alert's id or a budget's or scope's name, until its next threshold.

    ``until`` may say another end: ``100%``, ``+$500``, ``$900``, a date, a time, ``period``; see `alerter.core.until`.
    ``actor`` is who, ``via`` from where (``cli``, ``slack``, ``page``); a note is cut at 500 characters. Idempotent: of
    two people at once, one acknowledges and the other is told who did. Only budgets that ``reaches`` accepts, by name
    and scope, are acted on.

    Raises:
        StoreError: the database can't be written; nothing was changed.
    """
    ask = Ask(reference, one_line(actor), via, now_ms, one_line(note, NOTE_LIMIT), reaches)
    return _keep_quiet(store, ask, ACK, until or "", "acknowledge")


def snooze(
    store: Store,
    reference: str,
    *,
    actor: str,
    via: str,
    now_ms: int,
    until: str,
    note: str = "",
    reaches: Reach = everything,
) -> Outcome:
    """Keep what fires quiet for a time (``2h``, ``3d``, a date, ``period``); after it, it is told if it still fires.

    See `acknowledge`.

    Raises:
        StoreError: the database can't be written; nothing was changed.
    """
    ask = Ask(reference, one_line(actor), via, now_ms, one_line(note, NOTE_LIMIT), reaches)
    return _keep_quiet(store, ask, SNOOZE, until, "snooze")


def unacknowledge(
    store: Store, reference: str, *, actor: str, via: str, now_ms: int, reaches: Reach = everything
) -> Outcome:
    """Take an acknowledgement or a snooze back, whoever gave it; see `acknowledge`.

    Raises:
        StoreError: the database can't be written; nothing was changed.
    """
    ask = Ask(reference, one_line(actor), via, now_ms, reaches=reaches)
    with store.write() as connection:
        found = find(connection, ask, "take back")
        outcome = found if isinstance(found, Outcome) else _take_back(connection, found, ask)
        _audit(connection, "unack", ask, outcome)
    return outcome


def record_refusal(store: Store, *, actor: str, via: str, what: str, now_ms: int) -> None:
    """Put in the audit that somebody was refused what they asked for, because they may not."""
    with store.write() as connection:
        target = one_line(what, _REFERENCE_LIMIT)
        audit(connection, at_ms=now_ms, actor=one_line(actor), via=via, action="refused", target=target)


def _keep_quiet(store: Store, ask: Ask, kind: str, until: str, verb: str) -> Outcome:
    ends = ""
    with store.write() as connection:
        found = find(connection, ask, verb)
        if isinstance(found, Outcome):
            outcome = found
        else:
            lock_scope(connection, found.name.scope_id)
            try:
                wanted = _wanted(connection, found, ask, kind, until)
                outcome = _place(connection, found, ask, wanted)
                ends = _end(found, wanted)
            except UntilError as error:
                outcome = Outcome(ok=False, text=str(error), code="unsupported", alert_ids=ids(found))
        done = outcome.code == _DONE[kind]
        _audit(connection, kind, ask, outcome, f"until {ends}" if done and ends else "")
    return outcome


def _wanted(connection: Connection, episode: Episode, ask: Ask, kind: str, text: str) -> Hold:
    """Return the hold that is asked for.

    Raises:
        UntilError: its end is not understood, is past, or is no end of such a hold.
    """
    name = episode.name
    spent = _spent(connection, episode)
    until = parse(text, now_ms=ask.now_ms, zone=name.zone, currency=name.currency)
    if kind == SNOOZE and until.kind not in _LASTS:
        raise UntilError("a snooze lasts for a time: 2h, 3d, 16:00, 2026-12-01, or period; `ack` waits for spending")
    until = until.at(spent=spent, period_end_ms=period_end_ms(episode))
    _refuse_past(until, episode, spent)
    below = (until.percent or 0) - 1
    return Hold(
        id=0,
        budget_id=name.budget_id,
        scope_id=name.scope_id,
        period_start=episode.period_start,
        kind=kind,
        percent=max(_highest(episode, Basis.ACTUAL), below),
        forecast_percent=max(_highest(episode, Basis.FORECAST), below),
        until_ms=until.at_ms,
        actor=ask.actor,
        via=ask.via,
        note=ask.note,
        created_ms=ask.now_ms,
        subject=episode.subject,
        until_nanos=until.nanos,
        until_percent=until.percent,
        until_words=until.words(name.currency, name.zone),
    )


def _refuse_past(until: Until, episode: Episode, spent: int) -> None:
    amount = max(episode.alerts, key=lambda each: each.fired_ms).amount_nanos
    gone = until.percent is not None and spent * 100 >= until.percent * amount
    if gone or (until.nanos is not None and spent >= until.nanos):
        words = until.words(episode.name.currency, episode.name.zone)
        reached = f"{words} has been reached already" if gone else f"{words.removesuffix(' is spent')} is spent already"
        raise UntilError(f"{reached}: write a higher one")


def _place(connection: Connection, episode: Episode, ask: Ask, wanted: Hold) -> Outcome:
    held = _hold(connection, episode)
    if held is not None and not _gives_way(held, wanted, episode):
        return _already(episode, held, ask)
    if held is not None:
        end_hold(connection, held, now_ms=ask.now_ms)
    if not place_hold(connection, wanted):
        winner = _hold(connection, episode)
        return _already(episode, winner or wanted, ask)
    request_update(connection, [each.id for each in episode.alerts])
    before = ""
    if held is not None and held.actor != ask.actor and held.kind != wanted.kind:
        before = f" in place of the snooze by {held.actor}"
    end = _end(episode, wanted)
    text = f"{named(episode)} is {_DONE[wanted.kind]} by {ask.actor}{before}" + (f", quiet until {end}" if end else "")
    return Outcome(ok=True, text=text, code=_DONE[wanted.kind], alert_ids=ids(episode))


def _gives_way(held: Hold, wanted: Hold, episode: Episode) -> bool:
    """Whether a new hold takes an old one's place: others' stand, but for an acknowledgement of what is snoozed."""
    over = held.until_ms is not None and held.until_ms <= wanted.created_ms
    if over or not all(held.covers(each.basis, each.percent) for each in episode.firing):
        return True
    if held.actor == wanted.actor:
        unchanged = replace(wanted.terms, percent=0, forecast_percent=0)
        return unchanged != replace(held.terms, percent=0, forecast_percent=0)
    return held.kind == SNOOZE and wanted.kind == ACK


def _take_back(connection: Connection, episode: Episode, ask: Ask) -> Outcome:
    lock_scope(connection, episode.name.scope_id)
    held = _hold(connection, episode)
    if held is None or not end_hold(connection, held, now_ms=ask.now_ms):
        text = f"{named(episode)} is not acknowledged: there is nothing to take back"
        return Outcome(ok=True, text=text, code="not_acknowledged", alert_ids=ids(episode))
    request_update(connection, [each.id for each in episode.alerts])
    done = _DONE[held.kind]
    text = f"{named(episode)} is no longer {done}; {held.actor} had {done} it"
    return Outcome(ok=True, text=text, code="unacknowledged", alert_ids=ids(episode))


def _hold(connection: Connection, episode: Episode) -> Hold | None:
    name = episode.name
    return hold_in_force(connection, name.budget_id, name.scope_id, episode.period_start, episode.subject)


def _spent(connection: Connection, episode: Episode) -> int:
    """Return what was spent at the last evaluation, in nanos."""
    key = (episode.name.budget_id, episode.name.scope_id, episode.period_start)
    known = load_episodes(connection, [episode.period_start], episode.subject).get(key)
    return known.spent if known else max(each.spent_nanos for each in episode.alerts)


def _highest(episode: Episode, basis: Basis) -> int:
    ahead = basis is Basis.FORECAST  # the limit of a single run is of what it has cost
    return max((each.percent for each in episode.firing if (each.basis is Basis.FORECAST) is ahead), default=0)


def _already(episode: Episode, held: Hold, ask: Ask) -> Outcome:
    at, now = (local(each, episode.name.zone) for each in (held.created_ms, ask.now_ms))
    when = f"{at:%H:%M}" if at.date() == now.date() else moment(held.created_ms, episode.name.zone)
    text = f"{named(episode)} is already {_DONE[held.kind]} by {held.actor} at {when}"
    if held.kind == SNOOZE or held.until_words not in {None, NEXT_THRESHOLD}:
        text += f", until {held.until(episode.name.zone)}"
    return Outcome(ok=True, text=text, code="already", alert_ids=ids(episode))


def _end(episode: Episode, hold: Hold) -> str:
    """Return a hold's end for people; ``""`` where nothing would be told anyway, as of a single run."""
    end = hold.until(episode.name.zone)
    return "" if episode.subject and end == NEXT_THRESHOLD else end


def _audit(connection: Connection, action: str, ask: Ask, outcome: Outcome, ends: str = "") -> None:
    target = one_line(ask.reference, _REFERENCE_LIMIT)
    note = f"-- {ask.note}" if ask.note else ""
    detail = " ".join(filter(None, (outcome.code, ",".join(outcome.alert_ids[-SHOWN:]), ends, note)))
    audit(connection, at_ms=ask.now_ms, actor=ask.actor, via=ask.via, action=action, target=target, detail=detail)

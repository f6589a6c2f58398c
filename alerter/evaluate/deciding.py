"""Decide about episodes: what the pure function says becomes rows, an ended hold, and what is to be told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alerter.core.budgets import Basis, Threshold
from alerter.core.decisions import REMINDERS, Decision, Reason, Situation, Told, decide
from alerter.core.evaluation import AlertKey, Change, Transition, key_of
from alerter.evaluate.episodes import Episode, put, resolve
from alerter.evaluate.measuring import Standing
from alerter.store.alerts import FIRING, StoredAlert, set_reason
from alerter.store.episodes import EpisodeKey, Known, load_episodes, save_episodes
from alerter.store.holds import Hold, all_in_force, audit, end_hold, last_ended
from alerter.store.outbox import request_update
from alerter.store.totals import View

log = logging.getLogger(__name__)

ACTOR, VIA = "alerter", "cycle"
"""Who ends holds that end by themselves, in the audit."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What is to be told of one episode: alerts with their thresholds, and why.

    Attributes:
        key: what this telling is recognised by; no other has it.
        repeats: reminders since the last news, this one included.
        repeat_ms, escalate_ms: when it is told again, or escalated, if nobody acknowledges it; None for not.
    """

    standing: Standing
    alerts: tuple[StoredAlert, ...]
    thresholds: tuple[Threshold, ...]
    reason: Reason
    key: str
    repeats: int = 0
    repeat_ms: int | None = None
    escalate_ms: int | None = None

    @property
    def told(self) -> StoredAlert:
        """The alert that a message names: the highest actual threshold, or the highest forecast one."""
        return self.alerts[self._highest()]

    @property
    def highest(self) -> Threshold:
        """The threshold that a message names."""
        return self.thresholds[self._highest()]

    def _highest(self) -> int:
        order = [(each.basis is Basis.ACTUAL, each.percent) for each in self.thresholds]
        return order.index(max(order))


@dataclass(slots=True)
class Round:
    """One evaluation: what was known before it, and what it decided.

    Attributes:
        known: what was told of each episode, as it is after the decisions so far.
        holds, freed: the holds in force, and when others last ended.
        decided: reasons, counted where something was told or a silence began.
    """

    view: View
    now_ms: int
    opening: bool
    known: dict[EpisodeKey, Known]
    holds: Mapping[EpisodeKey, Hold]
    freed: Mapping[EpisodeKey, int]
    fired: list[Fired] = field(default_factory=list)
    decided: Counter[Reason] = field(default_factory=Counter)
    changed: set[EpisodeKey] = field(default_factory=set)

    def note(self, key: EpisodeKey, after: Known, reason: Reason, *, tells: bool) -> None:
        """Remember a decision; count it if something is told, or if the silence has another reason than before."""
        before = self.known.get(key, Known())
        if tells or before.told.silence is not reason:
            self.decided[reason] += 1
        if after != before:
            self.known[key] = after
            self.changed.add(key)

    def save(self) -> None:
        """Record what is known now."""
        save_episodes(self.view.connection, {key: self.known[key] for key in sorted(self.changed)})


def begin(view: View, episodes: Iterable[Episode], now_ms: int, *, opening: bool) -> Round:
    """Return an evaluation of some episodes, with all that earlier ones left."""
    starts = {each.start for each in episodes if each.alerts}
    holds = {(each.budget_id, each.scope_id, each.period_start): each for each in all_in_force(view.connection)}
    known, freed = load_episodes(view.connection, starts), last_ended(view.connection, starts)
    return Round(view, now_ms, opening, known, holds, freed)


def judge(work: Round, episode: Episode, changes: Sequence[Transition]) -> None:
    """Bring one episode's alerts in line with its spending, decide whether to tell, and remember that."""
    going = [each for each in changes if each.change is Change.RESOLVE]
    coming = [each for each in changes if each.change is not Change.RESOLVE]
    if not (episode.alerts or coming):
        return
    resolved = resolve(work.view, episode, going, work.now_ms)
    before = work.known.get(episode.key, Known()).told
    gone = {key_of(each.threshold) for each in going}
    fires = (episode.keys(FIRING) - gone) | {key_of(each.threshold) for each in coming}
    decision = decide(_situation(work, episode, fires, resolved))
    alerts = {key: episode.alerts[key] for key in fires if key in episode.alerts}
    for alert in put(work.view, episode, coming, decision.reason, work.now_ms):
        alerts[AlertKey(alert.basis, alert.percent)] = alert
    if decision.hold_ended is not None:
        _end_hold(work, episode, alerts, decision.hold_ended)
    if decision.tells:
        work.fired.append(_fired(work, episode, alerts, before, decision))
    elif decision.reason not in {before.silence, Reason.NOTHING_NEW}:
        log.info("not told budget=%r scope=%s reason=%r", episode.standing.budget.name, episode.key[1], decision.reason)
    after = Known(decision.told, episode.standing.spend.spent)
    work.note(episode.key, after, decision.reason, tells=decision.tells)


def _situation(work: Round, episode: Episode, fires: set[AlertKey], resolved: Reason | None) -> Situation:
    standing, hold = episode.standing, work.holds.get(episode.key)
    level = standing.level
    highest = {basis: max((each.percent for each in fires if each.basis is basis), default=0) for basis in Basis}
    return Situation(
        now_ms=work.now_ms,
        zone=standing.budget.timezone,
        rules=standing.budget.rules,
        told=work.known.get(episode.key, Known()).told,
        actual=highest[Basis.ACTUAL],
        forecast=highest[Basis.FORECAST],
        spent=level.spent,
        amount=level.amount,
        expected=level.forecast,
        hold=hold.terms if hold else None,
        freed_ms=work.freed.get(episode.key),
        resolved=resolved,
        opening=work.opening,
        closed=episode.closed,
    )


def _fired(
    work: Round, episode: Episode, alerts: Mapping[AlertKey, StoredAlert], before: Told, decision: Decision
) -> Fired:
    told = {Basis.ACTUAL: before.actual, Basis.FORECAST: before.forecast}
    reminds = decision.reason in REMINDERS
    named = sorted(key for key in alerts if reminds or key.percent > told[key.basis])
    why = decision.reason.value
    set_reason(work.view.connection, [alerts[key] for key in named if alerts[key].reason != why], why)
    rows = [replace(alerts[key], reason=why) for key in named]
    budget_id, scope_id, start = episode.key
    fired = Fired(
        episode.standing,
        tuple(rows),
        tuple(episode.threshold(key) for key in named),
        decision.reason,
        f"{budget_id}.{scope_id}.{start}.{decision.told.tellings}",
        decision.told.repeats,
        decision.repeat_ms,
        decision.escalate_ms,
    )
    budget = episode.standing.budget.name
    log.info(
        "alert told id=%s budget=%r threshold=%s reason=%r",
        *(fired.told.public_id, budget, fired.highest, decision.reason.value),
    )
    return fired


def _end_hold(work: Round, episode: Episode, alerts: Mapping[AlertKey, StoredAlert], reason: Reason) -> None:
    hold = work.holds[episode.key]
    every = [*alerts.values(), *episode.alerts.values()]
    close_hold(work.view, hold, reason.value, work.now_ms, target=every[0].public_id, zone=_zone(episode))
    request_update(work.view.connection, [each.id for each in every])


def _zone(episode: Episode) -> str:
    return episode.standing.budget.timezone


def close_hold(view: View, hold: Hold, why: str, now_ms: int, *, target: str, zone: str) -> None:
    """End a hold that has ended by itself, unless somebody was quicker, and put that in the audit."""
    if end_hold(view.connection, hold, now_ms=now_ms):
        detail = f"{hold.kind} by {hold.actor} until {hold.until(zone)}"
        audit(view.connection, at_ms=now_ms, actor=ACTOR, via=VIA, action=why, target=target, detail=detail)

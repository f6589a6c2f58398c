"""What somebody asked for, what it means, and what they are answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from alerter.core.budgets import Basis, Reach, everything
from alerter.core.periods import midnight_ms
from alerter.core.text import one_line
from alerter.core.wording import moment
from alerter.store.alerts import ENDLESS
from alerter.store.references import (
    Episode,
    alert_by_id,
    episode_of,
    firing_episodes,
    scopes_called,
    suggestions,
)

SHOWN = 5
"""Alerts that an answer or an audit line names."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did.

    Attributes:
        ok: whether it took effect, or had already.
        text: one plain-text sentence for the person who asked. It may quote tag values: escape it for its medium.
        code: ``acknowledged``, ``snoozed``, ``unacknowledged``, ``already``, ``not_acknowledged``, ``unknown``,
            ``ambiguous``, ``quiet`` (nothing fires), ``resolved``, ``closed``, ``elsewhere`` (out of the asker's reach)
            or ``unsupported`` (such an end).
        alert_ids: public ids of the alerts concerned, the highest threshold last.
    """

    ok: bool
    text: str
    code: str
    alert_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: which alert, who, from where, when; and which budgets, by name and scope, they may act on."""

    reference: str
    actor: str
    via: str
    now_ms: int
    note: str = ""
    reaches: Reach = everything

    @property
    def words(self) -> str:
        """What they called it, on one line."""
        return one_line(self.reference)


def find(connection: Connection, ask: Ask, verb: str) -> Episode | Outcome:
    """Return the one open episode that is meant and fires, or why there is none."""
    alert = alert_by_id(connection, ask.reference)
    if alert is not None:
        episode = episode_of(connection, alert)
        if not ask.reaches(episode.name.budget, episode.name.scope):
            return _elsewhere(alert.public_id)
        if episode.is_closed(ask.now_ms):
            return _closed(episode)
        if alert not in episode.firing:
            when = f", {moment(alert.resolved_ms, episode.name.zone)}" if alert.resolved_ms else ""
            text = f"{alert.public_id} ({label(episode)}) is resolved{when}: there is nothing to {verb}"
            return Outcome(ok=False, text=text, code="resolved", alert_ids=(alert.public_id,))
        return episode
    names = scopes_called(connection, ask.reference)
    if not names:
        return _unknown(connection, ask)
    within = [each for each in names if ask.reaches(each.budget, each.scope)]
    if not within:
        return _elsewhere(ask.words)
    episodes = firing_episodes(connection, within)
    still_open = [each for each in episodes if not each.is_closed(ask.now_ms)]
    if len(still_open) == 1:
        return still_open[0]
    if still_open:
        return _several(still_open, ask)
    if episodes:
        return _closed(episodes[0])
    return Outcome(ok=False, text=f"Nothing fires for {ask.words}: there is nothing to {verb}", code="quiet")


def period_end_ms(episode: Episode) -> int | None:
    """Return when an episode's period ends (epoch ms); None of a rolling budget's."""
    end = episode.alerts[0].period_end
    return None if end == ENDLESS else midnight_ms(episode.name.zone, date.fromisoformat(end).toordinal())


def label(episode: Episode) -> str:
    """Return an episode's name on one line."""
    return one_line(episode.name.label)


def named(episode: Episode) -> str:
    """Return an episode by its name and its highest alert: ``every-team/vision (A-7F3K)``."""
    return f"{label(episode)} ({ids(episode)[-1]})"


def ids(episode: Episode) -> tuple[str, ...]:
    """Return the public ids of what fires, the most important last."""
    # What is spent weighs more than what is expected.
    ranked = sorted(episode.firing, key=lambda each: (each.basis is Basis.ACTUAL, each.percent))
    return tuple(each.public_id for each in ranked)


def _elsewhere(words: str) -> Outcome:
    text = f"{words} is of a budget that is not told in this channel: answer where its alerts come"
    return Outcome(ok=False, text=text, code="elsewhere")


def _closed(episode: Episode) -> Outcome:
    last = date.fromisoformat(episode.alerts[0].period_end) - timedelta(days=1)
    text = f"{label(episode)}: its period ended on {last}, so nothing was changed"
    return Outcome(ok=False, text=text, code="closed", alert_ids=tuple(each.public_id for each in episode.alerts))


def _several(episodes: list[Episode], ask: Ask) -> Outcome:
    labels = [named(each) for each in episodes[:SHOWN]]
    more = f" and {len(episodes) - SHOWN} more" if len(episodes) > SHOWN else ""
    text = f"{ask.words} could be {', '.join(labels)}{more}: name one of them"
    return Outcome(ok=False, text=text, code="ambiguous", alert_ids=tuple(ids(each)[-1] for each in episodes))


def _unknown(connection: Connection, ask: Ask) -> Outcome:
    if not ask.words:
        return Outcome(ok=False, text="Name an alert such as A-7F3K, or a budget", code="unknown")
    close = [one_line(each) for each in suggestions(connection, ask.reference)]
    hint = f"did you mean {' or '.join(close)}?" if close else "`status` lists the budgets, `alerts` the alerts"
    return Outcome(ok=False, text=f"No alert and no budget is called {ask.words}; {hint}", code="unknown")

"""Digests: what each receiver reads of its budgets every day or week, claimed once a local day."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from heapq import nlargest

from alerter.briefing import Describer, Moment, days_left
from alerter.collecting import collect
from alerter.components import tokens_without_price
from alerter.core.alerts import Digest, DigestBudget, Message, MessageKind
from alerter.core.budgets import Budget, matches, receivers_for
from alerter.core.charges import Confidence
from alerter.core.coverage import add_up
from alerter.core.digest_wording import digest_title, is_over
from alerter.core.digests import DigestSpec, due
from alerter.core.periods import bounds_ms, midnight_ms
from alerter.core.privacy import USER
from alerter.core.views import title_of
from alerter.core.wording import moment as instant
from alerter.evaluate import Standing, standings
from alerter.evidence import Evidence, RunShare, ScopeKey
from alerter.services import Services
from alerter.spending import Accruing, accruals, daily_spending
from alerter.store.digests import claim_digest, last_digest
from alerter.store.sources import SourceState
from alerter.store.totals import View
from alerter.telling import address

log = logging.getLogger(__name__)

_BUDGETS = 10
_MOVERS = 5
_RUNS = 5


def tell_digests(view: View, services: Services, states: Sequence[SourceState], moment: Moment) -> int:
    """Claim the digests that are due, enqueue each for its receivers, and return how many messages that were.

    One that is new begins with the next one. While a source has just failed, a digest waits for it; when it stays
    down, the digest goes out and says what it lacks.
    """
    count = 0
    for spec in services.config.digests:
        last = last_digest(view.connection, spec.name)
        day = due(spec, last, moment.now_ms)
        if day is None:
            continue
        if last is None:
            claim_digest(view.connection, spec.name, day, at_ms=moment.now_ms)
            continue
        missing = _missing(services, states, spec, moment.now_ms)
        if missing is None:
            log.info("digest waits name=%r reason='a source has just failed'", spec.name)
        elif claim_digest(view.connection, spec.name, day, at_ms=moment.now_ms, missing="; ".join(missing)):
            count += _send(view, services, _Facts.of(view, spec, day, moment), missing)
    return count


def _missing(services: Services, states: Sequence[SourceState], spec: DigestSpec, now_ms: int) -> list[str] | None:
    """Return what was not read, in words; None while it may be read any minute."""
    patience_ms = round(services.config.poll.source_down_after_s * 1000)
    missing = []
    for state in states:
        since = state.failing_since_ms
        if since is not None and now_ms - since < patience_ms:
            return None
        if since is not None:
            missing.append(f"source {state.name} can't be read since {instant(since, spec.timezone)}")
        elif not state.swept or state.complete_ms is None:
            missing.append(f"source {state.name} has not been read completely yet")
    return missing


def _send(view: View, services: Services, facts: _Facts, missing: Sequence[str]) -> int:
    spec, count, known = facts.spec, 0, frozenset(services.receivers)
    for name in spec.receivers:
        shown = [each for each in facts.standings if _shows(spec, name, each, known)]
        if not shown:
            log.warning("digest has no budget name=%r receiver=%r", spec.name, name)
            continue
        digest = _digest(view, services.describer, facts, shown, missing)
        message = Message(MessageKind.DIGEST, title=digest_title(digest), at_ms=facts.moment.now_ms, digest=digest)
        key = f"digest:{spec.name}:{facts.day.isoformat()}"
        count += address(view.connection, [(services.receivers[name], key, message, ())], message.at_ms)
    log.info("digest claimed name=%r day=%s messages=%d incomplete=%s", spec.name, facts.day, count, bool(missing))
    return count


def _shows(spec: DigestSpec, receiver: str, standing: Standing, known: frozenset[str]) -> bool:
    """Whether a receiver's digest shows a scope: what it names, or what it would be told of."""
    budget = standing.budget
    if spec.budgets:
        return any(matches(pattern, budget.name) for pattern in spec.budgets)
    ways = [budget.receivers, *(each.receivers for each in budget.thresholds if each.receivers is not None)]
    return any(receiver in receivers_for(templates, standing.scope, known) for templates in ways)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What all receivers' digests of one day are made of.

    ``moved`` is what each scope spent in the days looked back on, and in as many before; ``evidence`` its runs in them;
    ``tokens`` how many of its current period have no price.
    """

    spec: DigestSpec
    day: date
    moment: Moment
    standings: Sequence[Standing]
    running: Sequence[Accruing]
    moved: Mapping[ScopeKey, tuple[int, int]]
    evidence: Mapping[ScopeKey, Evidence]
    tokens: Mapping[ScopeKey, int]

    @classmethod
    def of(cls, view: View, spec: DigestSpec, day: date, moment: Moment) -> _Facts:
        """Measure every scope that has anything to show."""
        running, last, span = accruals(view, moment.now_ms), day.toordinal(), spec.every.days
        spent = daily_spending(view, running, last - 2 * span, last)
        moved = {
            key: (
                sum(nanos for at, nanos in days.items() if at >= last - span),
                sum(nanos for at, nanos in days.items() if at < last - span),
            )
            for key, days in spent.items()
        }
        measured = standings(view, moment.now_ms)
        current = {each.budget_id: bounds_ms(each.period, each.budget.timezone) for each in measured}
        tokens = tokens_without_price(view, current)
        measured = [
            each
            for each in measured
            if each.spend.spent or any(moved.get(_key(each), (0, 0))) or tokens.get(_key(each)) or not each.scope
        ]
        windows = {_key(each): _window(each.budget, last - span, last) for each in measured}
        evidence = collect(view, windows, running, moment.now_ms)
        return cls(spec, day, moment, measured, running, moved, evidence, tokens)


def _digest(
    view: View, describer: Describer, facts: _Facts, shown: Sequence[Standing], missing: Sequence[str]
) -> Digest:
    spec, moment = facts.spec, facts.moment
    budgets = sorted((_budget(facts, each) for each in shown), key=_utilization, reverse=True)
    movers = [each for each in budgets if each.moved_nanos > each.before_nanos]
    keys = {_key(each) for each in shown}
    top, stale = _dearest(facts, keys), _stale(view, facts, keys)
    levels = add_up(facts.evidence[key].time for key in keys)
    whole = sum(levels.values())
    return Digest(
        name=spec.name,
        every=spec.every.value,
        day=facts.day.isoformat(),
        days=spec.every.days,
        timezone=spec.timezone,
        currency=shown[0].budget.currency,
        as_of_ms=moment.as_of_ms,
        budgets=tuple(budgets[:_BUDGETS]),
        more_budgets=max(len(budgets) - _BUDGETS, 0),
        over=sum(map(is_over, budgets)),
        movers=tuple(nlargest(_MOVERS, movers, key=lambda each: each.moved_nanos - each.before_nanos)),
        top=tuple(describer.runs(view, top[:_RUNS])),
        more_runs=max(len(top) - _RUNS, 0),
        stale=tuple(describer.runs(view, stale[:_RUNS])),
        stale_runs=len(stale),
        stale_nanos=sum(each.stale for each in stale),
        priced_percent=(whole - levels[Confidence.GAP]) * 100 // whole if whole else 100,
        low_confidence=levels[Confidence.LOW] > 0,
        missing=tuple(missing),
        page_url=describer.links.page,
    )


def _budget(facts: _Facts, standing: Standing) -> DigestBudget:
    moved, before = facts.moved.get(_key(standing), (0, 0))
    return DigestBudget(
        title=title_of(standing.budget.name, standing.scope),
        names_user=any(key == USER for key, _ in standing.scope),
        period=standing.period.label(),
        amount_nanos=standing.amount,
        spent_nanos=standing.spend.spent,
        expected_nanos=standing.forecast.total if standing.forecast else None,
        days_left=days_left(standing.period.end, standing.budget.timezone, facts.moment.now_ms),
        moved_nanos=moved,
        before_nanos=before,
        stale_nanos=standing.spend.suspected,
        unpriced_tokens=facts.tokens.get(_key(standing), 0),
    )


def _utilization(budget: DigestBudget) -> tuple[int, int]:
    expected = max(budget.spent_nanos, budget.expected_nanos or 0)
    return expected * 10_000 // max(budget.amount_nanos, 1), expected


def _dearest(facts: _Facts, keys: set[ScopeKey]) -> list[RunShare]:
    """Return the runs that cost anything in the days looked back on, the dearest first; each once."""
    best: dict[int, RunShare] = {}
    for key in keys:
        for share in facts.evidence[key].top():
            if share.cost > 0 and (share.run_id not in best or share.cost > best[share.run_id].cost):
                best[share.run_id] = share
    return sorted(best.values(), key=lambda each: (-each.cost, each.run_id))


def _stale(view: View, facts: _Facts, keys: set[ScopeKey]) -> list[RunShare]:
    """Return the runs that are suspected stale now, with what they would have cost since their last signs of life."""
    silent = [run for run in facts.running if run.stale_ms]
    shares = view.shares({run.tag_set_id for run in silent})
    found = []
    for run in silent:
        mine = [each for each in shares[run.tag_set_id] if (each.budget_id, each.scope_id) in keys]
        if mine:
            stale = max(run.stale_nanos(0, run.known_ms, each) for each in mine)
            cost = max(run.nanos(0, run.known_ms, each) for each in mine)
            found.append(RunShare(run.run_id, cost=cost, running=True, stale=stale))
    return sorted(found, key=lambda each: (-each.stale, each.run_id))


def _window(budget: Budget, first: int, last: int) -> tuple[int, int]:
    return midnight_ms(budget.timezone, first), midnight_ms(budget.timezone, last)


def _key(standing: Standing) -> ScopeKey:
    return standing.budget_id, standing.scope_id

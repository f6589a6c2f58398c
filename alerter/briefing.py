"""What a message says of a crossing: the figures, the forecast, and the runs behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import TypedDict

from alerter.burn_up import burn_ups
from alerter.collecting import collect
from alerter.core.alerts import Alert, RunEvidence
from alerter.core.budgets import filled
from alerter.core.evaluation import next_threshold
from alerter.core.periods import bounds_ms, day_of, midnight_ms
from alerter.core.resources import machine_label
from alerter.core.views import title_of
from alerter.evaluate import Fired, Standing
from alerter.evidence import Evidence, RunFacts, RunShare, run_facts
from alerter.pricer import Pricer
from alerter.spending import accruals
from alerter.store.carriers import kind_of, run_of
from alerter.store.totals import View

TOP_RUNS = 10

RunUrl = Callable[[str, str], str]
"""(experiment id, run id) -> its page in the tracking UI, or ``""``."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where people can look: run pages by source name, and the daemon's own page (``""`` for none)."""

    runs: Mapping[str, RunUrl]
    page: str = ""

    def run(self, facts: RunFacts) -> str:
        """Return a run's page in its tracking UI, or ``""``."""
        url = self.runs.get(facts.source)
        return url(facts.experiment_id, run_of(facts.run_uuid)) if url else ""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is told: ``as_of_ms`` is the data's time, ``stale`` that a source couldn't be read since."""

    now_ms: int
    as_of_ms: int
    stale: bool = False
    opening: bool = False


@dataclass(frozen=True, slots=True)
class Describer:
    """Names runs for people. A message says how much of its run time had a price where that is below a floor (%)."""

    links: Links
    pricer: Pricer
    coverage_floor: int = 100

    def runs(self, view: View, shares: Sequence[RunShare]) -> list[RunEvidence]:
        """Return runs with name, page and machine, in the order given."""
        facts = run_facts(view.connection, [each.run_id for each in shares])
        usages = view.interner.usage_sets.values(view.connection, {each.usage_set_id for each in facts.values()})
        return [self._run(each, facts[each.run_id], usages) for each in shares]

    def _run(self, share: RunShare, facts: RunFacts, usages: Mapping[int, tuple[tuple[str, str], ...]]) -> RunEvidence:
        machine = machine_label(self.pricer.resources(usages[facts.usage_set_id]), logs_cost=share.logged > 0)
        return RunEvidence(
            run_uuid=facts.run_uuid,
            name=facts.name,
            url=self.links.run(facts),
            machine=kind_of(facts.run_uuid) or machine,
            running=share.running,
            cost_nanos=share.cost,
            per_hour_nanos=share.per_hour,
            stale_nanos=share.stale,
            user=facts.user,
        )


def brief(view: View, fired: Sequence[Fired], describer: Describer, moment: Moment) -> list[Alert]:
    """Return what is told of each crossing, in the same order; one walk over the charges serves them all."""
    windows = {
        (each.standing.budget_id, each.standing.scope_id): bounds_ms(
            each.standing.period, each.standing.budget.timezone
        )
        for each in fired
    }
    runs = accruals(view, moment.now_ms)
    found = collect(view, windows, runs, moment.now_ms, keep=TOP_RUNS)
    keys = [(each.standing.budget_id, each.standing.scope_id) for each in fired]
    periods = [each.standing.period for each in fired]
    days = burn_ups(view, zip(keys, periods, strict=True), runs, moment.now_ms)
    named = [_named(found[key]) for key in keys]
    shown = iter(describer.runs(view, [run for each in named for run in each]))
    return [
        replace(_alert(each, found[key], [*islice(shown, len(runs))], describer, moment), burn_up=points)
        for each, key, runs, points in zip(fired, keys, named, days, strict=True)
    ]


def _named(evidence: Evidence) -> list[RunShare]:
    """Return the runs that a message names: the most expensive ones, then who spent most lately, if any did."""
    leader = evidence.leader
    return [*evidence.top(), *([leader] if leader and evidence.recent > 0 else [])]


def _alert(
    fired: Fired, evidence: Evidence, named: Sequence[RunEvidence], describer: Describer, moment: Moment
) -> Alert:
    standing, budget = fired.standing, fired.standing.budget
    top, priced = named[: min(evidence.count, TOP_RUNS)], evidence.priced_percent()
    return Alert(
        id=fired.told.public_id,
        budget=budget.name,
        title=title_of(budget.name, standing.scope),
        scope=standing.scope,
        timezone=budget.timezone,
        period=standing.period.label(),
        period_start=fired.told.period_start,
        period_end=standing.period.end.isoformat(),
        basis=fired.highest.basis,
        percent=fired.highest.percent,
        crossed=tuple(str(each) for each in fired.thresholds),
        currency=budget.currency,
        amount_nanos=standing.amount,
        spent_nanos=standing.spend.spent,
        accruing_nanos=standing.spend.accruing,
        as_of_ms=moment.as_of_ms,
        days_left=days_left(standing.period.end, budget.timezone, moment.now_ms),
        reason=fired.reason.value,
        **_outlook(standing),
        **_ahead(fired, moment.now_ms),
        **_lately(evidence, named),
        top=tuple(top),
        more_runs=evidence.count - len(top),
        priced_percent=priced,
        coverage_shown=priced < describer.coverage_floor,
        unpriced_tokens=evidence.unpriced_tokens,
        low_confidence=evidence.is_low(),
        stale_nanos=evidence.stale,
        price_note=evidence.note(moment.now_ms),
        owner=budget.owner_of(standing.scope),
        mention=fired.highest.mention,
        stale=moment.stale,
        page_url=f"{describer.links.page}#{fired.told.public_id}" if describer.links.page else "",
    )


class _Lately(TypedDict):
    """The fields of an `Alert` about the last 24 hours."""

    recent_nanos: int
    recent_run: str
    recent_share: int


def _lately(evidence: Evidence, named: Sequence[RunEvidence]) -> _Lately:
    recent, leader = evidence.recent, evidence.leader
    if leader is None or recent <= 0:
        return {"recent_nanos": recent, "recent_run": "", "recent_share": 0}
    return {"recent_nanos": recent, "recent_run": named[-1].name, "recent_share": leader.recent * 100 // recent}


class _Outlook(TypedDict):
    """The fields of an `Alert` that say what is to come."""

    forecast_nanos: int | None
    forecast_low_nanos: int | None
    forecast_high_nanos: int | None
    forecast_day_nanos: int | None
    crossing_ms: int | None
    crossing_low_ms: int | None
    crossing_high_ms: int | None


def _outlook(standing: Standing) -> _Outlook:
    made = standing.forecast
    early, late = made.crossing_band_ms(standing.amount) if made else (None, None)
    return {
        "forecast_nanos": made.total if made else None,
        "forecast_low_nanos": made.low if made else None,
        "forecast_high_nanos": made.high if made else None,
        "forecast_day_nanos": made.in_a_day if made else None,
        "crossing_ms": made.crossing_ms(standing.amount) if made else None,
        "crossing_low_ms": early,
        "crossing_high_ms": late,
    }


class _Ahead(TypedDict):
    """The fields of an `Alert` that say when it is told again."""

    repeats: int
    repeat_ms: int | None
    escalate_ms: int | None
    escalate_to: str
    quiet: str
    next_percent: int | None


def _ahead(fired: Fired, now_ms: int) -> _Ahead:
    standing, budget = fired.standing, fired.standing.budget
    over = not days_left(standing.period.end, budget.timezone, now_ms)
    return {
        "repeats": fired.repeats,
        "repeat_ms": fired.repeat_ms,
        "escalate_ms": fired.escalate_ms,
        "escalate_to": filled(budget.rules.escalate_to or "", standing.scope),
        "quiet": str(budget.rules.quiet_hours or ""),
        "next_percent": None if over else next_threshold(budget.thresholds, budget.beyond, standing.level),
    }


def days_left(end: date, zone: str, now_ms: int) -> int:
    """Return the local days that are left of a period, today included; 0 after its end."""
    if now_ms >= midnight_ms(zone, end.toordinal()):
        return 0
    return end.toordinal() - day_of(zone, now_ms)

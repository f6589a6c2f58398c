"""How far the ledger can be trusted: the share of run time with a price, without tags, and what has none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alerter.core.budgets import UNTAGGED
from alerter.core.charges import Confidence, Rate
from alerter.core.coverage import RUN_TIME, RunTime, add_up
from alerter.core.money import human, plain
from alerter.core.periods import HOUR_MS, PeriodKind, PeriodSpec, bounds_ms, iso, period_at
from alerter.core.usage import Meter
from alerter.core.views import percent_of
from alerter.core.wording import share_words
from alerter.spending import Accruing, accruals
from alerter.store.audit import RunLines, gap_charges, run_lines_within
from alerter.store.budgets import scopes
from alerter.store.clamped import count_clamped
from alerter.store.holdings import unlisted
from alerter.store.ledger import METER_CODES, METERS
from alerter.store.totals import View

_SHOWN = 50
"""Gaps that are listed; a ledger of free text may have thousands."""

Window = tuple[int, int]
"""``[start, end)`` in epoch ms."""


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a run's machine held over ``[start, end)``; ``sign`` is -1 of a reversal."""

    run_id: int
    rate: Rate
    start_ms: int
    end_ms: int
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was used and has no price: by which runs, for how long (ms, of each part)."""

    meter: Meter
    missing: str
    time_ms: int
    runs: int


@dataclass(frozen=True, slots=True)
class Untagged:
    """The run time that a budget with ``group_by`` counts to a scope ``(untagged)``, of all that it counts; in ms."""

    budget: str
    time_ms: int
    whole_ms: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The run time of a window by how far it could be priced, in ms; an hour of a run counts once.

    Attributes:
        window: the current calendar month, see `month_of`.
        time_ms: ``high`` where every part has a price, ``low`` where one is assumed, ``gap`` where one has none.
        gaps: the longest first, at most fifty; then as many models whose tokens have no price, and the artifacts that
            can't be listed: both of no run time.
        untagged: of each budget with ``group_by`` that counts any run time, in the configuration's order.
        stale_ms: run time that is suspected stale, and not counted; ``stale_nanos`` what it would cost.
        currency: of what the suspected time would cost.
        clamped: runs that told times which can't be, and were corrected by polls of the window.
    """

    window: Window
    time_ms: Mapping[Confidence, int]
    gaps: tuple[Gap, ...] = ()
    untagged: tuple[Untagged, ...] = ()
    stale_ms: int = 0
    stale_nanos: int = 0
    clamped: int = 0
    currency: str = ""

    @property
    def whole_ms(self) -> int:
        """All of the run time."""
        return sum(self.time_ms.values())

    @property
    def priced_ms(self) -> int:
        """The run time that has a price, assumed or not."""
        return self.whole_ms - self.time_ms[Confidence.GAP]


def month_of(view: View, now_ms: int) -> Window:
    """Return the calendar month that ``now`` falls in, up to ``now``, in the time zone that most budgets use."""
    zones = Counter(budget.timezone for budget in view.budgets.values())
    zone = max(zones, key=lambda each: zones[each], default="UTC")
    period = period_at(PeriodSpec(PeriodKind.MONTHLY), zone, now_ms)
    if period is None:
        raise AssertionError("every instant falls in a month")
    return bounds_ms(period, zone)[0], now_ms


def gap_lines(view: View, window: Window, now_ms: int) -> Iterator[Line]:
    """Yield every line of run time without a price in a window, settled and accruing, clipped to it."""
    first, last = window
    rates = view.all_rates()
    for charge in gap_charges(view.connection, first, last):
        if METERS[charge.meter] in RUN_TIME:
            start, end = max(charge.start_ms, first), min(charge.end_ms, last)
            yield Line(charge.run_id, rates[charge.rate_id], start, end, 1 if charge.quantity > 0 else -1)
    for line in _accruing(view, window, now_ms):
        if line.rate.confidence is Confidence.GAP:
            yield line


def measure(view: View, now_ms: int) -> Coverage:
    """Return the coverage of the current month."""
    window = month_of(view, now_ms)
    accruing = accruals(view, now_ms)
    lines = run_lines_within(view.connection, *window, [METER_CODES[each] for each in RUN_TIME])
    by_run = list(run_time(lines, window, accruing).by_run())
    by_tags: Counter[int] = Counter()
    for (_, tag_set_id), levels in by_run:
        by_tags[tag_set_id] += sum(levels.values())
    gaps: dict[tuple[Meter, str], Counter[int]] = defaultdict(Counter)
    for line in gap_lines(view, window, now_ms):
        gaps[line.rate.meter, line.rate.note][line.run_id] += line.sign * (line.end_ms - line.start_ms)
    runs = [run for run in accruing if run.stale_ms]
    stale = (
        sum(run.known_ms - max(run.as_of_ms, window[0]) for run in runs if run.known_ms > window[0]),
        sum(run.stale_nanos(*window) for run in runs),
    )
    found = (*_gaps(gaps), *_token_gaps(view, window), *_storage_gaps(view))
    return Coverage(
        window,
        add_up(levels for _, levels in by_run),
        found,
        _untagged(view, by_tags),
        *stale,
        count_clamped(view.connection, *window),
        next((budget.currency for budget in view.budgets.values()), ""),
    )


def run_time(lines: Iterable[RunLines], window: Window, runs: Iterable[Accruing]) -> RunTime[tuple[int, int]]:
    """Return the time of runs by (run id, tag set id): a run whose tags changed counts under those that stand.

    ``lines`` are of what is settled, ``runs`` those that accrue.
    """
    first, last = window
    time: RunTime[tuple[int, int]] = RunTime()
    for run_id, tag_set_id, start_ms, end_ms, *standing in lines:
        time.add_counted((run_id, tag_set_id), max(start_ms, first), min(end_ms, last), standing)
    for run in runs:
        for rate, _ in run.lines:
            if rate.meter in RUN_TIME:
                key = (run.run_id, run.tag_set_id)
                time.add(key, max(run.start_ms, first), min(run.as_of_ms, last), rate.confidence)
    return time


def _accruing(view: View, window: Window, now_ms: int) -> Iterator[Line]:
    for run in accruals(view, now_ms):
        start, end = max(run.start_ms, window[0]), min(run.as_of_ms, window[1])
        for rate, _ in run.lines if start < end else ():
            if rate.meter in RUN_TIME:
                yield Line(run.run_id, rate, start, end)


def coverage_json(found: Coverage) -> dict[str, Any]:
    """Return coverage for scripts: percent with two places, run time in hours."""
    return {
        "period": [iso(found.window[0]), iso(found.window[1])],
        "priced_percent": _percent(found.priced_ms, found.whole_ms, empty=100.0),
        "hours": {
            "priced": hours(found.time_ms[Confidence.HIGH]),
            "low_confidence": hours(found.time_ms[Confidence.LOW]),
            "unpriced": hours(found.time_ms[Confidence.GAP]),
            "suspected_stale": hours(found.stale_ms),
        },
        "suspected_stale_cost": plain(found.stale_nanos),
        "clamped_runs": found.clamped,
        "untagged": [
            {
                "budget": each.budget,
                "percent": _percent(each.time_ms, each.whole_ms, empty=0.0),
                "hours": hours(each.time_ms),
            }
            for each in found.untagged
        ],
        "gaps": [
            {"meter": each.meter.value, "missing": each.missing, "hours": hours(each.time_ms), "runs": each.runs}
            for each in found.gaps
        ],
    }


def coverage_lines(found: Coverage) -> Iterator[str]:
    """Yield coverage for people: one line, and one more where something has no price."""
    if not found.whole_ms:
        yield "no run time this month"
        yield from _gap_line(found)
        return
    parts = [
        f"{share_words(found.priced_ms, found.whole_ms)} of {hours(found.whole_ms):,.1f} run-hours this month priced"
    ]
    if found.time_ms[Confidence.LOW]:
        parts.append(f"{share_words(found.time_ms[Confidence.LOW], found.whole_ms)} with low confidence")
    parts += [
        f"{share_words(each.time_ms, each.whole_ms)} untagged in {each.budget}"
        for each in found.untagged
        if each.time_ms
    ]
    if found.stale_ms:
        stale = human(found.stale_nanos, found.currency)
        parts.append(f"{hours(found.stale_ms):,.1f} h suspected stale ({stale}), not counted")
    if found.clamped:
        parts.append(f"wrong clocks of {found.clamped:,} run{'' if found.clamped == 1 else 's'} corrected")
    yield " · ".join(parts)
    yield from _gap_line(found)


def _gap_line(found: Coverage) -> Iterator[str]:
    if not found.gaps:
        return
    first = found.gaps[0]
    more = f", and {len(found.gaps) - 1} more" if len(found.gaps) > 1 else ""
    if first.meter is Meter.TOKENS:
        yield f"no price: tokens ({first.missing}){more}; see `alerter top --unpriced`"
        return
    runs = f"{first.runs} run{'' if first.runs == 1 else 's'}"
    if first.meter is Meter.STORAGE:
        yield f"not counted: storage of {runs} ({first.missing}){more}"
        return
    yield f"no price: {first.meter.value} of {runs} ({first.missing}){more}; see `alerter top --unpriced`"


def hours(span_ms: int) -> float:
    """Return a time span in hours with two places."""
    return round(span_ms / HOUR_MS, 2)


def _gaps(found: Mapping[tuple[Meter, str], Mapping[int, int]]) -> tuple[Gap, ...]:
    gaps = []
    for (meter, missing), by_run in found.items():
        times = [span for span in by_run.values() if span > 0]
        if times:
            gaps.append(Gap(meter, missing, sum(times), len(times)))
    return tuple(sorted(gaps, key=lambda each: (-each.time_ms, each.meter, each.missing))[:_SHOWN])


def _token_gaps(view: View, window: Window) -> Iterator[Gap]:
    """Yield the models without a price whose tokens were used; they take no run time."""
    rates = view.all_rates()
    used: Counter[str] = Counter()
    for charge in gap_charges(view.connection, *window):
        if METERS[charge.meter] is Meter.TOKENS:
            used[rates[charge.rate_id].note] += charge.quantity
    for missing, tokens in used.most_common(_SHOWN):
        if tokens > 0:
            yield Gap(Meter.TOKENS, missing, 0, 0)


def _storage_gaps(view: View) -> Iterator[Gap]:
    """Yield each source in which runs or LoggedModels hold what can't be listed."""
    for source, count in unlisted(view.connection):
        yield Gap(Meter.STORAGE, f"{source} can't list their artifacts", 0, count)


def _untagged(view: View, by_tags: Mapping[int, int]) -> tuple[Untagged, ...]:
    shares = view.shares(by_tags)
    found = []
    for budget_id, budget in view.budgets.items():
        if not budget.group_by:
            continue
        names = scopes(view.connection, budget_id)
        whole = untagged = 0
        for tag_set_id, span_ms in by_tags.items():
            for share in shares[tag_set_id]:
                if share.budget_id == budget_id:
                    whole += span_ms
                    untagged += span_ms if any(value == UNTAGGED for _, value in names[share.scope_id]) else 0
        if whole:
            found.append(Untagged(budget.name, untagged, whole))
    return tuple(found)


def _percent(part: int, whole: int, *, empty: float) -> float:
    return float(percent_of(part, whole)) if whole else empty

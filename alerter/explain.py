"""Why a number is what it is: the ledger's own lines of a run or of an alert, summing to it to the nano."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches

from alerter.core.charges import Confidence
from alerter.core.money import plain
from alerter.core.periods import Period, PeriodKind, bounds_ms, iso, period_at
from alerter.core.usage import Meter
from alerter.ledger_lines import Json, Line, accruing_lines, settled_lines
from alerter.restatements import restatement_of
from alerter.settlement import known_of
from alerter.spending import Accruing, accruals
from alerter.store import ledger, run_rows
from alerter.store.alerts import StoredAlert, load_alerts
from alerter.store.bulk import query
from alerter.store.clamped import clamped_note
from alerter.store.folding import folded_of
from alerter.store.ledger import METERS, Charge
from alerter.store.totals import Share, View


class UnknownReferenceError(Exception):
    """Nothing is called that; the message says what is close."""


def explain(view: View, reference: str, now_ms: int) -> Json:
    """Return the evidence of an alert (``A-7F3K``) or a run (its id, a prefix of it, or its name).

    Raises:
        UnknownReferenceError: there is neither; or several runs have that name.
    """
    alerts = load_alerts(view.connection, "public_id = ?", reference.upper())
    if alerts:
        return explain_alert(view, alerts[0], now_ms)
    return explain_run(view, _run_id(view, reference), now_ms)


def explain_run(view: View, run_id: int, now_ms: int) -> Json:
    """Return a run's segments, charges (corrections included) and gaps, and its share in each budget."""
    running = {each.run_id: each for each in accruals(view, now_ms)}.get(run_id)
    charges = ledger.charges_of_run(view.connection, run_id)
    lines = settled_lines(view, charges, 0, 2**62) + (accruing_lines(running, 0, 2**62) if running else [])
    (row,) = run_rows.stored_by_id(view.connection, [run_id])
    known, folded = known_of(row, ledger.history(charges), None), folded_of(view.connection, run_id)
    cost = sum(line.cost for line in lines) + (folded[1] if folded else 0)
    segments: list[list[str | None]] = [[iso(start), iso(end)] for start, end in known.settled]
    if running is not None:
        segments.append([iso(running.start_ms), iso(running.as_of_ms) if running.stale_ms else None])
    return {
        "run": _run_json(view, run_id) | {"cost": plain(cost)},
        "folded": {"until": iso(folded[0]), "cost": plain(folded[1])} if folded else None,
        "clamped": clamped_note(view.connection, run_id) or None,
        "suspected_stale": _suspected(running),
        "segments": segments,
        **_evidence(view, lines),
        "budgets": _budgets(view, lines, _tag_set(view, run_id), _Now(charges, running, now_ms)),
    }


def _suspected(running: Accruing | None) -> Json | None:
    """Return since when a run has given no sign of life, and what that time would cost; None where it is believed."""
    if running is None or not running.stale_ms:
        return None
    return {"since": iso(running.as_of_ms), "cost": plain(running.stale_nanos(0, running.known_ms))}


def explain_alert(view: View, alert: StoredAlert, now_ms: int) -> Json:
    """Return the runs and charges of an alert's budget, scope and period; the costs sum to what is spent."""
    budget = view.budgets.get(alert.budget_id)
    if budget is None:
        raise UnknownReferenceError(f"the budget of {alert.public_id} is no longer configured")
    period = _period_of(alert, period_at(budget.period, budget.timezone, now_ms))
    start_ms, end_ms = bounds_ms(period, budget.timezone)
    charges, shares = [], view.all_shares()
    for charge in ledger.charges_within(view.connection, start_ms, end_ms):
        share = _share(shares[charge.tag_set_id], alert)
        if share is not None and share.counts(METERS[charge.meter]):
            charges.append(charge)
    lines = settled_lines(view, charges, start_ms, end_ms)
    for running in accruals(view, now_ms):
        share = _share(view.shares({running.tag_set_id})[running.tag_set_id], alert)
        if share is not None:
            lines += [line for line in accruing_lines(running, start_ms, end_ms) if share.counts(line.rate.meter)]
    by_run: dict[int, int] = {}
    for line in lines:
        by_run[line.run_id] = by_run.get(line.run_id, 0) + line.cost
    runs = sorted(by_run, key=lambda run_id: -by_run[run_id])
    restated = restatement_of(view, alert.budget_id, alert.scope_id, period.start.toordinal(), now_ms)
    return {
        "alert": {
            "id": alert.public_id,
            "budget": budget.name,
            "scope": dict(view.scope(alert.budget_id, alert.scope_id)),
            "period": [period.start.isoformat(), period.end.isoformat()],
            "window": [iso(start_ms), iso(end_ms)],
            "currency": budget.currency,
            "amount": plain(budget.amount_on(view.scope(alert.budget_id, alert.scope_id), period.start)),
            "spent_when_fired": plain(alert.spent_nanos),
            "spent": plain(sum(by_run.values())),
            "spent_when_closed": plain(restated.before_nanos) if restated else None,
            "restated": plain(restated.nanos) if restated else None,
        },
        "runs": [_run_json(view, run_id) | {"cost": plain(by_run[run_id])} for run_id in runs],
        **_evidence(view, lines),
    }


def _evidence(view: View, lines: Sequence[Line]) -> Json:
    reasons = ledger.correction_reasons(view.connection, [each.correction_id for each in lines if each.correction_id])
    run_ids = sorted({each.run_id for each in lines})
    uuids = {row.id: row.run_uuid for row in run_rows.stored_by_id(view.connection, run_ids)}
    ordered = sorted(lines, key=lambda line: (line.start_ms, line.run_id, line.rate.meter))
    priced = [line for line in ordered if line.rate.confidence is not Confidence.GAP]
    gaps = [line for line in ordered if line.rate.confidence is Confidence.GAP and line.quantity > 0]
    return {
        "charges": [line.as_json(uuids[line.run_id], reasons) for line in priced],
        "gaps": [
            {
                "run_id": uuids[gap.run_id],
                "meter": gap.rate.meter.value,
                "missing": gap.rate.note,
                "tokens": None if gap.tokens is None else asdict(gap.tokens),
                "period": [iso(gap.start_ms), iso(gap.end_ms)],
            }
            for gap in gaps
        ],
    }


@dataclass(frozen=True, slots=True)
class _Now:
    """What a run's part of the period that a budget is in follows from."""

    charges: Sequence[Charge]
    running: Accruing | None
    now_ms: int

    def part(self, view: View, share: Share) -> Json | None:
        """Return that period, and what the run costs in it; None where the budget is in none."""
        budget = view.budgets[share.budget_id]
        period = period_at(budget.period, budget.timezone, self.now_ms)
        if period is None:
            return None
        window = bounds_ms(period, budget.timezone)
        charges = [each for each in self.charges if each.end_ms > window[0] and each.start_ms < window[1]]
        lines = settled_lines(view, charges, *window)
        lines += accruing_lines(self.running, *window) if self.running else []
        nanos = sum(line.cost for line in lines if share.counts(line.rate.meter))
        return {"period": [period.start.isoformat(), period.end.isoformat()], "cost": plain(nanos)}


def _budgets(view: View, lines: Sequence[Line], tag_set_id: int, now: _Now) -> list[Json]:
    """Return what the run's present tags make it count for, but for budgets of other components."""
    found = []
    meters = {line.rate.meter for line in lines} or {Meter.MACHINE}
    for share in view.shares({tag_set_id})[tag_set_id]:
        if not any(map(share.counts, meters)):
            continue
        nanos = sum(line.cost for line in lines if share.counts(line.rate.meter))
        scope, name = dict(view.scope(share.budget_id, share.scope_id)), view.budgets[share.budget_id].name
        found.append({"budget": name, "scope": scope, "cost": plain(nanos), "current": now.part(view, share)})
    return found


def _share(shares: Iterable[Share], alert: StoredAlert) -> Share | None:
    return next((each for each in shares if (each.budget_id, each.scope_id) == (alert.budget_id, alert.scope_id)), None)


def _period_of(alert: StoredAlert, current: Period | None) -> Period:
    if current is not None and current.kind is PeriodKind.ROLLING:
        return current
    kind = current.kind if current else PeriodKind.FIXED
    return Period(kind, date.fromisoformat(alert.period_start), date.fromisoformat(alert.period_end))


def _tag_set(view: View, run_id: int) -> int:
    return int(query(view.connection, "SELECT tag_set_id FROM run WHERE id = ?", run_id).scalar_one())


def _run_json(view: View, run_id: int) -> Json:
    sql = (
        "SELECT r.run_uuid, r.name, r.experiment_id, s.name AS source, r.state, r.start_ms, r.end_ms, r.tag_set_id "
        "FROM run r JOIN source s ON s.id = r.source_id WHERE r.id = ?"
    )
    row = query(view.connection, sql, run_id).one()
    tags = view.interner.tag_sets.values(view.connection, [row.tag_set_id])[row.tag_set_id]
    return {
        "run_id": row.run_uuid,
        "name": row.name,
        "experiment_id": row.experiment_id,
        "source": row.source,
        "status": row.state,
        "start": iso(row.start_ms),
        "end": iso(row.end_ms) if row.end_ms is not None else None,
        "tags": dict(tags),
    }


_FIND_RUN = (
    "SELECT id, run_uuid FROM run WHERE run_uuid = ?",
    "SELECT id, run_uuid FROM run WHERE name = ? LIMIT 6",
    "SELECT id, run_uuid FROM run WHERE run_uuid LIKE ? || '%' LIMIT 6",
)


def _run_id(view: View, reference: str) -> int:
    for select in _FIND_RUN:
        rows = query(view.connection, select, reference).all()
        if len(rows) == 1:
            return int(rows[0].id)
        if rows:
            ids = ", ".join(row.run_uuid for row in rows[:5])
            raise UnknownReferenceError(f"several runs are called {reference!r}; give the id of one: {ids}")
    known = [row[0] for row in query(view.connection, "SELECT public_id FROM alert")]
    close = get_close_matches(reference.upper(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "give an alert such as A-7F3K, a run's id or its name"
    raise UnknownReferenceError(f"there is no alert and no run called {reference!r}; {hint}")

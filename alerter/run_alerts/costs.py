"""What single runs have cost, from their start, in the scopes of the budgets that limit them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from alerter.core.usage import Meter
from alerter.evidence import RunShare
from alerter.spending import accruals
from alerter.store import run_rows, sources
from alerter.store.alerts import StoredAlert
from alerter.store.bulk import select_in
from alerter.store.ledger import METERS
from alerter.store.totals import View

_SETTLED = (
    "SELECT run_id, tag_set_id, meter, SUM(cost_nanos) FROM charge WHERE run_id IN {values} "
    "GROUP BY run_id, tag_set_id, meter"
)

RunKey = tuple[int, int, int]
"""(budget id, scope id, run id)."""


def run_ids(view: View, firing: Sequence[StoredAlert]) -> dict[str, int]:
    """Return the ledger's ids of the runs that alerts are about, by MLflow's."""
    uuids = sorted({each.subject for each in firing})
    found: dict[str, int] = {}
    for source in sources.states(view.connection) if uuids else ():
        found |= {uuid: row.id for uuid, row in run_rows.stored_runs(view.connection, source.id, uuids).items()}
    return found


def run_costs(view: View, ids: Iterable[int], limited: Collection[int], now_ms: int) -> dict[RunKey, RunShare]:
    """Return what each run has cost from its start, in each scope of a budget with a limit that counts it."""
    running = accruals(view, now_ms)
    shares = view.shares({run.tag_set_id for run in running})
    found: dict[RunKey, RunShare] = {}
    for run in running:
        for share in shares[run.tag_set_id]:
            if share.budget_id in limited:
                each = found.setdefault((share.budget_id, share.scope_id, run.run_id), RunShare(run.run_id))
                each.running = True
                each.cost += run.nanos(run.start_ms, run.as_of_ms, share)
                each.per_hour += run.per_hour(share)
                each.stale += run.stale_nanos(run.as_of_ms, run.known_ms, share)
                each.logged += any(rate.meter is Meter.LOGGED for rate, _ in run.lines)
    rows = list(select_in(view.connection, _SETTLED, sorted({run_id for *_, run_id in found} | set(ids))))
    shares = view.shares({row[1] for row in rows})
    for run_id, tag_set_id, meter, nanos in rows:
        for share in shares[tag_set_id]:
            if share.budget_id in limited and share.counts(METERS[meter]):
                each = found.setdefault((share.budget_id, share.scope_id, run_id), RunShare(run_id))
                each.cost += int(nanos)
                each.logged += METERS[meter] is Meter.LOGGED and nanos > 0
    return found


def key_of(alert: StoredAlert, known: Mapping[str, int]) -> RunKey:
    """Return what an alert's run is known by in `run_costs`, given the ledger's ids of runs."""
    return alert.budget_id, alert.scope_id, known.get(alert.subject, 0)

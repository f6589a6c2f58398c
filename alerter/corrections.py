"""Why a number fell: what corrections took from it since it was last evaluated."""

from __future__ import annotations

from collections import Counter

from alerter.core.money import human
from alerter.core.periods import Period, bounds_ms
from alerter.store.audit import corrected_since
from alerter.store.ledger import METERS, part_of
from alerter.store.totals import View

_REASONS = 2


def corrected(view: View, budget_id: int, scope_id: int, period: Period, since_ms: int) -> str:
    """Return what corrections since an instant took from one scope's period, ``""`` for nothing.

    It reads ``corrected: -$310 (tags changed)``.
    """
    budget, rates = view.budgets[budget_id], view.all_rates()
    window = bounds_ms(period, budget.timezone)
    nanos: Counter[str] = Counter()
    found = list(corrected_since(view.connection, since_ms))
    shares = view.shares({charge.tag_set_id for charge, _ in found})
    for charge, reason in found:
        start, end = max(charge.start_ms, window[0]), min(charge.end_ms, window[1])
        counts = any(
            (each.budget_id, each.scope_id) == (budget_id, scope_id) and each.counts(METERS[charge.meter])
            for each in shares[charge.tag_set_id]
        )
        if counts and start < end:
            nanos[reason] += part_of(charge, rates[charge.rate_id], start, end)
    whole = sum(nanos.values())
    if whole >= 0:
        return ""
    reasons = [reason for reason, part in sorted(nanos.items(), key=lambda item: item[1]) if part < 0][:_REASONS]
    return f"corrected: {human(whole, budget.currency)} ({', '.join(reasons)})"

"""The ledger's lines as evidence: charges, and what running runs accrue, cut to a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from alerter.core.charges import MICRO, TOTAL, EqualPart, Rate, cost_between, hours_in
from alerter.core.money import plain
from alerter.core.periods import HOUR_MS, iso
from alerter.core.usage import TokenCount
from alerter.spending import Accruing
from alerter.store.ledger import Charge, part_of
from alerter.store.token_counts import counts_of, place_of
from alerter.store.totals import View

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One charge, or what a running run accrues (``settled`` False), within ``[start, end)``; ``cost`` in nanos.

    ``suspected``: it accrues no further, since the run is suspected stale. ``tokens`` is how many of them it is for.
    """

    run_id: int
    rate: Rate
    quantity: int
    start_ms: int
    end_ms: int
    cost: int
    settled: bool
    correction_id: int | None = None
    suspected: bool = False
    tokens: TokenCount | None = None

    def as_json(self, run_id: str, reasons: dict[int, str]) -> Json:
        """Return it for scripts: quantities in the rate's unit, money as decimal strings."""
        return {
            "run_id": run_id,
            "meter": self.rate.meter.value,
            "quantity": self._consumed(),
            "unit": self.rate.pricing_unit,
            "tokens": None if self.tokens is None else asdict(self.tokens),
            "unit_price": self.rate.unit_price,
            "list_unit_price": self.rate.list_unit_price,
            "cost": plain(self.cost),
            "currency": self.rate.currency,
            "rule": self.rate.rule,
            "as_of": self.rate.as_of or None,
            "confidence": self.rate.confidence.value,
            "note": self.rate.note or None,
            "share": shared(self.rate.share) or None,
            "period": [iso(self.start_ms), iso(self.end_ms)],
            "settled": self.settled,
            "suspected_stale": self.suspected,
            "correction": reasons.get(self.correction_id) if self.correction_id is not None else None,
        }

    def _consumed(self) -> str:
        if self.rate.pricing_unit == TOTAL:
            return plain(self.cost)
        unit_ms = HOUR_MS * hours_in(self.rate.pricing_unit)
        held = Decimal(self.quantity) * (self.end_ms - self.start_ms) / (MICRO * unit_ms * self.rate.share[1])
        return f"{held.quantize(Decimal('0.000001')).normalize():f}"


def shared(share: EqualPart) -> str:
    """Return for people which part of a machine is charged; nothing of a whole one."""
    others = share[1] - 1
    return f"1/{share[1]} of the machine, shared with {others} other run{'' if others == 1 else 's'}" if others else ""


def settled_lines(view: View, charges: Sequence[Charge], since_ms: int, until_ms: int) -> list[Line]:
    """Return what charges say of ``[since, until)``, each with its part of the cost."""
    rates, counts = view.all_rates(), counts_of(view.connection, charges)
    lines = []
    for charge in charges:
        start, end = max(charge.start_ms, since_ms), min(charge.end_ms, until_ms)
        rate = rates[charge.rate_id]
        cost = part_of(charge, rate, start, end)
        count = counts.get(place_of(charge))
        tokens = None if count is None else count.within((charge.start_ms, charge.end_ms), (start, end))
        known = (charge.run_id, rate, charge.quantity, start, end, cost)
        lines.append(Line(*known, settled=True, correction_id=charge.correction_id, tokens=tokens))
    return lines


def accruing_lines(run: Accruing, since_ms: int, until_ms: int) -> list[Line]:
    """Return what a run accrues within ``[since, until)``."""
    start, end = max(run.start_ms, since_ms), min(run.as_of_ms, until_ms)
    if start >= end:
        return []
    return [
        Line(
            run.run_id,
            rate,
            quantity,
            start,
            end,
            cost_between(rate, quantity, (run.start_ms, run.as_of_ms), (start, end)),
            settled=False,
            suspected=run.stale_ms > 0,
        )
        for rate, quantity in run.lines
    ]

"""Charges: usage times a dated rate, in nano-units, exact and splittable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from alerter.core.money import NANOS, div_half_even
from alerter.core.periods import HOUR_MS
from alerter.core.usage import Meter

MICRO = 1_000_000
"""Quantities are integers in millionths: 4 nodes are 4,000,000, ``500m`` of CPU is 500,000."""

TOTAL = "total"
"""The pricing unit of a cost that is known as a whole: the quantity is nanos, spread evenly over the line's time."""

GIB_MONTH = "gib-month"
"""The pricing unit of storage; a month is 730 hours."""

MONTH_HOURS = 730

EqualPart = tuple[int, int]
"""Which of how many equal parts: ``(2, 3)`` is the second of three."""

WHOLE: EqualPart = (1, 1)


class Confidence(StrEnum):
    """How far a rate can be trusted: ``high``, ``low`` (something was assumed or unreadable), ``gap`` (no price)."""

    HIGH = "high"
    LOW = "low"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Rate:
    """One price as it stood when it was applied; interned in the ledger and never changed.

    Attributes:
        meter: what it charges.
        unit_price: decimal text, in ``currency`` per ``pricing_unit``, multipliers applied; ``"0"`` for a gap.
        list_unit_price: the same before multipliers.
        pricing_unit: such as ``node-hour``, ``vcpu-hour``, ``gib-hour``, ``gpu-hour``; or `TOTAL`.
        currency: ISO-4217.
        rule: which rule gave it, readable: ``builtin aws us-east-1 p4d.24xlarge on_demand``.
        as_of: the price's own date (ISO) or ``""``.
        confidence: high, low or gap.
        note: what was assumed or is missing, or ``""``.
        share: which part of the cost is charged, where runs share a machine.
    """

    meter: Meter
    unit_price: str
    list_unit_price: str
    pricing_unit: str
    currency: str
    rule: str
    as_of: str = ""
    confidence: Confidence = Confidence.HIGH
    note: str = ""
    share: EqualPart = WHOLE

    def __hash__(self) -> int:
        # Few rates have these in common, and each run's are looked up more than once.
        return hash((self.unit_price, self.rule, self.pricing_unit, self.share))

    @property
    def unshared(self) -> Rate:
        """The same of the whole machine."""
        return self if self.share == WHOLE else replace(self, share=WHOLE)


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """``quantity`` (micro-units held; of a `TOTAL` nanos) over ``[start_ms, end_ms)`` at ``rate``.

    Cost follows from these alone.
    """

    rate: Rate
    quantity: int
    start_ms: int
    end_ms: int

    @property
    def meter(self) -> Meter:
        """What it charges."""
        return self.rate.meter

    @property
    def cost_nanos(self) -> int:
        """The whole cost, rounded once."""
        return self.cost_until(self.end_ms)

    def cost_until(self, at_ms: int) -> int:
        """Return the cumulative cost from the start up to an instant, in nanos, rounded half-even.

        Parts of a charge are differences of this function, so they sum to the whole.
        """
        return cost_until(self.rate, self.quantity, (self.start_ms, self.end_ms), at_ms)


def cost_until(rate: Rate, quantity: int, line: tuple[int, int], at_ms: int) -> int:
    """Return the nanos of a line over ``[start, end)`` from its start up to an instant, rounded half-even."""
    start_ms, end_ms = line
    until = min(at_ms, end_ms)
    if rate.pricing_unit != TOTAL:
        return part_of(accrued(rate.unit_price, quantity, start_ms, until, hours_in(rate.pricing_unit)), rate.share)
    if until <= start_ms:
        return 0
    numerator, denominator = Decimal(rate.unit_price).as_integer_ratio()
    return div_half_even(numerator * quantity * (until - start_ms), denominator * (end_ms - start_ms))


def cost_between(rate: Rate, quantity: int, line: tuple[int, int], part: tuple[int, int]) -> int:
    """Return the nanos of a line over ``[start, end)`` that fall into ``part``, a difference of cumulative costs.

    A reversal's quantity is negative, and so is its part.
    """
    sign, size = (-1, -quantity) if quantity < 0 else (1, quantity)
    since_ms, until_ms = part
    return sign * (cost_until(rate, size, line, until_ms) - cost_until(rate, size, line, since_ms))


def burn(rate: Rate, quantity: int, line: tuple[int, int]) -> int:
    """Return the nanos an hour of a line; of a `TOTAL` its mean so far."""
    if rate.pricing_unit != TOTAL:
        return part_of(accrued(rate.unit_price, quantity, 0, HOUR_MS, hours_in(rate.pricing_unit)), rate.share)
    start_ms, end_ms = line
    return div_half_even(cost_until(rate, quantity, line, end_ms) * HOUR_MS, max(end_ms - start_ms, 1))


def part_of(nanos: int, share: EqualPart) -> int:
    """Return one of several equal parts of a cost, to the nano: the parts sum to it, and none falls while it grows."""
    place, parts = share
    return (nanos + parts - place) // parts


def pace(rate: Rate, quantity: int) -> tuple[int, int]:
    """Return the nanos a millisecond of a line of whole machines as (numerator, denominator); a `TOTAL` has none."""
    numerator, denominator = _per_ms(rate.unit_price, hours_in(rate.pricing_unit))
    return numerator * quantity, denominator


def hours_in(pricing_unit: str) -> int:
    """Return how many hours of one thing held a price is for."""
    return MONTH_HOURS if pricing_unit == GIB_MONTH else 1


def accrued(unit_price: str, quantity: int, start_ms: int, at_ms: int, hours: int = 1) -> int:
    """Return the nanos that ``quantity`` micro-units cost from ``start_ms`` to ``at_ms``, at a price for some hours."""
    if at_ms <= start_ms:
        return 0
    numerator, denominator = _per_ms(unit_price, hours)
    return div_half_even(numerator * quantity * (at_ms - start_ms), denominator)


@lru_cache(maxsize=16384)
def _per_ms(unit_price: str, hours: int) -> tuple[int, int]:
    numerator, denominator = Decimal(unit_price).as_integer_ratio()
    return numerator * NANOS, denominator * MICRO * HOUR_MS * hours

"""Machines and catalogs of a few lines, for tests of prices."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from alerter.core.charges import MICRO, ChargeLine
from alerter.core.ports import CatalogPrice, PriceBook
from alerter.core.price_rules import Match, PriceRule, PriceRules, ResourceRates, Term, utc_midnight_ms
from alerter.core.pricing import price_machine
from alerter.core.resources import read_resources
from alerter.core.usage import MachineTime, Resources
from alerter.pricebooks.builtin import BuiltinBook

BUILTIN = (BuiltinBook(),)
HOUR = 3_600_000
NOON = utc_midnight_ms(date(2026, 11, 23)) + 12 * HOUR


@dataclass(eq=False)
class FixedBook:
    """A catalog in memory."""

    rows: Sequence[CatalogPrice]
    name: str = "fixed"
    currency: str = "USD"
    problems: Sequence[str] = field(default=())

    @property
    def instance_types(self) -> Sequence[str]:
        return [row.instance_type for row in self.rows]

    def find(self, instance_type: str) -> Sequence[CatalogPrice]:
        return [row for row in self.rows if row.instance_type == instance_type]


def row(price: str, place: str = "aws us-east-1 m5.xlarge on_demand", catalog: str = "fixed") -> CatalogPrice:
    provider, region, instance_type, option = place.split()
    return CatalogPrice(provider, region, instance_type, option, price, "2026-07-20", catalog)


def ms(day: str) -> int:
    return utc_midnight_ms(date.fromisoformat(day))


def match(**wanted: str) -> Match:
    return Match(tuple((key.replace("tag_", "tag."), (glob,)) for key, glob in wanted.items()))


def term(start: str = "", end: str = "") -> Term:
    return Term(date.fromisoformat(start) if start else None, date.fromisoformat(end) if end else None)


def instance_rule(price: str, start: str = "", end: str = "", **wanted: str) -> PriceRule:
    return PriceRule("prices.yaml #1", match(**wanted), Decimal(price), term=term(start, end))


def part_rule(rates: ResourceRates, **wanted: str) -> PriceRule:
    return PriceRule("prices.yaml #2", match(**wanted), rates=rates)


def machine(**logged: str) -> Resources:
    return read_resources(tuple(sorted(logged.items())))


def priced(
    resources: Resources,
    rules: PriceRules | None = None,
    books: Sequence[PriceBook] = BUILTIN,
    *,
    start_ms: int = NOON,
    end_ms: int = NOON + HOUR,
    tags: dict[str, str] | None = None,
) -> tuple[ChargeLine, ...]:
    usage = MachineTime(resources, start_ms, end_ms, tuple(sorted((tags or {}).items())))
    return price_machine(usage, rules or PriceRules(), books)


def dollars(lines: Sequence[ChargeLine]) -> Decimal:
    return sum((Decimal(line.cost_nanos).scaleb(-9) for line in lines), Decimal(0))


def told(lines: Sequence[ChargeLine]) -> list[tuple[object, ...]]:
    """Return what each line says: meter, quantity, unit price, unit."""
    return [
        (line.meter, Decimal(line.quantity) / MICRO, line.rate.unit_price, line.rate.pricing_unit) for line in lines
    ]

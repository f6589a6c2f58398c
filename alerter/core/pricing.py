"""Price machine time: rules and catalogs in, charge lines out, and a gap for every part that has no price.

Tried in order: the instance's price x nodes; rates of GPU, vCPU and memory that add up; ``fallback``; a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import lru_cache
from itertools import pairwise

from alerter.core.charges import MICRO, ChargeLine, Confidence, Rate
from alerter.core.money import CurrencyMismatchError, decimal_text
from alerter.core.ports import PriceBook
from alerter.core.price_lookup import PLATFORMS, Lookup, Place, Quote, facts_of, look_up, place_of
from alerter.core.price_parts import Part, parts_of
from alerter.core.price_rules import Multiplier, PriceRule, PriceRules, next_change_ms
from alerter.core.resources import machine_label
from alerter.core.usage import MachineTime, Meter, Pairs, Resources

__all__ = ["check_currency", "machine_label", "next_change_ms", "price_machine"]

_BEGINNING, _END = -(2**63), 2**63


@dataclass(frozen=True, slots=True)
class _Track:
    """One rate that holds for a quantity over ``[start_ms, end_ms)``, whenever the machine is held."""

    rate: Rate
    quantity: int
    start_ms: int
    end_ms: int


def price_machine(usage: MachineTime, rules: PriceRules, books: Sequence[PriceBook]) -> tuple[ChargeLine, ...]:
    """Return what machine time costs, as lines that cover ``[start_ms, end_ms)``: one at a time of each meter.

    A line ends where a dated price begins or ends. What has no price is a line whose rate is a gap (price ``"0"``,
    confidence ``gap``, its note naming what is missing). An empty interval has no lines.

    Args:
        usage: machines, when, and the tags that rules may match on, cleaned as for budgets.
        rules: ``prices.yaml``.
        books: catalogs, the first one preferred where several know a price equally well.

    Raises:
        CurrencyMismatchError: a catalog's prices are in another currency than the rules'.
    """
    if usage.end_ms <= usage.start_ms:
        return ()
    tags: Pairs = ()
    if rules.tag_keys:
        tags = tuple(pair for pair in usage.tags if pair[0] in rules.tag_keys)
    resources = usage.resources
    if resources.resource_id is not None:
        resources = replace(resources, resource_id=None)
    return tuple(
        ChargeLine(track.rate, track.quantity, max(track.start_ms, usage.start_ms), min(track.end_ms, usage.end_ms))
        for track in _tracks(resources, tags, rules, tuple(books))
        if track.start_ms < usage.end_ms and track.end_ms > usage.start_ms
    )


def check_currency(rules: PriceRules, books: Sequence[PriceBook]) -> None:
    """Refuse catalogs whose prices are not in the rules' currency.

    Raises:
        CurrencyMismatchError: it names the catalog and the remedy.
    """
    for book in books:
        if book.currency != rules.currency:
            raise CurrencyMismatchError(
                f"catalog {book.name} is in {book.currency}, prices.yaml in {rules.currency}: "
                f"remove it from catalogs, or write currency: {book.currency}"
            )


@lru_cache(maxsize=8192)
def _tracks(resources: Resources, tags: Pairs, rules: PriceRules, books: tuple[PriceBook, ...]) -> tuple[_Track, ...]:
    """Price resources for all time: by meter, then by time. Remembered, since days and runs repeat."""
    check_currency(rules, books)
    pricer = _Pricer(resources, tags, rules, books)
    edges = [_BEGINNING, *sorted(set(pricer.edges())), _END]
    tracks: dict[Meter, list[_Track]] = {}
    for start, end in pairwise(edges):
        for rate, quantity in pricer.lines_at(start):
            held = tracks.setdefault(rate.meter, [])
            if held and held[-1] == _Track(rate, quantity, held[-1].start_ms, start):
                held[-1] = replace(held[-1], end_ms=end)
            else:
                held.append(_Track(rate, quantity, start, end))
    return tuple(track for meter in Meter for track in tracks.get(meter, ()))


class _Pricer:
    """One machine's price at any instant."""

    def __init__(self, resources: Resources, tags: Pairs, rules: PriceRules, books: tuple[PriceBook, ...]) -> None:
        self._resources = resources
        self._rules = rules
        self._place: Place = place_of(resources, rules.defaults)
        facts = facts_of(resources, tags, self._place, resources.instance_type)
        self._machine = look_up(resources.instance_type, resources, tags, rules, books)
        self._driver: Lookup | None = None
        if resources.driver_type is not None:
            self._driver = look_up(resources.driver_type, resources, tags, rules, books)
        self._dbu: list[PriceRule] = [r for r in rules.prices if r.per_dbu is not None and r.match.accepts(facts)]
        self._multipliers: list[Multiplier] = [each for each in rules.multipliers if each.match.accepts(facts)]

    def edges(self) -> Iterator[int]:
        """Yield the instants at which any line may change."""
        yield from self._machine.edges()
        if self._driver is not None:
            yield from self._driver.edges()
        for rule in self._dbu:
            yield from rule.term.edges()
        for each in self._multipliers:
            yield from each.term.edges()

    def lines_at(self, at_ms: int) -> list[tuple[Rate, int]]:
        """Return every rate and quantity (micro-units) that holds from an instant on."""
        found = self._machine_at(at_ms)
        if self._rules.fallback_per_run_hour is not None and all(part.price is None for part in found):
            found = [self._fallback(self._rules.fallback_per_run_hour, found)]
        found.extend(self._dbu_at(at_ms))
        # A charge of nothing could not be told from its reversal: the least quantity is a millionth.
        return [(self._rate(part, at_ms), max(round(part.quantity * MICRO), 1)) for part in found]

    def _machine_at(self, at_ms: int) -> list[Part]:
        resources, rule = self._resources, self._machine.rule_at(at_ms)
        quote = self._machine.quote_at(at_ms)
        if quote is not None:
            found = [self._instance(Meter.MACHINE, quote, resources.nodes)]
        elif rule is not None:
            found = parts_of(resources, rule.rates, rule.where, as_of=rule.term.as_of) or [self._machine_gap(rule)]
        else:
            found = parts_of(resources, self._rules.resources, "resources", doubts=self._doubts())
            if not found or (resources.instance_type is not None and all(part.price is None for part in found)):
                found = [self._machine_gap(None)]
        if self._driver is not None and resources.driver_type is not None:
            driver = self._driver.quote_at(at_ms)
            if driver is None:
                found.append(_gap(Meter.DRIVER, "node-hour", self._no_price(resources.driver_type)))
            else:
                found.append(self._instance(Meter.DRIVER, driver, 1))
        return found

    def _instance(self, meter: Meter, quote: Quote, nodes: int) -> Part:
        doubtful = ("instance_type", "nodes", "provider", "region", "purchase_option", "logged_cost")
        doubts = tuple(f"{each.key}: {each.why}" for each in self._resources.problems if each.field in doubtful)
        confidence = Confidence.LOW if doubts else quote.confidence
        notes = quote.notes + doubts
        return Part(meter, "node-hour", Decimal(nodes), quote.price, quote.rule, quote.as_of, confidence, notes)

    def _doubts(self) -> tuple[str, ...]:
        """Return why the general rates of parts are only an assumption about this machine."""
        doubts = []
        if self._resources.instance_type is not None:
            doubts.append(f"{self._no_price(self._resources.instance_type)}: priced by its logged parts")
        if self._place.purchase_option != "on_demand":
            doubts.append(f"no {self._place.purchase_option} rates: priced as on_demand")
        return tuple(doubts)

    def _no_price(self, instance_type: str) -> str:
        return f"no price for instance type {instance_type} in {self._place}"

    def _machine_gap(self, rule: PriceRule | None) -> Part:
        resources = self._resources
        unreadable = "; ".join(f"{each.key}: {each.why}" for each in resources.problems)
        if rule is not None:
            note = f"{rule.where} prices parts, and none is logged"
        elif resources.instance_type is not None:
            note = self._no_price(resources.instance_type)
        else:
            note = "no instance_type, GPU, CPU or memory logged"
        return _gap(Meter.MACHINE, "node-hour", note, *([unreadable] if unreadable else []), quantity=resources.nodes)

    def _fallback(self, price: Decimal, found: Sequence[Part]) -> Part:
        notes = tuple(dict.fromkeys(note for part in found for note in part.notes))
        return Part(Meter.MACHINE, "run-hour", Decimal(1), price, "fallback", "", Confidence.LOW, notes)

    def _dbu_at(self, at_ms: int) -> list[Part]:
        dbus = self._resources.dbus
        rule = next((each for each in self._dbu if each.term.covers(at_ms)), None)
        if rule is None:
            if not dbus and self._resources.provider not in PLATFORMS:
                return []
            return [_gap(Meter.DBU, "dbu", "no per_dbu price in prices.yaml")]
        if not dbus:
            return [_gap(Meter.DBU, "dbu", f"{rule.where} has a per_dbu price, but no dbus (per hour) are logged")]
        return [Part(Meter.DBU, "dbu", dbus, rule.per_dbu, f"{rule.where} per_dbu", rule.term.as_of)]

    def _rate(self, part: Part, at_ms: int) -> Rate:
        currency = self._rules.currency
        if part.price is None:
            note = "; ".join(part.notes)
            return Rate(part.meter, "0", "0", part.unit, currency, "gap", "", Confidence.GAP, note)
        price, rule = part.price, part.rule
        for each in self._multipliers:
            if each.term.covers(at_ms):
                with localcontext(prec=60):
                    price *= each.factor
                rule += f" x {each.factor}" + (f" ({each.reason})" if each.reason else "")
        return Rate(
            part.meter,
            decimal_text(price),
            decimal_text(part.price),
            part.unit,
            currency,
            rule,
            part.as_of,
            part.confidence,
            "; ".join(part.notes),
        )


def _gap(meter: Meter, unit: str, *notes: str, quantity: int = 1) -> Part:
    return Part(meter, unit, Decimal(quantity), None, "gap", "", Confidence.GAP, notes)

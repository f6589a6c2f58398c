"""Find the price of an instance type: the user's rules, then catalogs, then derived types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from alerter.core.charges import Confidence
from alerter.core.ports import CatalogPrice, PriceBook
from alerter.core.price_rules import TAG, Defaults, DeriveRule, Facts, PriceRule, PriceRules
from alerter.core.usage import Pairs, Resources

PLATFORMS = frozenset({"databricks"})
"""Providers that rent another provider's machines."""

_GPU_VENDORS = ("nvidia", "tesla", "amd", "geforce", "instinct")


@dataclass(frozen=True, slots=True)
class Quote:
    """What one instance costs per hour, where that stands, and how far it can be trusted."""

    price: Decimal
    rule: str
    as_of: str = ""
    confidence: Confidence = Confidence.HIGH
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a machine is rented; ``..._known`` tells whether the run said so."""

    provider: str
    region: str
    purchase_option: str
    provider_known: bool
    region_known: bool

    def __str__(self) -> str:
        option = "" if self.purchase_option == "on_demand" else f" {self.purchase_option}"
        return f"{self.provider} {self.region}{option}"


def place_of(resources: Resources, defaults: Defaults) -> Place:
    """Return where a machine is rented, the defaults filled in; a platform's machines are the default provider's."""
    known = resources.provider is not None and resources.provider not in PLATFORMS
    return Place(
        provider=resources.provider if known and resources.provider else defaults.provider,
        region=resources.region or defaults.region,
        purchase_option=resources.purchase_option or defaults.purchase_option,
        provider_known=known,
        region_known=resources.region is not None,
    )


def facts_of(resources: Resources, tags: Pairs, place: Place, instance_type: str | None) -> dict[str, tuple[str, ...]]:
    """Return what rules can match on."""
    facts: dict[str, tuple[str, ...]] = {f"{TAG}{key}": (value,) for key, value in tags}
    facts["provider"] = (resources.provider or place.provider,)
    facts["region"] = (place.region,)
    facts["purchase_option"] = (place.purchase_option,)
    if instance_type is not None:
        facts["instance_type"] = (instance_type,)
    if resources.gpu_type is not None:
        facts["gpu_type"] = gpu_names(resources.gpu_type)
    return facts


def gpu_names(gpu_type: str) -> tuple[str, ...]:
    """Return a GPU's name as logged and without its makers' names: ``NVIDIA Tesla T4`` is also ``T4``."""
    short = gpu_type
    while True:
        first, separator, rest = short.replace("-", " ", 1).partition(" ")
        if not separator or first.lower() not in _GPU_VENDORS:
            return (gpu_type,) if short == gpu_type else (gpu_type, short)
        short = rest.strip()


@dataclass(frozen=True, slots=True)
class Lookup:
    """Everything that may price one instance type, dates aside.

    Attributes:
        rules: entries of ``prices:`` that match, in order.
        catalog: the best catalog price.
        derived: per matching entry of ``derive:``, what prices the rewritten type.
    """

    rules: tuple[PriceRule, ...]
    catalog: Quote | None
    derived: tuple[tuple[DeriveRule, str, Lookup], ...] = ()

    def edges(self) -> Iterator[int]:
        """Yield the instants (epoch ms) at which the price may change."""
        for rule in self.rules:
            yield from rule.term.edges()
        for _, _, lookup in self.derived:
            yield from lookup.edges()

    def rule_at(self, at_ms: int) -> PriceRule | None:
        """Return the entry of ``prices:`` that decides at an instant."""
        return next((rule for rule in self.rules if rule.term.covers(at_ms)), None)

    def quote_at(self, at_ms: int) -> Quote | None:
        """Return the price of one instance at an instant; None if it has none."""
        rule = self.rule_at(at_ms)
        if rule is not None:
            if rule.per_instance_hour is None:
                return None
            return Quote(rule.per_instance_hour, rule.where, rule.term.as_of)
        if self.catalog is not None:
            return self.catalog
        for derive, original, lookup in self.derived:
            base = lookup.quote_at(at_ms)
            if base is not None:
                return _derived(derive, original, base)
        return None


def look_up(
    instance_type: str | None, resources: Resources, tags: Pairs, rules: PriceRules, books: Sequence[PriceBook]
) -> Lookup:
    """Collect what may price an instance type, or a machine whose type is not known."""
    place = place_of(resources, rules.defaults)
    facts = facts_of(resources, tags, place, instance_type)
    found = _direct(instance_type, facts, place, rules, books)
    derived = []
    for rule in rules.derive if instance_type is not None else ():
        if instance_type and instance_type.startswith(rule.strip_prefix) and rule.match.accepts(facts):
            base = instance_type.removeprefix(rule.strip_prefix)
            direct = _direct(base, {**facts, "instance_type": (base,)}, place, rules, books)
            derived.append((rule, instance_type, direct))
    return Lookup(found.rules, found.catalog, tuple(derived))


def _direct(
    instance_type: str | None, facts: Facts, place: Place, rules: PriceRules, books: Sequence[PriceBook]
) -> Lookup:
    matching = tuple(rule for rule in rules.prices if rule.prices_machines and rule.match.accepts(facts))
    return Lookup(matching, _from_catalogs(instance_type, place, rules.defaults, books) if instance_type else None)


def _derived(derive: DeriveRule, original: str, base: Quote) -> Quote:
    with localcontext(prec=60):
        price = base.price * derive.multiplier
    rule = f"derived {original} = {base.rule} x {derive.multiplier}"
    return Quote(price, rule, base.as_of, base.confidence, base.notes)


def _from_catalogs(instance_type: str, place: Place, defaults: Defaults, books: Sequence[PriceBook]) -> Quote | None:
    """Return the nearest price: right provider, region, option; then the earlier catalog, then the dearer price."""
    ranked = [
        ((*_misses(row, place), row.region != defaults.region, order, -Decimal(row.per_hour), row.region), row)
        for order, book in enumerate(books)
        for row in book.find(instance_type)
    ]
    if not ranked:
        return None
    row = min(ranked, key=lambda each: each[0])[1]
    wrong_provider, wrong_region, wrong_option = _misses(row, place)
    notes = []
    if wrong_provider:
        notes.append(f"priced as {row.provider} {row.region}")
    elif wrong_region:
        notes.append(f"priced as {row.region}")
    elif not place.region_known:
        notes.append(f"region assumed: {row.region}")
    if wrong_option:
        notes.append(f"no {place.purchase_option} price: priced as {row.purchase_option}")
    doubtful = wrong_provider or wrong_region or wrong_option
    rule = f"{row.catalog} {row.provider} {row.region} {row.instance_type} {row.purchase_option}"
    confidence = Confidence.LOW if doubtful else Confidence.HIGH
    return Quote(Decimal(row.per_hour), rule, row.as_of, confidence, tuple(notes))


def _misses(row: CatalogPrice, place: Place) -> tuple[bool, bool, bool]:
    """Tell whether a price is another provider's, region's, option's. A region that was logged names its provider."""
    wrong_region = row.region != place.region
    implied = not place.provider_known and place.region_known and not wrong_region
    wrong_provider = row.provider != place.provider and not implied
    return wrong_provider, wrong_region, row.purchase_option != place.purchase_option

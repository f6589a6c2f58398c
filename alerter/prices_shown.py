"""What an instance type costs, by the very function that prices runs, and what the catalogs know besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from alerter.core.charges import Confidence, Rate
from alerter.core.periods import HOUR_MS, iso
from alerter.core.ports import CatalogPrice, PriceBook
from alerter.core.price_age import is_old
from alerter.core.price_lookup import Place, place_of
from alerter.core.price_rules import PriceRules
from alerter.core.pricing import price_machine
from alerter.core.usage import MachineTime, Pairs, Resources

_WILD = frozenset("*?[")
_CLOSE = 3


@dataclass(frozen=True, slots=True)
class ShownPrice:
    """What one machine costs an hour at an instant.

    Attributes:
        place: where it is taken to stand, the defaults filled in.
        rates: of the machine and its parts; gaps among them.
        others: what catalogs know of the type, or of the one that it is derived from.
        similar: types that are spelled alike, where it has no price.
    """

    instance_type: str
    place: Place
    at_ms: int
    currency: str
    rates: tuple[Rate, ...]
    others: tuple[CatalogPrice, ...]
    similar: tuple[str, ...]

    @property
    def is_priced(self) -> bool:
        """Whether the machine has a price."""
        return any(rate.confidence is not Confidence.GAP for rate in self.rates)

    def as_json(self, today: date) -> dict[str, Any]:
        """Return it for scripts, money as decimal strings."""
        return {
            "instance_type": self.instance_type,
            "provider": self.place.provider,
            "region": self.place.region,
            "purchase_option": self.place.purchase_option,
            "at": iso(self.at_ms),
            "currency": self.currency,
            "prices": [_rate_json(each, today) for each in self.rates if each.confidence is not Confidence.GAP],
            "gaps": [
                {"meter": each.meter.value, "missing": each.note}
                for each in self.rates
                if each.confidence is Confidence.GAP
            ],
            "others": [_row_json(each) for each in self.others],
            "did_you_mean": list(self.similar),
        }


def show_price(
    resources: Resources, tags: Pairs, rules: PriceRules, books: Sequence[PriceBook], at_ms: int
) -> ShownPrice:
    """Return what a machine costs an hour from an instant on; ``resources`` name its instance type.

    Raises:
        CurrencyMismatchError: a catalog's prices are in another currency than the rules'.
    """
    instance_type = resources.instance_type or ""
    lines = price_machine(MachineTime(resources, at_ms, at_ms + HOUR_MS, tags), rules, books)
    rates = tuple(line.rate for line in lines if line.start_ms == at_ms)
    priced = any(rate.confidence is not Confidence.GAP for rate in rates)
    return ShownPrice(
        instance_type,
        place_of(resources, rules.defaults),
        at_ms,
        rules.currency,
        rates,
        _others(instance_type, rules, books),
        () if priced else _similar(instance_type, rules, books),
    )


def _others(instance_type: str, rules: PriceRules, books: Sequence[PriceBook]) -> tuple[CatalogPrice, ...]:
    names = [instance_type]
    names += [
        instance_type.removeprefix(each.strip_prefix)
        for each in rules.derive
        if instance_type.startswith(each.strip_prefix)
    ]
    rows = [row for name in dict.fromkeys(names) for book in books for row in book.find(name)]
    return tuple(sorted(rows, key=lambda row: (row.catalog, row.provider, row.region, row.purchase_option)))


def _similar(instance_type: str, rules: PriceRules, books: Sequence[PriceBook]) -> tuple[str, ...]:
    known = {each.lower(): each for each in _known(rules, books)}
    close = get_close_matches(instance_type.lower()[:200], known, n=_CLOSE)
    return tuple(known[each] for each in close)


def _known(rules: PriceRules, books: Sequence[PriceBook]) -> Iterable[str]:
    for book in books:
        yield from book.instance_types
    for match in (*(rule.match for rule in rules.prices), *(rule.match for rule in rules.derive)):
        for key, globs in match.wanted:
            if key == "instance_type":
                yield from (glob for glob in globs if not _WILD & set(glob))


def _rate_json(rate: Rate, today: date) -> dict[str, Any]:
    return {
        "meter": rate.meter.value,
        "unit": rate.pricing_unit,
        "unit_price": rate.unit_price,
        "list_unit_price": rate.list_unit_price,
        "rule": rate.rule,
        "as_of": rate.as_of or None,
        "old": is_old(rate, today),
        "confidence": rate.confidence.value,
        "note": rate.note or None,
    }


def _row_json(row: CatalogPrice) -> dict[str, Any]:
    return {
        "catalog": row.catalog,
        "provider": row.provider,
        "region": row.region,
        "instance_type": row.instance_type,
        "purchase_option": row.purchase_option,
        "per_hour": row.per_hour,
        "as_of": row.as_of or None,
    }

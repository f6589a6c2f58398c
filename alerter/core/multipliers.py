"""Discounts and surcharges on what is no machine: storage and tokens, by their tags alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext

from alerter.core.price_rules import TAG, Multiplier


def tags_of(multipliers: Iterable[Multiplier]) -> frozenset[str]:
    """Return the tags that multipliers name."""
    keys = (key for each in multipliers for key, _ in each.match.wanted)
    return frozenset(key.removeprefix(TAG) for key in keys if key.startswith(TAG))


def multiplied(
    price: Decimal, multipliers: Iterable[Multiplier], tags: Mapping[str, str], at_ms: int
) -> tuple[Decimal, str]:
    """Return a price after the multipliers that match tags at an instant, and what to add to its rule.

    Args:
        price: before them.
        multipliers: of ``prices.yaml``. One that names anything but tags is not meant.
        tags: cleaned as for budgets.
        at_ms: epoch milliseconds.
    """
    facts = {f"{TAG}{key}": (value,) for key, value in tags.items()}
    words = ""
    for each in multipliers:
        if each.term.covers(at_ms) and each.match.accepts(facts):
            with localcontext(prec=60):
                price *= each.factor
            words += f" x {each.factor}" + (f" ({each.reason})" if each.reason else "")
    return price, words

"""Prices of LLM tokens: your own, then genai-prices' dated list, imported when the first trace needs it (33 MB)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from alerter.core.budgets import TagCleaning
from alerter.core.charges import TOTAL, Confidence, Rate
from alerter.core.money import CurrencyMismatchError, MoneyError, decimal_text, to_nanos
from alerter.core.multipliers import multiplied
from alerter.core.ports import PriceBookError
from alerter.core.price_rules import PriceRules, fits
from alerter.core.traces import UNKNOWN_MODEL
from alerter.core.usage import Meter, Pairs, Tokens

log = logging.getLogger(__name__)

USD = "USD"
INSTALL = 'pip install "mlflow-alerter[llm]"'
_PROVIDERS = {"azure_openai": "azure", "bedrock": "aws", "gemini": "google", "vertex_ai": "google", "xai": "x-ai"}
"""Names of providers as clients log them, where genai-prices has others."""

_REMEMBERED = 1_000

MOST_NANOS = 2**50
"""About a million units of the currency: more than one call costs, and thousands of them fit the ledger's sums."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What tokens cost before multipliers, in nanos, rounded once, and the rate that these are charged at.

    A gap costs nothing and its rate says what is missing.
    """

    rate: Rate
    nanos: int

    @property
    def is_gap(self) -> bool:
        """Whether there is no price."""
        return self.rate.confidence is Confidence.GAP


class TokenPrices:
    """What tokens cost at their time.

    Args:
        rules: ``prices.yaml``; in another currency than USD there are only its own token prices.
        cleaning: of the tags that its multipliers match on.

    Raises:
        PriceBookError: genai-prices isn't installed.
        CurrencyMismatchError: the configuration is in another currency and has no token prices of its own.
    """

    def __init__(self, rules: PriceRules, cleaning: TagCleaning | None = None) -> None:
        if rules.currency != USD and not rules.tokens:
            raise CurrencyMismatchError(
                f"the list of token prices is in USD, prices.yaml in {rules.currency}: give your own there under "
                "`tokens:`, or write `tokens: {enabled: false}` in alerter.yaml"
            )
        if rules.currency == USD and find_spec("genai_prices") is None:
            raise PriceBookError(f"LLM tokens are priced by genai-prices, which is not installed: {INSTALL}")
        self._rules = rules
        self._cleaning = cleaning or TagCleaning()
        self._gaps: set[str] = set()
        self._rates: dict[tuple[str, ...], Rate] = {}

    def price(self, used: Tokens, tags: Pairs = ()) -> Priced:
        """Return what some tokens cost that are used under tags."""
        priced = self._listed(used)
        if priced.is_gap or not self._rules.multipliers:
            return priced
        cleaned = self._cleaning.clean_all(tags)
        factor, by = multiplied(Decimal(1), self._rules.multipliers, cleaned, used.at_ms)
        if not by:
            return priced
        rate = replace(priced.rate, unit_price=decimal_text(factor), rule=f"{priced.rate.rule}{by}")
        return Priced(rate, priced.nanos)

    def _listed(self, used: Tokens) -> Priced:
        if not used.model:
            return self._gap("the model is not logged")
        try:
            found = self._priced(used)
        except MoneyError:
            return self._gap(f"a call of model {used.model} that costs billions is a mistake")
        if found is None:
            return self._gap(f"{UNKNOWN_MODEL}{used.model}")
        if found.nanos > MOST_NANOS:
            return self._gap(f"a call of model {used.model} that costs millions is a mistake")
        return found

    def _priced(self, used: Tokens) -> Priced | None:
        for rule in self._rules.tokens:
            if rule.term.covers(used.at_ms) and any(fits(glob, used.model) for glob in rule.models):
                rate = Rate(Meter.TOKENS, "1", "1", TOTAL, self._rules.currency, rule.rule, rule.term.as_of)
                return Priced(rate, to_nanos(rule.cost(used)))
        for model, provider in _spellings(used) if self._rules.currency == USD else ():
            found = self._look_up(used, model, provider)
            if found is not None:
                return found
        return None

    def _look_up(self, used: Tokens, model: str, provider: str | None) -> Priced | None:
        from genai_prices import Usage, calc_price  # noqa: PLC0415 - 0.3 s and 33 MB that few need

        usage = Usage(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cache_read_tokens=used.cached_input_tokens or None,
            cache_write_tokens=used.cache_write_tokens or None,
        )
        at = datetime.fromtimestamp(used.at_ms // 1000, UTC)
        context = {"service_tier": used.tier} if used.tier else None
        try:
            found = calc_price(usage, model, provider_id=provider, genai_request_timestamp=at, price_context=context)
        except (LookupError, ValueError):
            return None
        rate = self._rate(found.provider.id, found.model.id, used.tier, _a_million(found.model_price))
        return Priced(rate, to_nanos(Decimal(found.total_price)))

    def _rate(self, *which: str) -> Rate:
        """Return the rate of a provider, model, tier and their prices."""
        rate = self._rates.get(which)
        if rate is None:
            from genai_prices import __version__  # noqa: PLC0415

            if len(self._rates) >= _REMEMBERED:
                self._rates.clear()
            *names, prices = which
            rule = " ".join(part for part in ("genai-prices", __version__, *names) if part)
            rate = self._rates[which] = Rate(Meter.TOKENS, "1", "1", TOTAL, USD, f"{rule}: {prices}")
        return rate

    def _gap(self, missing: str) -> Priced:
        if missing not in self._gaps and len(self._gaps) < _REMEMBERED:
            self._gaps.add(missing)
            log.warning("tokens without a price missing=%r", missing)
        currency = self._rules.currency
        return Priced(Rate(Meter.TOKENS, "0", "0", TOTAL, currency, "", "", Confidence.GAP, missing), 0)


_CLASSES = {
    "in": "input_mtok",
    "cached": "cache_read_mtok",
    "into the cache": "cache_write_mtok",
    "out": "output_mtok",
}
"""Kinds of tokens as people read them, and genai-prices' names of their prices."""


def _a_million(prices: Any) -> str:  # noqa: ANN401 - genai-prices', imported only when needed
    """Return ``in 3 (6 above 200,000), cached 0.3, out 15 a million``."""
    found = {name: getattr(prices, field, None) for name, field in _CLASSES.items()}
    return ", ".join(f"{name} {_listed(price)}" for name, price in found.items() if price is not None) + " a million"


def _listed(price: Any) -> str:  # noqa: ANN401 - a number, or genai-prices' tiers by the length of the context
    tiers = " ".join(f"({tier.price:f} above {tier.start:,})" for tier in getattr(price, "tiers", ()))
    return f"{getattr(price, 'base', price):f} {tiers}".rstrip()


def _spellings(used: Tokens) -> Iterator[tuple[str, str | None]]:
    """Yield the model and provider as logged, then as ``provider/model`` of routers, then the model alone."""
    prefix, _, bare = used.model.rpartition("/")
    for model, provider in ((used.model, used.provider), (bare, used.provider), (bare, prefix.lower())):
        if provider:
            yield model, _PROVIDERS.get(provider, provider)
    yield used.model, None
    if bare != used.model:
        yield bare, None

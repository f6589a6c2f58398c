"""What tokens cost: own prices, then the list's, else a gap."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from alerter.bootstrap import wire
from alerter.core.money import CurrencyMismatchError, from_nanos
from alerter.core.usage import Tokens
from alerter.store.engine import Store
from alerter.tokens.prices import TokenPrices
from tests.truth.ledgers import DAY, config_of

T0 = 1_795_435_200_000
BUDGETS = """
defaults: {receivers: [console]}
budgets:
  - {name: llm, amount: "100", period: daily, components: [tokens]}
"""


OWN = """
catalogs: []
tokens:
  - {model: "our-*", per_million_input: "0.40", per_million_output: "1.20", effective_from: 2026-11-23}
  - model: [our-embedder, gpt-4o-mini]
    per_million_input: "0.01"
    per_million_cached: "0.001"
    per_million_output: "0"
"""


def test_own_prices_go_before_the_list_in_their_days(tmp_path: Path) -> None:
    prices = TokenPrices(config_of(tmp_path, BUDGETS, OWN).prices.rules)

    def cost(model: str, at_ms: int = T0) -> tuple[Decimal, str]:
        found = prices.price(Tokens(model, at_ms, 1_000_000, 500_000, cached_input_tokens=400_000))
        return from_nanos(found.nanos), found.rate.rule

    assert cost("our-embedder") == (Decimal(1), "prices.yaml tokens #1 our-*: in 0.40, out 1.20 a million")
    earlier = "prices.yaml tokens #2 our-embedder|gpt-4o-mini: in 0.01, cached 0.001, out 0 a million"
    assert cost("our-embedder", T0 - DAY) == (Decimal("0.0064"), earlier)
    assert cost("gpt-4o-mini")[0] == Decimal("0.0064")
    listed = cost("claude-sonnet-4-5")[1]
    assert listed.startswith("genai-prices ")
    # As the list has it: what a long context costs besides.
    for part in ("anthropic claude-sonnet-4-5: in 3 (6 above 200,000)", "cached 0.3 (", "out 15 (", " a million"):
        assert part in listed
    # As routers name it, and with a provider.
    for model, provider in (("openai/gpt-4o", ""), ("gpt-4o", "openai"), ("gpt-4o", "never heard of")):
        priced = prices.price(Tokens(model, T0, 1_000_000, 0, provider=provider))
        assert priced.rate.rule.endswith(" openai gpt-4o: in 2.5, cached 1.25, out 10 a million")
        assert from_nanos(priced.nanos) == Decimal("2.5")


def test_a_call_that_costs_millions_is_a_mistake_and_no_cost(tmp_path: Path) -> None:
    dear = 'catalogs: []\ntokens: [{model: "*", per_million_input: "1000000", per_million_output: "1"}]\n'
    prices = TokenPrices(config_of(tmp_path, BUDGETS, dear).prices.rules)
    assert prices.price(Tokens("m", T0, 10**10, 0)).is_gap
    assert from_nanos(prices.price(Tokens("m", T0, 10**3, 0)).nanos) == 1000


def test_a_service_tier_has_its_own_price(tmp_path: Path) -> None:
    prices = TokenPrices(config_of(tmp_path, BUDGETS).prices.rules)
    usual, flex = (prices.price(Tokens("gpt-5", T0, 1_000_000, 0, tier=tier)) for tier in ("", "flex"))
    assert flex.nanos * 2 == usual.nanos > 0
    assert " openai gpt-5: in 1.25, cached 0.125, out 10 a million" in usual.rate.rule
    assert " openai gpt-5 flex: in 0.625, cached 0.0625, out 5 a million" in flex.rate.rule


def test_the_list_is_not_mixed_with_another_currency(tmp_path: Path, store: Store) -> None:
    euros = BUDGETS.replace("receivers", "currency: EUR, receivers")
    config = config_of(tmp_path / "none", euros, "currency: EUR\ncatalogs: []\n")
    with pytest.raises(CurrencyMismatchError, match=r"prices\.yaml in EUR"):
        wire(config, store, now_ms=T0)
    prices = TokenPrices(config_of(tmp_path / "own", euros, "currency: EUR" + OWN).prices.rules)
    assert prices.price(Tokens("our-llm", T0, 10, 10)).rate.currency == "EUR"
    assert prices.price(Tokens("claude-sonnet-4-5", T0, 10, 10)).is_gap

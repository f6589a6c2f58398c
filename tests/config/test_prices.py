from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from alerter.config.prices import CatalogSpec, Prices, read_prices
from alerter.config.yaml_files import Document, parse_yaml
from alerter.core.budgets import TagCleaning
from alerter.core.price_rules import SAGEMAKER, Defaults, DeriveRule, LoggedCost, Match, PriceRules, ResourceRates

EXAMPLE = """
currency: USD
catalogs: [builtin, {file: our-contract.csv}]
defaults: {provider: AWS, region: us-east-1, purchase_option: On-Demand}
prices:
  - {match: {instance_type: p4d.24xlarge}, per_instance_hour: "32.7726", effective_to: 2025-06-01}
  - match: {instance_type: "onprem-*"}
    per_gpu_hour: {"A100*": "1.10", "*": "0.60"}
    per_vcpu_hour: "0.02"
    per_gib_hour: "0.003"
  - {match: {provider: databricks, "tag.sku": "JOBS*"}, per_dbu: "0.15"}
derive:
  - {match: {instance_type: "ml.g*.xlarge"}, strip_prefix: "ml.", multiplier: "1.40"}
resources:
  per_vcpu_hour: "0.031611"
  per_gib_hour: "0.004237"
  per_gpu_hour: {T4: "0.35", "*": "0.95"}
  per_gpu_gib_hour: "0.04"
storage: {per_gib_month: "0.023"}
multipliers: [{match: {"tag.team": research}, factor: "0.82", reason: enterprise discount, effective_from: 2026-01-01}]
logged_cost: {metrics: [cost_usd], tags: [cost_usd]}
fallback: {per_run_hour: "0.50"}
"""


def read(folder: Path, text: str, cleaning: TagCleaning | None = None) -> tuple[Prices | None, list[str]]:
    document = parse_yaml(text, folder / "prices.yaml")
    prices = read_prices(document, cleaning)
    return prices, [f"{each.line}:{each.column}: {each.message}" for each in document.problems]


def good(folder: Path, text: str, cleaning: TagCleaning | None = None) -> Prices:
    prices, problems = read(folder, text, cleaning)
    assert prices is not None, problems
    assert not problems
    return prices


def test_the_example_becomes_rules(tmp_path: Path) -> None:
    (tmp_path / "our-contract.csv").touch()
    prices = good(tmp_path, EXAMPLE)
    rules = prices.rules

    assert prices.catalogs == (CatalogSpec("builtin"), CatalogSpec("file", tmp_path / "our-contract.csv"))
    assert [each.where for each in rules.prices] == [
        "prices.yaml #1 p4d.24xlarge",
        "prices.yaml #2 onprem-*",
        "prices.yaml #3 provider databricks, tag.sku JOBS*",
    ]
    assert (rules.prices[0].per_instance_hour, rules.prices[0].term.end) == (Decimal("32.7726"), date(2025, 6, 1))
    assert rules.prices[1].rates.per_gpu_hour == (("A100*", Decimal("1.10")), ("*", Decimal("0.60")))
    assert rules.prices[2].per_dbu == Decimal("0.15")
    assert rules.derive == (DeriveRule(Match((("instance_type", ("ml.g*.xlarge",)),)), "ml.", Decimal("1.40")),)
    assert rules.multipliers[0].reason == "enterprise discount"
    assert rules.fallback_per_run_hour == Decimal("0.50")
    assert (rules.defaults, rules.logged_cost) == (Defaults(), LoggedCost())
    assert rules.resources == PriceRules().resources
    assert rules.tag_keys == {"sku", "team"}


def test_an_empty_file_is_no_file(tmp_path: Path) -> None:
    assert good(tmp_path, "") == Prices()
    assert Prices().rules == PriceRules()
    assert Prices().catalogs == (CatalogSpec("builtin"),)


def test_the_file_that_comes_with_the_program_says_what_holds_without_it(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "config" / "prices.yaml"

    assert good(tmp_path, shipped.read_text(encoding="utf-8")) == Prices()


def test_resources_that_are_written_are_all_there_are(tmp_path: Path) -> None:
    rules = good(tmp_path, 'resources: {per_gpu_hour: "1.5"}\nderive: []\ncatalogs: []').rules

    assert rules.resources == ResourceRates(per_gpu_hour=(("*", Decimal("1.5")),))
    assert rules.derive == ()


def test_another_currency_has_none_of_our_dollars(tmp_path: Path) -> None:
    prices = good(tmp_path, "currency: EUR")

    assert prices.catalogs == ()
    assert prices.rules.resources == ResourceRates()
    assert prices.rules.storage_per_gib_month is None
    assert prices.rules.derive == SAGEMAKER


def test_tag_patterns_are_cleaned_as_budgets_clean_them(tmp_path: Path) -> None:
    cleaning = TagCleaning(casefold=frozenset({"team"}), aliases={"team": {"r&d": "research"}})
    text = 'multipliers: [{match: {"tag.team": [R&D, "VIS*"], region: EU-*}, factor: "0.5"}]'
    rules = good(tmp_path, text, cleaning).rules

    assert rules.multipliers[0].match.wanted == (("tag.team", ("research", "vis*")), ("region", ("EU-*",)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("currency: usd", "1:11: 'usd' is not an ISO-4217 code; did you mean 'USD'?"),
        ("curency: USD", "1:1: unknown key 'curency' in prices.yaml; did you mean 'currency'?"),
        ("catalogs: [builtn]", "1:12: unknown catalog 'builtn'; did you mean 'builtin'?"),
        ("catalogs: [5]", "1:12: expected builtin or {file: PATH}, got a whole number"),
        ("catalogs: [builtin, builtin]", "1:11: a catalog stands twice"),
        (
            "prices: [{match: {region: x}, per_instance_hour: 32.77}]",
            'must be quoted, so that it stays exact: write "32.77"',
        ),
        (
            'prices: [{match: {region: x}, per_instance_hour: "-1"}]',
            "1:50: '-1' is not a price: it must not be negative",
        ),
        ('prices: [{match: {region: x}, per_instance_hour: "1e30"}]', "is too large for a price"),
        ('prices: [{match: {region: x}, per_instance_hour: "1e-30"}]', "too many digits: the most is 18 places"),
        ('prices: [{match: {region: x}, per_instance_hour: "nan"}]', "'nan' is not a number"),
        ('prices: [{match: {}, per_instance_hour: "1"}]', "needs at least 1 entry"),
        ("prices: [{match: {region: x}}]", "a price needs per_instance_hour, per_dbu, or prices of parts"),
        ('prices: [{match: {region: x}, per_instance_hour: "1", per_gib_hour: "1"}]', "holds the whole machine"),
        (
            'prices: [{match: {regoin: x}, per_instance_hour: "1"}]',
            "nothing is known of 'regoin'; did you mean 'region'?",
        ),
        ('prices: [{per_instance_hour: "1"}]', "a price needs 'match'"),
        (
            'prices: [{match: {region: x}, per_dbu: "1", effective_from: 2026-02-02, effective_to: 2026-02-02}]',
            "effective_to must be later than effective_from, 2026-02-02",
        ),
        ('prices: [{match: {region: x}, per_dbu: "1", effective_from: 2026-02-30}]', "is not a day of the calendar"),
        ('multipliers: [{match: {"tag.": x}, factor: "1"}]', "expected instance_type, provider, region"),
        ('multipliers: [{match: {tag.team: x}, factor: "0"}]', "must be greater than 0"),
        ('derive: [{match: {instance_type: x}, multiplier: "1"}]', "a derived price needs 'strip_prefix'"),
        ("fallback: {per_run_hour: 0.5}", 'write "0.5"'),
        (
            'prices: [{match: {region: x}, per_instance_hour: "10001"}]',
            "1:50: '10001' is too large for an hour: the most is 10,000 USD",
        ),
        ('currency: EUR\nresources: {per_gpu_hour: {A100: "99999"}}', "2:34: '99999' is too large for an hour"),
        ('currency: KRW\nfallback: {per_run_hour: "10000001"}', "the most is 10,000,000 KRW"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_write(tmp_path: Path, text: str, problem: str) -> None:
    prices, problems = read(tmp_path, text)

    assert prices is None
    assert any(problem in each for each in problems), problems


def test_an_hour_may_cost_many_of_a_small_unit(tmp_path: Path) -> None:
    rules = good(tmp_path, 'currency: KRW\nprices: [{match: {region: x}, per_instance_hour: "75000"}]').rules
    assert rules.prices[0].per_instance_hour == Decimal(75000)


def test_the_built_in_catalog_is_in_dollars_only(tmp_path: Path) -> None:
    prices, problems = read(tmp_path, "currency: EUR\ncatalogs: [builtin]")

    assert prices is None
    assert problems == [
        "2:11: the built-in catalog is in USD, this file in EUR: remove builtin, or write currency: USD"
    ]


def test_a_catalogs_file_must_be_there(tmp_path: Path) -> None:
    prices, problems = read(tmp_path, "catalogs: [{file: nope.csv}]")

    assert prices is None
    assert problems == [f"1:19: no such file: 'nope.csv' (a relative path counts from {tmp_path})"]


def test_a_broken_document_has_no_prices() -> None:
    document = Document(Path("prices.yaml"))
    document.broken = True

    assert read_prices(document) is None

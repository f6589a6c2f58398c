"""``prices.yaml`` as it is written -> the domain's `PriceRules`, and the catalogs that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alerter.config.price_models import (
    USD,
    BuiltinCatalog,
    Dated,
    DefaultsModel,
    DeriveModel,
    LoggedCostModel,
    MultiplierModel,
    PartRates,
    PriceModel,
    PricesModel,
    TokenPriceModel,
)
from alerter.config.sections import validate
from alerter.config.tags import clean_pattern
from alerter.config.yaml_files import Document
from alerter.core.budgets import TagCleaning
from alerter.core.price_rules import (
    TAG,
    Defaults,
    DeriveRule,
    LoggedCost,
    Match,
    Multiplier,
    PriceRule,
    PriceRules,
    ResourceRates,
    Term,
    TokenRule,
)
from alerter.core.resources import normal_option, normal_region


@dataclass(frozen=True, slots=True)
class CatalogSpec:
    """One entry of ``catalogs``: ``kind`` is a key of the registry's price books, ``path`` the file of a ``file``."""

    kind: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """What ``prices.yaml`` says; the defaults are what holds without the file. Catalogs are asked in their order."""

    rules: PriceRules = field(default_factory=PriceRules)
    catalogs: tuple[CatalogSpec, ...] = (CatalogSpec("builtin"),)

    @property
    def files(self) -> tuple[Path, ...]:
        """The catalogs that are files."""
        return tuple(each.path for each in self.catalogs if each.path is not None)


def read_prices(document: Document, cleaning: TagCleaning | None = None) -> Prices | None:
    """Return the prices of a file; where something is wrong, add it to the document's problems and return None.

    Args:
        document: the parsed file; an empty one gives the defaults.
        cleaning: how tag values are cleaned before rules see them, so that the rules' patterns are cleaned alike.
    """
    model = None if document.broken else validate(PricesModel, document)
    return None if model is None else Prices(_rules(model, cleaning or TagCleaning()), _catalogs(model))


def _catalogs(model: PricesModel) -> tuple[CatalogSpec, ...]:
    usual = (BuiltinCatalog(),) if model.currency == USD else ()
    catalogs = usual if model.catalogs is None else model.catalogs
    return tuple(
        CatalogSpec("builtin") if isinstance(each, BuiltinCatalog) else CatalogSpec("file", each.file)
        for each in catalogs
    )


def _rules(model: PricesModel, cleaning: TagCleaning) -> PriceRules:
    """Make the domain's rules. What is left out in USD has our defaults; in another currency it has no price."""
    usual = PriceRules()
    if model.currency != USD:
        usual = PriceRules(resources=ResourceRates(), storage_per_gib_month=None, logged_cost=LoggedCost((), ()))
    return PriceRules(
        currency=model.currency,
        defaults=_defaults(model.defaults),
        prices=tuple(_price(number, each, cleaning) for number, each in enumerate(model.prices, 1)),
        derive=usual.derive if model.derive is None else tuple(_derive(each, cleaning) for each in model.derive),
        resources=usual.resources if model.resources is None else _rates(model.resources),
        storage_per_gib_month=usual.storage_per_gib_month if model.storage is None else model.storage.per_gib_month,
        multipliers=tuple(_multiplier(each, cleaning) for each in model.multipliers),
        logged_cost=usual.logged_cost if model.logged_cost is None else _logged(model.logged_cost),
        tokens=tuple(_tokens(number, each) for number, each in enumerate(model.tokens, 1)),
        fallback_per_run_hour=None if model.fallback is None else model.fallback.per_run_hour,
    )


def _defaults(model: DefaultsModel) -> Defaults:
    return Defaults(model.provider.lower(), normal_region(model.region), normal_option(model.purchase_option))


def _logged(model: LoggedCostModel) -> LoggedCost:
    return LoggedCost(model.metrics, model.tags)


def _price(number: int, model: PriceModel, cleaning: TagCleaning) -> PriceRule:
    match = _match(model.match, cleaning)
    return PriceRule(
        where=f"prices.yaml #{number} {match.label()}",
        match=match,
        per_instance_hour=model.per_instance_hour,
        rates=_rates(model),
        per_dbu=model.per_dbu,
        term=_term(model),
    )


def _derive(model: DeriveModel, cleaning: TagCleaning) -> DeriveRule:
    return DeriveRule(_match(model.match, cleaning), model.strip_prefix, model.multiplier)


def _multiplier(model: MultiplierModel, cleaning: TagCleaning) -> Multiplier:
    return Multiplier(_match(model.match, cleaning), model.factor, model.reason or "", _term(model))


def _tokens(number: int, model: TokenPriceModel) -> TokenRule:
    return TokenRule(
        where=f"prices.yaml tokens #{number} {'|'.join(model.model)}",
        models=tuple(model.model),
        per_million_input=model.per_million_input,
        per_million_output=model.per_million_output,
        per_million_cached=model.per_million_cached,
        term=_term(model),
    )


def _rates(model: PartRates) -> ResourceRates:
    return ResourceRates(
        per_vcpu_hour=model.per_vcpu_hour,
        per_gib_hour=model.per_gib_hour,
        per_gpu_hour=tuple(model.per_gpu_hour.items()),
        per_gpu_gib_hour=model.per_gpu_gib_hour,
    )


def _match(wanted: Mapping[str, Iterable[str]], cleaning: TagCleaning) -> Match:
    return Match(tuple((key, tuple(_cleaned(cleaning, key, glob) for glob in globs)) for key, globs in wanted.items()))


def _cleaned(cleaning: TagCleaning, key: str, glob: str) -> str:
    return clean_pattern(cleaning, key.removeprefix(TAG), glob) if key.startswith(TAG) else glob


def _term(model: Dated) -> Term:
    return Term(model.effective_from, model.effective_to)

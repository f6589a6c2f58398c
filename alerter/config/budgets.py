"""Budgets as they are written -> the domain's `Budget`, with every check that needs more than one value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TypeVar

from alerter.config.alert_rules import AlertRulesModel, merged
from alerter.config.budget_models import BudgetModel, BudgetsOutline, DefaultsModel, ThresholdModel
from alerter.config.problems import did_you_mean, one_of, shown
from alerter.config.sections import validate
from alerter.config.tags import clean_pattern, why_unknown
from alerter.config.yaml_files import Document, Loc
from alerter.core.budgets import Basis, Budget, Override, TagCleaning, Threshold
from alerter.core.periods import PeriodKind, PeriodSpec
from alerter.core.rules import AlertRules

DEFAULT_THRESHOLDS = (Threshold(Basis.ACTUAL, 80), Threshold(Basis.ACTUAL, 100))
DEFAULT_BEYOND = 25
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
Value = TypeVar("Value")
_FISCAL = {PeriodKind.QUARTERLY, PeriodKind.YEARLY}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the other files say that budgets must agree with.

    Attributes:
        receivers: names; None where ``alerter.yaml`` can't be read, so that nothing is said of them.
        currency: of the prices; None where ``prices.yaml`` can't be read.
        tags: how tag values are cleaned, so that patterns are cleaned alike.
        alerts: when alerts are told, unless a budget says otherwise.
    """

    receivers: frozenset[str] | None
    currency: str | None
    tags: TagCleaning
    alerts: AlertRulesModel = field(default_factory=AlertRulesModel)


def read_budgets(documents: Iterable[Document], around: Surroundings) -> tuple[Budget, ...]:
    """Return the budgets of some files; what is wrong is added to each document's problems."""
    found: list[Budget] = []
    names, ids = _Taken("budget"), _Taken("budget id")
    for document in documents:
        for loc, model, defaults in _models(document):
            if names.claim(document, (*loc, "name"), model.name):
                ids.claim(document, (*loc, "id" if model.id else "name"), model.id or model.name)
            budget = _Reader(document, loc, model, defaults, around).budget(document.where(loc))
            if budget is not None:
                found.append(budget)
    return tuple(found)


def budget_revision(budget: Budget) -> str:
    """Return the SHA-256 of what a budget says, in hex; where it is written does not count."""
    content = asdict(replace(budget, source=""))
    return sha256(json.dumps(content, sort_keys=True, default=str, ensure_ascii=False).encode()).hexdigest()


class _Taken:
    """Names that must differ, and where each stands."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.places: dict[str, str] = {}

    def claim(self, document: Document, loc: Loc, name: str) -> bool:
        """Take a name, or report that it is taken already."""
        key = name.casefold()
        if key in self.places:
            place = self.places[key]
            document.report(loc, f"{self.what} {shown(name)} stands at {place} already: give one of them another name")
            return False
        self.places[key] = document.where(loc)
        return True


def _models(document: Document) -> Iterator[tuple[Loc, BudgetModel, DefaultsModel]]:
    if document.broken:
        return
    validate(BudgetsOutline, document)
    data = document.data if isinstance(document.data, dict) else {}
    defaults: DefaultsModel | None = DefaultsModel()
    if data.get("defaults") is not None:
        defaults = validate(DefaultsModel, document, ("defaults",))
    budgets = data.get("budgets")
    for index in range(len(budgets) if isinstance(budgets, list) else 0):
        model = validate(BudgetModel, document, ("budgets", index))
        if model is not None and defaults is not None:
            yield ("budgets", index), model, defaults


class _Reader:
    """Turns one budget into the domain's; reports what it finds."""

    def __init__(
        self, document: Document, loc: Loc, model: BudgetModel, defaults: DefaultsModel, around: Surroundings
    ) -> None:
        self.document = document
        self.loc = loc
        self.model = model
        self.defaults = defaults
        self.around = around
        self.good = True

    def budget(self, place: str) -> Budget | None:
        """Return the budget, if nothing was wrong with it."""
        model, defaults = self.model, self.defaults
        self._check_group_by()
        period = self._period()
        budget = Budget(
            id=model.id or model.name,
            name=model.name,
            period=period,
            timezone=model.timezone or defaults.timezone or "UTC",
            currency=self._currency(),
            amounts=self._amounts(),
            match=tuple(sorted((key, self._patterns(key, values)) for key, values in model.match.items())),
            group_by=model.group_by,
            thresholds=self._thresholds(period),
            beyond=_first(model.beyond, defaults.beyond, DEFAULT_BEYOND),
            receivers=self._receivers(),
            overrides=self._overrides(),
            per_run_nanos=model.per_run or defaults.per_run,
            components=tuple(sorted(set(_first(model.components, defaults.components, ())))),
            owner=model.owner or defaults.owner,
            rules=self._rules(),
            source=place,
        )
        return budget if self.good else None

    def _at(self, *steps: str | int) -> Loc:
        """Return the location of one of the budget's values, or of the default that it takes."""
        own = (*self.loc, *steps)
        inherited = self.document.place((*self.loc, steps[0])) == self.loc
        return ("defaults", *steps) if inherited else own

    def _report(self, loc: Loc, message: str, *, at_key: bool = False) -> None:
        self.document.report(loc, message, at_key=at_key)
        self.good = False

    def _check_group_by(self) -> None:
        for index, key in enumerate(self.model.group_by):
            if key in self.model.group_by[:index]:
                self._report((*self.loc, "group_by", index), f"tag {shown(key)} stands twice in group_by")

    def _amounts(self) -> tuple[tuple[date, int], ...]:
        model = self.model
        if model.amount is None and model.amounts is None:
            self._report(self.loc, "a budget needs 'amount'")
            return ()
        if model.amount is not None and model.amounts is not None:
            self._report((*self.loc, "amounts"), "a budget has 'amount' or 'amounts', not both", at_key=True)
        days = [each.since for each in model.amounts or ()]
        for index, day in enumerate(days):
            if day in days[:index]:
                self._report((*self.loc, "amounts", index, "from"), f"two amounts begin on {day}")
        return model.dated()

    def _period(self) -> PeriodSpec:
        written = self.model.period or self.defaults.period
        if written is None:
            self._report(self.loc, "a budget needs 'period', such as monthly")
            return PeriodSpec(PeriodKind.MONTHLY)
        spec = written.spec()
        if spec.kind in _FISCAL:
            return replace(spec, fiscal_month=self.model.fiscal_year_start or self.defaults.fiscal_year_start or 1)
        if self.model.fiscal_year_start is not None:
            loc = (*self.loc, "fiscal_year_start")
            self._report(loc, "only a quarterly or yearly budget has a fiscal_year_start", at_key=True)
        return spec

    def _currency(self) -> str:
        currency = self.model.currency or self.defaults.currency
        prices = self.around.currency
        if currency is not None and prices is not None and currency != prices:
            self._report(
                self._at("currency"),
                f"currency {currency} differs from the prices' {prices} (prices.yaml): they are never mixed",
            )
        return currency or prices or "USD"

    def _patterns(self, key: str, values: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._pattern(key, each, (*self.loc, "match", key)) for each in values)

    def _pattern(self, key: str, written: str, loc: Loc) -> str:
        pattern = clean_pattern(self.around.tags, key, written)
        if why := why_unknown(self.around.tags, key, pattern):
            self._report(loc, why)
        return pattern

    def _thresholds(self, period: PeriodSpec) -> tuple[Threshold, ...]:
        written: Sequence[ThresholdModel] | None = self.model.thresholds or self.defaults.thresholds
        if written is None:
            return DEFAULT_THRESHOLDS
        found: dict[tuple[Basis, int], Threshold] = {}
        for index, each in enumerate(written):
            loc = self._at("thresholds", index)
            basis, percent = each.at
            if each.at in found:
                self._report(loc, f"threshold {found[each.at]} stands twice")
            if basis is Basis.FORECAST and period.kind is PeriodKind.ROLLING and self.model.thresholds:
                self._report(loc, "a rolling budget has no forecast: remove this threshold")
            if each.receivers is not None:
                self._check_receivers(each.receivers, (*loc, "receivers"))
            found[each.at] = Threshold(basis, percent, each.receivers, each.mention)
        return tuple(found.values())

    def _receivers(self) -> tuple[str, ...]:
        receivers = self.model.receivers if self.model.receivers is not None else self.defaults.receivers
        if receivers is None:
            self._report(self.loc, "a budget needs 'receivers': names of alerter.yaml that are told")
            return ()
        self._check_receivers(receivers, self._at("receivers"))
        return receivers

    def _rules(self) -> AlertRules:
        for own in (self.model, self.defaults):
            if own.escalate_to is not None:
                self._check_receivers((own.escalate_to,), self._at("escalate_to"))
                break
        return merged(self.model, self.defaults, self.around.alerts)

    def _check_receivers(self, names: tuple[str, ...], loc: Loc) -> None:
        if not names:
            self._report(loc, "names nobody: give at least one receiver")
        known = self.around.receivers
        reachable = False
        for index, name in enumerate(names):
            place = (*loc, index)
            for key in _PLACEHOLDER.findall(name):
                if key not in self.model.group_by:
                    self._report(place, self._no_such_tag("{" + key + "}", key))
            if known is None:
                reachable = True
            elif not _PLACEHOLDER.search(name):
                reachable = True
                if name not in known:
                    hint = did_you_mean(name, known) or f"; alerter.yaml has {one_of(sorted(known))}"
                    self._report(place, f"unknown receiver {shown(name)}{hint}")
            else:
                reachable |= any(fnmatchcase(each, _PLACEHOLDER.sub("*", name)) for each in known)
        if names and not reachable:
            self._report(loc, "no receiver of alerter.yaml fits: add one as the fallback")

    def _no_such_tag(self, what: str, key: str) -> str:
        tags = self.model.group_by
        if not tags:
            return f"{shown(what)} needs a tag of group_by, and this budget has no group_by"
        return f"{shown(what)} is no tag of group_by{did_you_mean(key, tags) or f' ({one_of(tags)})'}"

    def _overrides(self) -> tuple[Override, ...]:
        found = []
        for index, each in enumerate(self.model.overrides):
            loc = (*self.loc, "overrides", index)
            for key in each.where:
                if key not in self.model.group_by:
                    words = (*self.model.group_by, "amount", "owner")
                    hint = did_you_mean(key, words) if self.model.group_by else ""
                    message = f"unknown key {shown(key)} in an override{hint}" if hint else self._no_such_tag(key, key)
                    self._report((*loc, key), message, at_key=True)
            if not each.where:
                self._report(loc, "an override needs a tag of group_by, such as {team: vision, amount: ...}")
            if each.amount is None and each.owner is None:
                self._report(loc, "an override needs 'amount' or 'owner'")
            where = sorted((key, self._pattern(key, value, (*loc, key))) for key, value in each.where.items())
            found.append(Override(tuple(where), each.amount, each.owner))
        return tuple(found)


def _first(own: Value | None, inherited: Value | None, usual: Value) -> Value:
    if own is not None:
        return own
    return inherited if inherited is not None else usual

"""The models of ``budgets.yaml``."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from alerter.config.alert_rules import AlertRulesModel
from alerter.config.fields import (
    Amount,
    Currency,
    Day,
    InvalidValueError,
    Many,
    Name,
    OneOrMany,
    OrElse,
    Text,
    Zone,
    word_of,
)
from alerter.config.problems import did_you_mean, shown
from alerter.config.sections import Section, kind_of
from alerter.core.budgets import Basis
from alerter.core.periods import PeriodKind, PeriodSpec
from alerter.core.usage import COMPONENTS

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PERIODS = ("daily", "weekly", "monthly", "quarterly", "yearly")
_SYNONYMS = {"day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly", "year": "yearly"} | {
    "annual": "yearly",
    "annually": "yearly",
}
_FORMS = "daily, weekly, monthly, quarterly, yearly, {weekly: sunday}, {rolling_days: 30} or {from: DATE, to: DATE}"
_THRESHOLD = re.compile(r"(?P<forecast>forecast\s+)?(?P<percent>[0-9]{1,5})\s*%")
_PERCENT = re.compile(r"([0-9]{1,5})\s*%?")
MAX_PERCENT = 10_000
_AT_SCHEMA = {"type": "string", "pattern": r"^(forecast +)?[0-9]{1,5} *%$", "examples": ["80%", "forecast 100%"]}


def _index_of(words: tuple[str, ...], value: object, what: str) -> int:
    """Return the place of a day's or month's name, full or by its first three letters."""
    if not isinstance(value, str):
        raise InvalidValueError(f"expected {what}, got {kind_of(value)}")
    word = value.strip().casefold()
    for index, known in enumerate(words):
        if word in {known, known[:3]}:
            return index
    raise InvalidValueError(f"unknown {what} {shown(value)}{did_you_mean(value, words)}")


def _weekday(value: object) -> int:
    return _index_of(WEEKDAYS, value, "day of the week")


def _month(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= 12:
            return value
        raise InvalidValueError(f"expected a month from 1 to 12, got {value}")
    return _index_of(MONTHS, value, "month") + 1


Weekday = Annotated[int, PlainValidator(_weekday), WithJsonSchema({"enum": list(WEEKDAYS)})]
Month = Annotated[
    int,
    PlainValidator(_month),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 12}, {"enum": list(MONTHS)}]}),
]


class PeriodModel(Section):
    """The mapping forms of a period; ``kind`` is set where it was one word."""

    label: ClassVar[str] = "a period"
    weekly: Weekday | None = None
    rolling_days: int | None = Field(None, ge=1, le=3660)
    first: Day | None = Field(None, alias="from")
    end: Day | None = Field(None, alias="to", description="the day after the last one")

    @model_validator(mode="after")
    def _one_form(self) -> PeriodModel:
        if isinstance(self, NamedPeriod):
            return self
        fixed = self.first is not None or self.end is not None
        if (self.weekly is not None) + (self.rolling_days is not None) + fixed != 1:
            raise InvalidValueError(f"expected one of {_FORMS}")
        if fixed and (self.first is None or self.end is None):
            raise InvalidValueError("a period of fixed dates needs both 'from' and 'to'")
        if self.first is not None and self.end is not None and self.end <= self.first:
            raise InvalidValueError(f"'to' is the day after the last one, so it must be later than {self.first}")
        return self

    def spec(self) -> PeriodSpec:
        """Return the domain's period."""
        if self.rolling_days is not None:
            return PeriodSpec(PeriodKind.ROLLING, days=self.rolling_days)
        if self.weekly is not None:
            return PeriodSpec(PeriodKind.WEEKLY, week_start=self.weekly)
        return PeriodSpec(PeriodKind.FIXED, first=self.first, end=self.end)


class NamedPeriod(PeriodModel):
    """A period that was written as one word."""

    kind: PeriodKind

    def spec(self) -> PeriodSpec:
        """Return the domain's period, counted from Monday and January."""
        return PeriodSpec(self.kind)


def _period(value: object) -> object:
    if isinstance(value, dict | PeriodModel):
        return value
    if not isinstance(value, str):
        raise InvalidValueError(f"expected a period ({_FORMS}), got {kind_of(value)}")
    word = value.strip()
    if word in _PERIODS:
        return NamedPeriod(kind=PeriodKind(word))
    meant = _SYNONYMS.get(word.casefold())
    hint = f"; did you mean '{meant}'?" if meant else did_you_mean(word, _PERIODS)
    raise InvalidValueError(f"unknown period {shown(value)}{hint or f'; expected {_FORMS}'}")


Period = Annotated[PeriodModel, BeforeValidator(_period), OrElse({"enum": list(_PERIODS)})]


def _at(value: object) -> tuple[Basis, int]:
    if isinstance(value, tuple):
        return value
    match = _THRESHOLD.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        percent = int(match["percent"])
        if not 1 <= percent <= MAX_PERCENT:
            raise InvalidValueError(f"a threshold must be from 1% to {MAX_PERCENT}%")
        return Basis.FORECAST if match["forecast"] else Basis.ACTUAL, percent
    if isinstance(value, int) and not isinstance(value, bool):
        raise InvalidValueError(f"a threshold is a percentage: write {value}%")
    if isinstance(value, str) and re.fullmatch(r"(forecast\s+)?[0-9]+\.[0-9]+\s*%", value.strip()):
        raise InvalidValueError("a threshold is a whole percentage, such as 80%")
    raise InvalidValueError("expected a threshold, such as 80%, forecast 100% or {at: 100%, receivers: [...]}")


class ThresholdModel(Section):
    """A threshold with what is its own; ``percent`` and ``basis`` are read out of ``at``."""

    label: ClassVar[str] = "a threshold"
    at: Annotated[tuple[Basis, int], PlainValidator(_at), WithJsonSchema(_AT_SCHEMA)]
    receivers: OneOrMany[Name] | None = None
    mention: Text | None = None


def _threshold(value: object) -> object:
    return value if isinstance(value, dict | ThresholdModel) else ThresholdModel(at=_at(value))


def _beyond(value: object) -> int:
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        value = int(match[1])
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PERCENT:
        return value
    raise InvalidValueError("expected a whole percentage, such as 25; 0 warns no further")


Thresholds = Annotated[
    Many[Annotated[ThresholdModel, BeforeValidator(_threshold), OrElse(_AT_SCHEMA)]],
    Field(min_length=1),
]
Beyond = Annotated[int, PlainValidator(_beyond), WithJsonSchema({"type": "integer", "minimum": 0})]
Component = Annotated[str, word_of(lambda: tuple(COMPONENTS), "component"), WithJsonSchema({"enum": list(COMPONENTS)})]


class DefaultsModel(AlertRulesModel):
    """What every budget of one file has unless it says otherwise."""

    label: ClassVar[str] = "defaults"
    currency: Currency | None = None
    timezone: Zone | None = None
    period: Period | None = None
    fiscal_year_start: Month | None = None
    thresholds: Thresholds | None = None
    beyond: Beyond | None = None
    receivers: OneOrMany[Name] | None = None
    per_run: Amount | None = Field(None, description="a single run that costs more is told, once")
    components: OneOrMany[Component] | None = None
    owner: Text | None = None


class DatedAmount(Section):
    """An amount that holds from a local day on."""

    label: ClassVar[str] = "a dated amount"
    since: Day = Field(alias="from")
    amount: Amount


class OverrideModel(Section):
    """Another amount or owner for some tag values; the other keys are tags of ``group_by``."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Text]
    label: ClassVar[str] = "an override"
    amount: Amount | None = None
    owner: Text | None = None

    @property
    def where(self) -> dict[str, str]:
        """The tag patterns."""
        return dict(self.__pydantic_extra__ or {})


class BudgetModel(DefaultsModel):
    """One budget as it is written."""

    label: ClassVar[str] = "a budget"
    name: Name
    id: Name | None = Field(None, description="survives a new name; default: the name")
    match: dict[Text, Annotated[OneOrMany[Text], Field(min_length=1)]] = Field(default_factory=dict)
    group_by: OneOrMany[Text] = ()
    amount: Amount | None = None
    amounts: Annotated[Many[DatedAmount], Field(min_length=1)] | None = None
    overrides: Many[OverrideModel] = ()

    def dated(self) -> tuple[tuple[date, int], ...]:
        """Return the amounts in nanos, ascending by day; the first holds from the beginning of time."""
        if self.amount is not None:
            return ((date.min, self.amount),)
        ordered = sorted((each.since, each.amount) for each in self.amounts or ())
        return ((date.min, ordered[0][1]), *ordered[1:])


class BudgetsFile(Section):
    """``budgets.yaml``, or one file of the folder ``budgets/``."""

    label: ClassVar[str] = "a file of budgets"
    operators: Name | None = Field(None, description="the receiver that is told when this file has a mistake")
    defaults: DefaultsModel = DefaultsModel()
    budgets: Annotated[Many[BudgetModel], Field(min_length=1)]


class BudgetsOutline(Section):
    """The same with its budgets unread, so that each is validated by itself and one mistake hides no other."""

    label: ClassVar[str] = "a file of budgets"
    operators: Name | None = None
    defaults: Any = None
    budgets: Annotated[Many[Any], Field(min_length=1)]

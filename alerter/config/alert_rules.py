"""When alerts may be told: the keys that ``alerts:`` has for every budget, and each budget may say otherwise."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from alerter.config.fields import DURATION_PATTERN, InvalidValueError, Name, OrElse, exact_decimal, seconds
from alerter.config.problems import shown
from alerter.config.sections import Section, kind_of
from alerter.core.money import MoneyError, to_nanos
from alerter.core.rules import AlertRules, Mode, QuietHours

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_NEVER = "never"
_SHORTEST_S = 60.0
Value = TypeVar("Value")


def _clock(value: object) -> time:
    if isinstance(value, time):
        return value
    if isinstance(value, int) and not isinstance(value, bool):  # what YAML makes of 20:00
        hours, minutes = divmod(value, 60)
        hint = f'"{hours:02d}:{minutes:02d}"' if 0 <= hours < 24 else '"20:00"'
        raise InvalidValueError(f"expected a time of day in quotes, such as {hint}")
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        what = shown(value) if isinstance(value, str) else kind_of(value)
        raise InvalidValueError(f'expected a time of day in quotes, such as "20:00", got {what}')
    return time(int(match[1]), int(match[2]))


def _interval(value: object) -> float:
    if value == _NEVER:
        return 0.0
    found = seconds(value)
    if 0 < found < _SHORTEST_S:
        raise InvalidValueError(f"{shown(value)} is too short: at least 1m, or 'never'")
    return found


def _least(value: object) -> int:
    amount = exact_decimal(value)
    if amount < 0:
        raise InvalidValueError(f"{shown(amount)} is not an amount: it must not be negative")
    try:
        return to_nanos(amount)
    except MoneyError:
        raise InvalidValueError(f"{shown(amount)} is too large: the most is 9200000000") from None


Clock = Annotated[
    time, PlainValidator(_clock), WithJsonSchema({"type": "string", "pattern": r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$"})
]
"""A local time of day, to the minute."""

_INTERVAL_SCHEMA: dict[str, Any] = {
    "anyOf": [{"const": _NEVER}, {"type": "string", "pattern": DURATION_PATTERN, "examples": ["24h", "4h"]}]
}
Interval = Annotated[float, PlainValidator(_interval), WithJsonSchema(_INTERVAL_SCHEMA)]
"""Seconds, at least a minute, written with a unit; 0 is ``never``."""

Least = Annotated[
    int,
    PlainValidator(_least),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?$", "minimum": 0}),
]
"""An amount of money in nanos, 0 or more."""


class QuietHoursModel(Section):
    """Local hours in which nothing below 100 % is told; over midnight where ``to`` is earlier."""

    label: ClassVar[str] = "quiet_hours"
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    weekends: bool = Field(False, description="Saturday and Sunday as a whole too")

    @model_validator(mode="after")
    def _some_time(self) -> QuietHoursModel:
        if self.start == self.end:
            raise InvalidValueError(f"quiet_hours from {self.start:%H:%M} to the same time would be no hours, or all")
        return self


class NoQuietHours(QuietHoursModel):
    """``never``, where the level above has quiet hours."""

    start: Clock = time(0)
    end: Clock = time(0, 1)


def _quiet(value: object) -> object:
    if isinstance(value, dict | QuietHoursModel):
        return value
    if value == _NEVER:
        return NoQuietHours()
    what = shown(value) if isinstance(value, str) else kind_of(value)
    raise InvalidValueError(f'expected hours, such as {{from: "20:00", to: "07:00"}}, or never, got {what}')


Quiet = Annotated[QuietHoursModel, BeforeValidator(_quiet), OrElse({"const": _NEVER})]


class AlertRulesModel(Section):
    """What every budget does unless it says otherwise; None is not said."""

    mode: Literal["enforce", "observe"] | None = Field(None, description="observe: recorded, told to nobody")
    repeat_interval: Interval | None = Field(None, description="at or above 100 %, until somebody acknowledges")
    repeat_on: Literal["weekdays", "every_day"] | None = None
    escalate_to: Name | None = Field(None, description="the receiver that is told once nobody has acknowledged")
    escalate_after: Interval | None = None
    quiet_hours: Quiet | None = Field(None, description="nothing below 100 % is told in them")
    min_alert: Least | None = Field(None, description="while less than this is spent, nothing is told")


def merged(*levels: AlertRulesModel) -> AlertRules:
    """Return the domain's rules: each key as the first of ``levels`` says that says anything of it."""
    usual = AlertRules()

    def said(key: str, default: Value) -> Value:
        return next((found for each in levels if (found := getattr(each, key)) is not None), default)

    quiet = said("quiet_hours", None)
    after_s = said("escalate_after", usual.escalate_after_ms / 1000)
    return AlertRules(
        mode=Mode(said("mode", usual.mode.value)),
        repeat_interval_ms=round(said("repeat_interval", usual.repeat_interval_ms / 1000) * 1000),
        repeat_on_weekdays=said("repeat_on", "weekdays") == "weekdays",
        escalate_to=said("escalate_to", usual.escalate_to) if after_s else None,
        escalate_after_ms=round(after_s * 1000),
        quiet_hours=_hours(quiet),
        min_alert_nanos=said("min_alert", 0),
    )


def _hours(written: QuietHoursModel | None) -> QuietHours | None:
    if written is None or isinstance(written, NoQuietHours):
        return None
    return QuietHours(written.start, written.end, written.weekends)

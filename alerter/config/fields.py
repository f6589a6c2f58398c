"""The scalar types of the configuration: each reads what YAML gives and says what it expected.

The JSON Schema of each is written beside it, since editors see the text and not the parsed value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from math import isnan
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from alerter.config.problems import did_you_mean, shown
from alerter.config.sections import kind_of
from alerter.config.yaml_files import YamlFloat
from alerter.core.money import MoneyError, check_currency, to_nanos

Item = TypeVar("Item")


class InvalidValueError(ValueError):
    """A value that its field can't take; the message is shown as it is, after the value's place."""


Many = Annotated[tuple[Item, ...], Strict(False)]
"""A YAML list, as a tuple."""


class OrElse:
    """Says in the JSON Schema that a value may have another form; without one, that a list's item may stand alone."""

    def __init__(self, form: dict[str, Any] | None = None) -> None:
        self.form = form

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema with the other form first."""
        usual = handler(schema)
        if "items" in usual and "minLength" in usual:  # pydantic's word for text
            usual["minItems"] = usual.pop("minLength")
        return {"anyOf": [self.form or usual.get("items", {}), usual]}


OneOrMany = Annotated[
    tuple[Item, ...],
    Strict(False),
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,)),
    OrElse(),
]
"""A YAML list, or one value for a list of one."""


class Shape:
    """Text that a pattern describes to machines, and ``words`` to people."""

    def __init__(self, pattern: str, words: str) -> None:
        self.pattern = re.compile(pattern)
        self.words = words

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the text's own schema, and then this check."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the text's own schema with the pattern."""
        return {**handler(schema), "pattern": self.pattern.pattern}

    def _check(self, text: str) -> str:
        if self.pattern.search(text) is None:
            raise InvalidValueError(f"expected {self.words}, got {shown(text)}")
        return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise InvalidValueError("must be one line without control characters")
    return text


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(_one_line)
]
"""One line of text, trimmed, not empty."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(_one_line)]
"""A name that people read in messages: one line, at most 120 characters."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,3})?(?:ms|[smhdw]))+")
DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|[smhdw]) ?)+$"
_PART = re.compile(r"([0-9.]+)(ms|[smhdw])")


def seconds(value: object) -> float:
    """Return the seconds of a duration such as ``90s``, ``15m``, ``1h30m``, ``2d``; plain floats (from code) pass.

    Raises:
        InvalidValueError: it has no unit or is no duration.
    """
    if isinstance(value, float) and not isinstance(value, YamlFloat):
        return value
    if isinstance(value, str) and _DURATION.fullmatch(text := value.strip().replace(" ", "")):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if isinstance(value, int | YamlFloat) and not isinstance(value, bool):
        raise InvalidValueError(f"expected a duration with its unit, such as {getattr(value, 'text', value)}s or 15m")
    raise InvalidValueError("expected a duration, such as 60s, 15m, 3h or 1h30m")


Duration = Annotated[
    float,
    PlainValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["60s", "15m"]}),
]
"""Seconds, written with a unit."""


def positive(value: float) -> float:
    """Refuse a duration of zero.

    Raises:
        InvalidValueError: it isn't greater than 0.
    """
    if value <= 0:
        raise InvalidValueError("must be longer than 0s")
    return value


PositiveDuration = Annotated[Duration, AfterValidator(positive)]
"""Seconds, more than none."""

_MOST = 1e15
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,4})?")


def exact_decimal(value: object) -> Decimal:
    """Return a finite decimal of quoted text or a whole number; plain Decimals (from code) pass.

    Raises:
        InvalidValueError: it is a bare number with a fraction, has separators, or is no number.
    """
    if isinstance(value, Decimal):
        return value
    if isinstance(value, YamlFloat):
        if isnan(value) or abs(value) >= _MOST:  # quoting would not help it
            raise InvalidValueError(f'{shown(value.text)} is no number to count with: write it like "1234.56"')
        raise InvalidValueError(
            f'a number with a fraction must be quoted, so that it stays exact: write "{value.text[:40]}"'
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, str):
        raise InvalidValueError(f'expected a number in quotes, such as "1234.56", got {kind_of(value)}')
    text = value.strip()
    if not _NUMBER.fullmatch(text):
        plain = re.sub(r"[,_' ](?=[0-9]{3}(?![0-9]))", "", text)
        remedy = f'write "{plain}"' if _NUMBER.fullmatch(plain) else 'write it like "1234.56"'
        raise InvalidValueError(f"{shown(value)} is not a number: {remedy}")
    return Decimal(text)


def _amount_nanos(value: object) -> int:
    amount = exact_decimal(value)
    if amount <= 0:
        raise InvalidValueError(
            f"{shown(amount)} is not an amount: it must be greater than 0 (remove the budget to stop it)"
        )
    try:
        nanos = to_nanos(amount)
    except MoneyError:
        raise InvalidValueError(f"{shown(amount)} is too large: the most is 9200000000") from None
    if nanos == 0:
        raise InvalidValueError(f"{shown(amount)} is too small: the least is 0.000000001")
    return nanos


def _price(value: object) -> Decimal:
    price = exact_decimal(value)
    if price < 0:
        raise InvalidValueError(f"{shown(price)} is not a price: it must not be negative")
    if price >= 10**9:
        raise InvalidValueError(f"{shown(price)} is too large for a price: the most is 999999999")
    return price


_DECIMAL_SCHEMA: dict[str, Any] = {
    "type": ["string", "integer"],
    "pattern": r"^[0-9]+(\.[0-9]+)?$",
    "examples": ["1234.56"],
}

Amount = Annotated[int, PlainValidator(_amount_nanos), WithJsonSchema({**_DECIMAL_SCHEMA, "exclusiveMinimum": 0})]
"""An amount of money in nanos, greater than 0, written as quoted decimal text or a whole number."""

Price = Annotated[Decimal, PlainValidator(_price), WithJsonSchema({**_DECIMAL_SCHEMA, "minimum": 0})]
"""A price or factor, 0 or more, exact, written as quoted decimal text or a whole number."""


def _currency(value: object) -> str:
    if isinstance(value, str) and value.isascii() and value.isalpha() and len(value) == 3:
        if value.isupper():
            return check_currency(value)
        raise InvalidValueError(f"{shown(value)} is not an ISO-4217 code; did you mean '{value.upper()}'?")
    raise InvalidValueError("expected an ISO-4217 code, such as USD or EUR")


Currency = Annotated[str, PlainValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})]
"""An ISO-4217 code."""


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
        try:
            day = date.fromisoformat(value.strip())
        except ValueError:
            raise InvalidValueError(f"{shown(value)} is not a day of the calendar") from None
        if 1970 <= day.year <= 2200:
            return day
        raise InvalidValueError(f"{shown(value)} is out of range: expected a day from 1970 to 2200")
    raise InvalidValueError("expected a date, such as 2026-01-31")


Day = Annotated[date, PlainValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A local day."""


@lru_cache(maxsize=256)
def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError: see below
        return False
    except KeyError:
        return False
    return True


def _zone(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValueError(f"expected an IANA time zone, such as Europe/Berlin, got {kind_of(value)}")
    name = value.strip()
    if _zone_exists(name):
        return name
    raise InvalidValueError(
        f"unknown time zone {shown(name)}{_close_zone(name) or '; expected a name such as Europe/Berlin'}"
    )


def _close_zone(name: str) -> str:
    zones = available_timezones()
    if not zones:
        return ": this machine knows none, so install the package tzdata"
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zones)}
    city = name.rpartition("/")[2].replace(" ", "_").casefold()
    return f"; did you mean '{cities[city]}'?" if city in cities else did_you_mean(name, zones)


Zone = Annotated[str, PlainValidator(_zone), WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin"]})]
"""An IANA time zone that this machine knows."""


def word_of(known: Callable[[], tuple[str, ...]], what: str) -> PlainValidator:
    """Return a validator of one word out of a closed list, with a "did you mean"."""

    def check(value: object) -> str:
        words = known()
        if value in words:
            return str(value)
        if not isinstance(value, str):
            raise InvalidValueError(f"expected {what}, got {kind_of(value)}")
        hint = did_you_mean(value, words) or f"; expected one of {', '.join(words)}"
        raise InvalidValueError(f"unknown {what} {shown(value)}{hint}")

    return PlainValidator(check)

"""Money is an integer number of nano-units with its currency; rates stay decimal text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

NANOS = 1_000_000_000
MAX_NANOS = 2**63 - 1
"""What a signed 64-bit column holds: about 9.2 billion units of the currency."""

_CURRENCY = re.compile(r"^[A-Z]{3}$")
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


class MoneyError(ValueError):
    """An amount that can't be money; the message says what to write instead."""


class CurrencyMismatchError(MoneyError):
    """Two currencies met in one sum."""


def div_half_even(numerator: int, denominator: int) -> int:
    """Divide integers exactly and round half to even; ``denominator`` must be positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def to_nanos(amount: Decimal) -> int:
    """Round a decimal amount (currency units) half-even to whole nano-units.

    Raises:
        MoneyError: the amount is not finite or does not fit 64 bits.
    """
    if not amount.is_finite():
        raise MoneyError(f"{amount} is not an amount of money")
    if abs(amount) >= Decimal(MAX_NANOS).scaleb(-9):
        raise MoneyError(f"{amount} is too large: the limit is 9.2 billion")
    with localcontext(prec=60):
        return int((amount * NANOS).to_integral_value(ROUND_HALF_EVEN))


def from_nanos(nanos: int) -> Decimal:
    """Return nano-units as an exact decimal amount of currency units."""
    with localcontext(prec=60):
        return Decimal(nanos).scaleb(-9)


def parse_decimal(text: str) -> Decimal:
    """Read a finite decimal from text.

    Raises:
        MoneyError: the text is not a finite decimal number.
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise MoneyError(f'{text!r} is not a decimal number; write it like "1234.56"') from None
    if not value.is_finite():
        raise MoneyError(f"{text!r} is not a finite number")
    return value


def decimal_text(value: Decimal) -> str:
    """Return a decimal as plain text, without zeros at its end.

    >>> decimal_text(Decimal("1.40")), decimal_text(Decimal("1E+2"))
    ('1.4', '100')
    """
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def plain(nanos: int) -> str:
    """Return nano-units as plain decimal text with at least two places, for JSON and CSV.

    >>> plain(812_400_000_000), plain(1)
    ('812.40', '0.000000001')
    """
    sign = "-" if nanos < 0 else ""
    units, rest = divmod(abs(nanos), NANOS)
    return f"{sign}{units}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


def human(nanos: int, currency: str, *, cents: bool | None = None) -> str:
    """Return an amount for people: ``$9,740`` from 100 up, else ``$88.25``; ``$0.0042`` where no cent would show.

    ``cents`` forces two places (True) or none (False).
    """
    show_cents = abs(nanos) < 100 * NANOS if cents is None else cents
    step = NANOS // 100 if show_cents else NANOS
    rounded = div_half_even(nanos, step)
    places = 2 if show_cents else 0
    value = Decimal(abs(rounded)).scaleb(-places)
    if show_cents and nanos and not rounded:
        value = _significant(Decimal(abs(nanos)).scaleb(-9))
    sign = "-" if value and nanos < 0 else ""
    symbol = _SIGNS.get(currency)
    return f"{sign}{symbol}{value:,f}" if symbol else f"{sign}{value:,f} {currency}"


def _significant(value: Decimal) -> Decimal:
    """Return a value by its first two digits that are not zero."""
    return round(value, 1 - value.adjusted())


def sign_of(currency: str) -> str:
    """Return the sign that amounts of a currency are written with, such as ``$``; ``""`` where it has none here."""
    return _SIGNS.get(currency, "")


def check_currency(code: str) -> str:
    """Return an ISO-4217 code as given.

    Raises:
        MoneyError: it isn't three capital letters.
    """
    if not _CURRENCY.match(code):
        raise MoneyError(f"{code!r} is not an ISO-4217 code; write it like USD")
    return code


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in nano-units of one currency; sums of two currencies raise."""

    nanos: int
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.nanos + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.nanos - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.nanos < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.nanos <= self._same(other)

    def __str__(self) -> str:
        return f"{plain(self.nanos)} {self.currency}"

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"can't mix {self.currency} and {other.currency}")
        return other.nanos

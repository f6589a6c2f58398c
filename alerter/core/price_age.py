"""When a price is out of date: list prices move, and a catalog that was read long ago is a guess."""

from __future__ import annotations

from datetime import date

from alerter.core.charges import Rate

MAX_AGE_DAYS = 180
"""How long a catalog's price is believed."""


def days_old(as_of: str, today: date) -> int | None:
    """Return the age of a price in days; None where it has no date."""
    try:
        return (today - date.fromisoformat(as_of)).days
    except ValueError:
        return None


def is_old(rate: Rate, today: date) -> bool:
    """Whether a rate came from a catalog (or was derived from one) more than `MAX_AGE_DAYS` before a day.

    A price of ``prices.yaml`` doesn't age: it is in force until its author says otherwise.
    """
    age = days_old(rate.as_of, today)
    return age is not None and age > MAX_AGE_DAYS and "prices.yaml" not in rate.rule

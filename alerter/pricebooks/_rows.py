"""Read a catalog's CSV: provider, region, instance_type, purchase_option, a price per hour, as_of."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from alerter.core.ports import CatalogPrice
from alerter.core.price_rules import dearest_hour
from alerter.core.resources import normal_option, normal_region

COLUMNS = ("provider", "region", "instance_type", "purchase_option", "as_of")

_PRICE_COLUMN = re.compile(r"([a-z]{3})_per_hour")
_LONGEST = 128

Index = Mapping[str, Sequence[CatalogPrice]]
"""Prices by instance type in lower case."""


class RowError(ValueError):
    """A row that can't be used; the message says why."""


class HeaderError(ValueError):
    """A first line that doesn't name the columns; the message says what is missing."""


class Table:
    """One catalog's rows, good and bad.

    Attributes:
        currency: ISO-4217, from the header: ``usd_per_hour`` is USD.
        index: the good rows by instance type; where two differ only in ``as_of``, the newer one.
        problems: ``(line, why)`` of each row that was skipped.
    """

    def __init__(self, lines: Iterable[str], catalog: str) -> None:
        """Read a whole catalog.

        Raises:
            HeaderError: the columns can't be found.
        """
        reader = csv.reader(lines, strict=True)
        self._catalog = catalog
        self._places, self.currency = _header(_next(reader))
        self.problems: list[tuple[int, str]] = []
        prices: dict[tuple[str, str, str, str], CatalogPrice] = {}
        while (row := self._row(reader)) is not None:
            key = (row.instance_type.lower(), row.provider, row.region, row.purchase_option)
            if key not in prices or prices[key].as_of <= row.as_of:
                prices[key] = row
        index: dict[str, list[CatalogPrice]] = {}
        for (instance_type, *_), price in prices.items():
            index.setdefault(instance_type, []).append(price)
        self.index: Index = index

    def _row(self, reader: Iterator[list[str]]) -> CatalogPrice | None:
        """Return the next good row, noting the bad ones; None at the end."""
        while True:
            try:
                cells = next(reader)
                if any(cell.strip() for cell in cells):
                    return self._price(cells)
            except StopIteration:
                return None
            except (csv.Error, RowError) as error:
                self.problems.append((reader.line_num, str(error)))  # type: ignore[attr-defined]

    def _price(self, cells: Sequence[str]) -> CatalogPrice:
        wide = max(self._places.values())
        if len(cells) <= wide:
            raise RowError(f"{len(cells)} cells, {wide + 1} are needed")
        text = {column: cells[place] for column, place in self._places.items()}
        return read_price(text, self._catalog, self.currency)


def read_price(cells: Mapping[str, str], catalog: str, currency: str) -> CatalogPrice:
    """Return a row's price; ``cells`` are those of `COLUMNS` and ``price``, as they stand in a file.

    Raises:
        RowError: a cell can't be used.
    """
    text = {column: cell.strip() for column, cell in cells.items()}
    for column in ("provider", "region", "instance_type"):
        if not text[column] or len(text[column]) > _LONGEST or not text[column].isprintable():
            raise RowError(f"{column} is empty, longer than {_LONGEST} characters or not printable")
    return CatalogPrice(
        provider=text["provider"].lower(),
        region=normal_region(text["region"]),
        instance_type=text["instance_type"],
        purchase_option=normal_option(text["purchase_option"]) or "on_demand",
        per_hour=_per_hour(text["price"], dearest_hour(currency)),
        as_of=_as_of(text["as_of"]),
        catalog=catalog,
    )


def _next(reader: Iterator[list[str]]) -> list[str]:
    try:
        return next(reader, [])
    except csv.Error as error:
        raise HeaderError(str(error)) from None


def _header(cells: Sequence[str]) -> tuple[dict[str, int], str]:
    """Return where each column stands, the price's as ``price``, and the currency."""
    places = {cell.strip().lower(): place for place, cell in enumerate(cells)}
    missing = [column for column in COLUMNS if column not in places]
    prices = [found for column in places if (found := _PRICE_COLUMN.fullmatch(column))]
    if len(prices) != 1:
        missing.append("usd_per_hour (or one other currency)")
    if missing:
        raise HeaderError(f"the first line must name the columns; missing: {', '.join(missing)}")
    columns = {column: places[column] for column in COLUMNS}
    return {**columns, "price": places[prices[0].string]}, prices[0][1].upper()


def _per_hour(text: str, dearest: Decimal) -> str:
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise RowError(f"price {text[:40]!r} is not a decimal number") from None
    if not price.is_finite() or price < 0:
        raise RowError(f"price {text[:40]!r} is negative or not finite")
    if price == 0:
        raise RowError("price is 0: a machine that costs nothing belongs into prices.yaml")
    if price > dearest:
        raise RowError(f"price {text[:40]!r} is above {dearest:,} an hour")
    if len(text) > 40 or price < Decimal("1e-9"):
        raise RowError(f"price {text[:40]!r} has too many digits")
    return f"{price:f}"


def _as_of(text: str) -> str:
    if not text:
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise RowError(f"as_of {text[:40]!r} is not a date; write it like 2026-07-20") from None

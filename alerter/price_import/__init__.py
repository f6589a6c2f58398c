"""Turn other tools' price lists into a catalog of ours: every row is used, or named with its line and the reason."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path

from alerter.core.ports import CatalogPrice
from alerter.core.text import one_line
from alerter.price_import.formats import OPENCOST, OWN, SKYPILOT, Assumed, Found, opencost_rows, rates_of, skypilot_rows
from alerter.pricebooks._rows import COLUMNS, HeaderError, RowError, Table, read_price

FORMATS = (SKYPILOT, OPENCOST, OWN)
LARGEST_BYTES = 256 * 2**20
_USD = "USD"


class ImportFileError(Exception):
    """A price list can't be used at all; the message names it, the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a price list said.

    Attributes:
        format: of `FORMATS`.
        currency: ISO-4217, of every price.
        prices: one for each provider, region, type and option, sorted; of several the newest, then the dearest.
        rates: prices of parts, as decimal text by their keys in ``resources``; what a catalog can't hold.
        storage: the price of a GiB-month, ``""`` where the list has none.
        problems: ``file:line: why`` of each row that was skipped.
    """

    format: str
    currency: str
    prices: tuple[CatalogPrice, ...]
    rates: Mapping[str, str | Mapping[str, str]]
    storage: str
    problems: tuple[str, ...]


def import_prices(path: Path, assumed: Assumed, *, kind: str | None = None) -> Imported:
    """Read a price list of SkyPilot, OpenCost (CSV, or JSON of rates) or our own CSV.

    Args:
        path: the file.
        assumed: what holds for rows that don't say.
        kind: of `FORMATS`; None looks at the file.

    Raises:
        ImportFileError: it can't be read, or is of no known format.
    """
    text = _text(path)
    kind = kind or _kind(path, text)
    try:
        if text.lstrip().startswith("{"):
            if kind != OPENCOST:
                raise ImportFileError(f"{path}: is JSON, which only {OPENCOST} writes")
            rates, storage, skipped = rates_of(text)
            return Imported(kind, _USD, (), rates, storage, tuple(f"{path}: {each}" for each in skipped))
        if kind == OWN:
            table = Table(StringIO(text, newline=""), path.name)
            found = (price for prices in table.index.values() for price in prices)
            problems = tuple(f"{path}:{line}: {why}" for line, why in table.problems)
            return Imported(kind, table.currency, _sorted(found), {}, "", problems)
        return _foreign(path, text, assumed, kind)
    except HeaderError as error:
        raise ImportFileError(f"{path}:1: {one_line(str(error), 200)}") from None


def _foreign(path: Path, text: str, assumed: Assumed, kind: str) -> Imported:
    rows = skypilot_rows if kind == SKYPILOT else opencost_rows
    gpus: dict[str, str] = {}
    problems: list[str] = []
    prices = list(_priced(rows(csv.reader(StringIO(text, newline=""), strict=True), assumed), path, gpus, problems))
    rates = {"per_gpu_hour": gpus} if gpus else {}
    return Imported(kind, _USD, _sorted(_best(prices)), rates, "", tuple(problems))


def _priced(rows: Iterable[Found], path: Path, gpus: dict[str, str], problems: list[str]) -> Iterator[CatalogPrice]:
    for row in rows:
        problem = row.problem
        if not problem:
            try:
                price = read_price(row.cells, path.name, _USD)
            except RowError as error:
                problem = str(error)
            else:
                if row.is_gpu:
                    gpus[price.instance_type] = price.per_hour
                else:
                    yield price
        if problem:
            problems.append(f"{path}:{row.line}: {one_line(problem, 200)}")


def _best(prices: Iterable[CatalogPrice]) -> Iterable[CatalogPrice]:
    """Keep one of the prices for the same machine: zones differ, and a warning should rather come early."""
    best: dict[tuple[str, str, str, str], CatalogPrice] = {}
    for price in prices:
        key = (price.provider, price.region, price.instance_type.lower(), price.purchase_option)
        known = best.get(key)
        if known is None or (known.as_of, Decimal(known.per_hour)) < (price.as_of, Decimal(price.per_hour)):
            best[key] = price
    return best.values()


def _sorted(prices: Iterable[CatalogPrice]) -> tuple[CatalogPrice, ...]:
    return tuple(
        sorted(prices, key=lambda each: (each.provider, each.region, each.instance_type, each.purchase_option))
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ImportFileError(f"{path}: larger than {LARGEST_BYTES // 2**20} MiB, which no price list is")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ImportFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ImportFileError(f"{path}: not UTF-8; save it as CSV UTF-8") from None


def _kind(path: Path, text: str) -> str:
    if text.lstrip().startswith("{"):
        return OPENCOST
    header = {each.strip().lower() for each in text.partition("\n")[0].split(",")}
    if "marketpricehourly" in header:
        return OPENCOST
    if {"instancetype", "price"} <= header:
        return SKYPILOT
    if {"instance_type", "provider"} <= header:
        return OWN
    raise ImportFileError(
        f"{path}: of no format that is known by its first line; name it: --format {'|'.join(FORMATS)}"
    )


def write_catalog(path: Path, prices: Sequence[CatalogPrice], currency: str, *, overwrite: bool = False) -> None:
    """Write a catalog as a CSV file of ours, all of it or nothing.

    Raises:
        ImportFileError: it exists and may not be overwritten, or can't be written.
    """
    if path.exists() and not overwrite:
        raise ImportFileError(f"{path}: exists already; --force overwrites it")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*COLUMNS[:-1], f"{currency.lower()}_per_hour", COLUMNS[-1]))
            for each in prices:
                place = (each.provider, each.region, each.instance_type, each.purchase_option)
                writer.writerow((*place, each.per_hour, each.as_of))
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ImportFileError(f"{path}: {error.strerror}; give --out a file in a folder that can be written") from None


def catalog_line(path: Path, directory: Path, currency: str) -> str:
    """Return the line of ``prices.yaml`` that uses a catalog, its path relative to the configuration's folder."""
    others = ", builtin" if currency == _USD else ""
    name = os.path.relpath(path.absolute(), directory.absolute())
    return f"catalogs: [{{file: {_quoted(name)}}}{others}]"


def snippet(imported: Imported) -> str:
    """Return YAML for ``prices.yaml`` of what a catalog can't hold: rates of parts, storage; ``""`` for nothing."""
    lines = []
    for key, value in imported.rates.items():
        if isinstance(value, str):
            lines.append(f"  {key}: {_quoted(value)}")
        else:
            pairs = ", ".join(f"{_quoted(name)}: {_quoted(price)}" for name, price in value.items())
            lines.append(f"  {key}: {{{pairs}}}")
    text = "\n".join(["resources:", *lines]) if lines else ""
    if imported.storage:
        text += f"\nstorage: {{per_gib_month: {_quoted(imported.storage)}}}"
    return text.strip()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

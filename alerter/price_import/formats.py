"""The price lists of SkyPilot and OpenCost, read by the names of their columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from alerter.pricebooks._rows import HeaderError

SKYPILOT, OPENCOST, OWN = "skypilot", "opencost", "csv"
HOURS_OF_A_MONTH = 730

_TYPE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_DEAREST_RATE = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What holds for rows that don't say: provider, region (``""`` skips such rows), the prices' date (ISO)."""

    provider: str
    region: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Found:
    """One price of a row, in the cells of our own catalogs; or why there is none."""

    line: int
    cells: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    is_gpu: bool = False


Rows = Iterator[list[str]]


def skypilot_rows(reader: Any, assumed: Assumed) -> Iterator[Found]:  # noqa: ANN401 - csv's reader has no public type
    """Yield the prices of a SkyPilot catalog: ``Price`` is on demand, ``SpotPrice`` spot; an empty one is no price.

    Raises:
        HeaderError: a column is missing.
    """
    for line, row in _rows(reader, ("InstanceType", "Price", "Region")):
        if isinstance(row, str):
            yield Found(line, problem=row)
            continue
        cells = {
            "provider": assumed.provider,
            "region": row["region"] or assumed.region,
            "instance_type": row["instancetype"],
            "as_of": assumed.as_of,
        }
        priced = [(option, row.get(key, "")) for option, key in (("on_demand", "price"), ("spot", "spotprice"))]
        priced = [(option, price) for option, price in priced if price and price.lower() != "nan"]
        if not cells["instance_type"]:
            yield Found(line, problem="no InstanceType: accelerators alone are not machines")
        elif not priced:
            yield Found(line, problem="neither Price nor SpotPrice")
        else:
            for option, price in priced:
                yield Found(line, {**cells, "purchase_option": option, "price": price})


def opencost_rows(reader: Any, assumed: Assumed) -> Iterator[Found]:  # noqa: ANN401
    """Yield the prices of an OpenCost CSV: nodes that it names by their instance type, and GPUs by theirs.

    Raises:
        HeaderError: a column is missing.
    """
    for line, row in _rows(reader, ("InstanceID", "AssetClass", "MarketPriceHourly")):
        if isinstance(row, str):
            yield Found(line, problem=row)
            continue
        kind = row["assetclass"].lower()
        by_label = row.get("instanceidfield", "").removeprefix("metadata.labels.") in _TYPE_LABELS
        cells = {
            "provider": assumed.provider,
            "region": row.get("region", "") or assumed.region,
            "instance_type": row.get("instancetype", "") or (row["instanceid"] if by_label else ""),
            "purchase_option": "on_demand",
            "price": row["marketpricehourly"],
            "as_of": _day(row.get("endtimestamp", "")) or assumed.as_of,
        }
        if kind == "gpu":
            place = {"region": "any", "instance_type": row["instanceid"] or cells["instance_type"]}
            yield Found(line, {**cells, **place}, is_gpu=True)
        elif kind != "node":
            yield Found(line, problem=f"a {kind or 'row without AssetClass'}: only nodes and GPUs have prices here")
        elif not cells["instance_type"]:
            yield Found(line, problem="names one node, not an instance type: no run can be priced by it")
        elif not cells["region"]:
            yield Found(line, problem="no Region: name one with --region")
        else:
            yield Found(line, cells)


def _rows(reader: Any, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:  # noqa: ANN401
    """Yield ``(line, cells by column in lower case)``, or why a row can't be read."""
    read = _reading(reader)
    header = read()
    if header is None or isinstance(header, str):
        raise HeaderError(header or "the file is empty")
    columns = [each.strip().lower() for each in header]
    missing = [each for each in needed if each.lower() not in columns]
    if missing:
        raise HeaderError(f"the first line must name the columns; missing: {', '.join(missing)}")
    while (cells := read()) is not None:
        line = reader.line_num
        if isinstance(cells, str):
            yield line, cells
        elif any(each.strip() for each in cells):
            short = len(cells) < len(columns)
            row = dict(zip(columns, (each.strip() for each in cells), strict=False))
            yield line, f"{len(cells)} cells, {len(columns)} are needed" if short else row


def _reading(reader: Any) -> Callable[[], list[str] | str | None]:  # noqa: ANN401
    def read() -> list[str] | str | None:
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            return str(error)
        return cells

    return read


def _day(stamp: str) -> str:
    try:
        return date.fromisoformat(stamp[:10]).isoformat()
    except ValueError:
        return ""


def rates_of(text: str) -> tuple[dict[str, str | Mapping[str, str]], str, list[str]]:
    """Return the rates of OpenCost's JSON for ``resources``, the price of a GiB-month, and what is wrong with others.

    Raises:
        HeaderError: it is no such JSON.
    """
    try:
        rates = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise HeaderError(f"not JSON: {error}") from None
    if not isinstance(rates, dict) or not {"CPU", "RAM"} & rates.keys():
        raise HeaderError("names neither CPU nor RAM, which OpenCost's default.json does")
    problems: list[str] = []
    read = {key: _rate(rates, key, problems) for key in ("CPU", "RAM", "GPU", "storage")}
    found: dict[str, str | Mapping[str, str]] = {}
    for key, name in (("CPU", "per_vcpu_hour"), ("RAM", "per_gib_hour"), ("GPU", "per_gpu_hour")):
        price = read[key]
        if price is not None:
            found[name] = {"*": _plain(price)} if key == "GPU" else _plain(price)
    problems += [f"{key} is left out: rates of parts know no spot prices" for key in rates if key.startswith("spot")]
    storage = read["storage"]
    with localcontext(prec=60):
        return found, _plain(storage * HOURS_OF_A_MONTH) if storage is not None else "", problems


def _rate(rates: Mapping[str, Any], key: str, problems: list[str]) -> Decimal | None:
    if rates.get(key) in (None, ""):
        return None
    try:
        price = Decimal(str(rates[key])[:64])
    except InvalidOperation:
        problems.append(f"{key} is not a decimal number")
        return None
    if not price.is_finite() or not 0 <= price <= _DEAREST_RATE:
        problems.append(f"{key} is negative, not finite or above {_DEAREST_RATE:,} an hour")
        return None
    return price


def _plain(price: Decimal) -> str:
    text = f"{price:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text

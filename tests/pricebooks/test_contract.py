"""What every catalog must do, whatever it is read from."""

import csv
import pkgutil
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

import alerter.pricebooks
from alerter.core.ports import PriceBook
from alerter.pricebooks._rows import COLUMNS
from alerter.pricebooks.builtin import BuiltinBook
from alerter.pricebooks.csv_file import CsvBook

CATALOG = files("alerter.pricebooks").joinpath("catalog.csv").read_text(encoding="utf-8")


def from_file(folder: Path) -> CsvBook:
    path = folder / "contract.csv"
    path.write_text(CATALOG, encoding="utf-8")
    return CsvBook(path)


BOOKS: dict[str, Callable[[Path], PriceBook]] = {"builtin": lambda _: BuiltinBook(), "csv_file": from_file}


@pytest.fixture(params=sorted(BOOKS))
def book(request: pytest.FixtureRequest, tmp_path: Path) -> PriceBook:
    return BOOKS[request.param](tmp_path)


def test_every_price_book_is_under_this_contract() -> None:
    modules = {module.name for module in pkgutil.iter_modules(alerter.pricebooks.__path__)}

    assert {name for name in modules if not name.startswith("_")} == set(BOOKS)


def test_every_row_is_found_as_it_stands(book: PriceBook) -> None:
    rows = list(csv.DictReader(CATALOG.splitlines()))

    assert len(rows) == 403
    assert not book.problems
    for row in rows:
        (found,) = [
            price
            for price in book.find(row["instance_type"])
            if (price.provider, price.region, price.purchase_option)
            == (row["provider"], row["region"], row["purchase_option"])
        ]
        assert (found.instance_type, found.as_of) == (row["instance_type"], row["as_of"])
        assert Decimal(found.per_hour) == Decimal(row["usd_per_hour"])
        assert found.catalog == book.name


def test_a_type_is_found_whatever_its_case(book: PriceBook) -> None:
    assert book.find("standard_nc6s_v3") == book.find("Standard_NC6s_v3")
    assert {price.purchase_option for price in book.find("a2-highgpu-1g")} == {"on_demand", "spot"}


@pytest.mark.parametrize("unknown", ["", "x9.huge", "m5.xlarge\n", "🔥", "*", "m5.*"])
def test_an_unknown_type_has_no_price(book: PriceBook, unknown: str) -> None:
    assert len(book.find(unknown)) == 0


def test_prices_are_plain_positive_decimals_in_one_currency(book: PriceBook) -> None:
    assert book.currency == "USD"
    for text in (price.per_hour for price in book.find("p4d.24xlarge")):
        assert Decimal(text) > 0
        assert "E" not in text


def test_the_catalog_names_every_column_that_a_users_own_needs() -> None:
    header = CATALOG.splitlines()[0].split(",")

    assert set(header) == {*COLUMNS, "usd_per_hour"}


def test_it_lists_its_types_once_each(book: PriceBook) -> None:
    known = {row["instance_type"] for row in csv.DictReader(CATALOG.splitlines())}
    assert sorted(book.instance_types) == sorted(known)

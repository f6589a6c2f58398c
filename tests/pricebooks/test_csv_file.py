import contextlib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from alerter.core.ports import PriceBookError
from alerter.pricebooks._rows import HeaderError, Table
from alerter.pricebooks.csv_file import CsvBook

HEADER = "provider,region,instance_type,purchase_option,usd_per_hour,as_of"


def book(folder: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> CsvBook:
    path = folder / "our-contract.csv"
    path.write_bytes("\r\n".join([header, *lines]).encode(encoding))
    return CsvBook(path)


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    header = "as_of , EUR_per_hour,note,Instance_Type,region,provider,purchase_option"
    found = book(tmp_path, '2026-01-01,0.5,"a, b",gpu-box,Frankfurt 1,Hetzner,On-Demand', header=header)
    (price,) = found.find("GPU-BOX")

    assert found.currency == "EUR"
    assert (price.provider, price.region, price.purchase_option) == ("hetzner", "frankfurt1", "on_demand")
    assert (price.per_hour, price.as_of, price.catalog) == ("0.5", "2026-01-01", "our-contract.csv")


def test_an_hour_costs_many_of_a_small_unit(tmp_path: Path) -> None:
    rows = (f"aws,ap-northeast-2,{name},,{price}," for name, price in (("p5.48xlarge", "75000"), ("x", "10000001")))
    found = book(tmp_path, *rows, header=HEADER.replace("usd", "krw"))

    assert found.find("p5.48xlarge")[0].per_hour == "75000"
    assert found.problems == (f"{tmp_path}/our-contract.csv:3: price '10000001' is above 10,000,000 an hour",)


def test_a_spreadsheets_byte_order_mark_and_blank_lines_are_no_problem(tmp_path: Path) -> None:
    found = book(tmp_path, "", "aws,us-east-1,m5.xlarge,,0.1,", ",,,,,", encoding="utf-8-sig")

    assert found.problems == ()
    assert found.find("m5.xlarge")[0].purchase_option == "on_demand"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("aws,us-east-1,m5.xlarge,on_demand,abc,", "price 'abc' is not a decimal number"),
        ("aws,us-east-1,m5.xlarge,on_demand,$1,", "price '$1' is not a decimal number"),
        ("aws,us-east-1,m5.xlarge,on_demand,,", "price '' is not a decimal number"),
        ("aws,us-east-1,m5.xlarge,on_demand,-1,", "price '-1' is negative or not finite"),
        ("aws,us-east-1,m5.xlarge,on_demand,NaN,", "price 'NaN' is negative or not finite"),
        ("aws,us-east-1,m5.xlarge,on_demand,sNaN,", "price 'sNaN' is negative or not finite"),
        ("aws,us-east-1,m5.xlarge,on_demand,0,", "price is 0: a machine that costs nothing belongs into prices.yaml"),
        ("aws,us-east-1,m5.xlarge,on_demand,10001,", "price '10001' is above 10,000 an hour"),
        ("aws,us-east-1,m5.xlarge,on_demand,1e400,", "price '1e400' is above 10,000 an hour"),
        ("aws,us-east-1,m5.xlarge,on_demand,1e-400,", "price '1e-400' has too many digits"),
        ("aws,us-east-1,m5.xlarge,on_demand,1", "5 cells, 6 are needed"),
        ("aws,us-east-1,,on_demand,1,", "instance_type is empty, longer than 128 characters or not printable"),
        ("aws,us-east-1,a\x1bb,on_demand,1,", "instance_type is empty, longer than 128 characters or not printable"),
        ("aws,us-east-1,m5.xlarge,on_demand,1,yesterday", "as_of 'yesterday' is not a date; write it like 2026-07-20"),
        ('aws,us-east-1,"m5"x,on_demand,1,', "',' expected after '\"'"),
    ],
)
def test_a_bad_row_is_named_and_skipped_and_the_others_stand(tmp_path: Path, line: str, why: str) -> None:
    found = book(tmp_path, "aws,us-east-1,c5.large,on_demand,0.1,", line, "aws,us-east-1,t3.large,on_demand,0.2,")

    assert found.problems == (f"{tmp_path / 'our-contract.csv'}:3: {why}",)
    assert found.find("c5.large")
    assert found.find("t3.large")
    assert not found.find("m5.xlarge")


def test_of_two_rows_for_one_machine_the_newer_counts(tmp_path: Path) -> None:
    rows = [
        f"aws,us-east-1,m5.xlarge,on_demand,{price},{day}" for price, day in (("2", "2026-02-01"), ("1", "2026-01-01"))
    ]

    assert [price.per_hour for price in book(tmp_path, *rows).find("m5.xlarge")] == ["2"]


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("", "provider"),
        ("provider,region,instance_type,purchase_option,usd_per_hour", "as_of"),
        ("provider,region,instance_type,purchase_option,price,as_of", "usd_per_hour"),
        ("provider,region,instance_type,purchase_option,usd_per_hour,eur_per_hour,as_of", "one other currency"),
        ('provider,"region', "unexpected end of data"),
    ],
)
def test_a_file_without_the_columns_is_refused_by_name(tmp_path: Path, header: str, missing: str) -> None:
    with pytest.raises(PriceBookError, match=missing) as caught:
        book(tmp_path, header=header)
    assert "our-contract.csv:1: " in str(caught.value)


def test_a_file_that_cant_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceBookError, match=r"nowhere\.csv: No such file"):
        CsvBook(tmp_path / "nowhere.csv")
    with pytest.raises(PriceBookError, match="Is a directory"):
        CsvBook(tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"provider\xff")
    with pytest.raises(PriceBookError, match="not UTF-8"):
        CsvBook(tmp_path / "latin.csv")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60)))
def test_no_text_whatever_is_an_unexpected_error(lines: list[str]) -> None:
    table = Table([HEADER, *lines], "fuzz")

    assert all(line >= 2 and why for line, why in table.problems)
    with contextlib.suppress(HeaderError):
        Table(lines, "fuzz")

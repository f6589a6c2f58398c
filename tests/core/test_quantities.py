from decimal import Decimal

import pytest

from alerter.core.quantities import GIB, QuantityError, read_gib, read_quantity, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8", "8"),
        (" 8 ", "8"),
        ("+8", "8"),
        ("8.5", "8.5"),
        (".5", "0.5"),
        ("8.", "8"),
        ("500m", "0.5"),
        ("1500m", "1.5"),
        ("2e3", "2000"),
        ("2E3", "2000"),
        ("25e-2", "0.25"),
        ("1k", "1000"),
        ("100u", "0.0001"),
        ("0", "0"),
        ("0e9999", "0"),
        ("0.0000015", "0.000002"),
    ],
)
def test_counts_are_read_as_kubernetes_writes_them(text: str, expected: str) -> None:
    assert read_quantity(text, limit=10_000) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "bare", "gib"),
    [
        ("16", GIB, "16"),
        ("16Gi", GIB, "16"),
        ("16Gi", Decimal(1), "16"),
        ("17179869184", Decimal(1), "16"),
        ("512Mi", Decimal(1), "0.5"),
        ("1Ti", Decimal(1), "1024"),
        ("1048576Ki", Decimal(1), "1"),
        ("1073741824000m", Decimal(1), "1"),
        ("128974848", Decimal(1), "0.120117"),
        ("129e6", Decimal(1), "0.120141"),
        ("129M", Decimal(1), "0.120141"),
        ("16G", GIB, "14.901161"),
        ("16GB", GIB, "14.901161"),
        ("16 GiB", GIB, "16"),
    ],
)
def test_memory_is_gib_or_bytes_or_whatever_its_suffix_says(text: str, bare: Decimal, gib: str) -> None:
    assert read_gib(text, bare=bare, limit=10_000) == Decimal(gib)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("four", "not a number"),
        ("-1", "not a number"),
        ("5 apples", "not a number"),
        ("5Q", "unknown unit Q"),
        ("1e400", "more than 10,000"),
        ("10001", "more than 10,000"),
        ("1n", "too small to count"),
    ],
)
def test_what_is_no_quantity_says_why(text: str, why: str) -> None:
    with pytest.raises(QuantityError, match=why):
        read_quantity(text, limit=10_000)
    with pytest.raises(QuantityError):
        read_gib(text, bare=GIB, limit=10_000)


def test_shortened_text_is_one_printable_line() -> None:
    assert shorten("a\x1b[31m\nb\ud800") == "a�[31m�b�"
    assert len(shorten("x" * 41)) == 40

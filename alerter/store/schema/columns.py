"""The kinds of columns, declared once."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text

BIG_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER."""


def id_column() -> Column[int]:
    """A row's own number."""
    return Column(BIG_ID, primary_key=True)


def reference(target: str, *, primary_key: bool = False) -> Column[int]:
    """The number of a row of another table."""
    return Column(BIG_ID, ForeignKey(target), primary_key=primary_key, nullable=False, autoincrement=False)


def big_column(*, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    """A whole number of 64 bits."""
    return Column(BigInteger, nullable=nullable, primary_key=primary_key, autoincrement=False)


def unique_big_column() -> Column[int]:
    """A whole number of 64 bits that no other row has."""
    return Column(BigInteger, nullable=False, unique=True)


def text_column(*, nullable: bool = False, unique: bool = False, primary_key: bool = False) -> Column[str]:
    """Text of any length."""
    return Column(Text, nullable=nullable, unique=unique, primary_key=primary_key)

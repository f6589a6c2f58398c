"""What periods had come to when they closed: restatements are counted from there."""

from __future__ import annotations

from sqlalchemy import Column, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, id_column, reference, text_column


class ClosingRow(SQLModel, table=True):
    """A period of a budget that is over: local days ``[first_day, end_day)`` (``date.toordinal()``)."""

    __tablename__ = "closing"
    __table_args__ = (UniqueConstraint("budget_id", "first_day"),)
    id: int | None = Field(default=None, sa_column=id_column())
    budget_id: int = Field(sa_column=reference("budget.id"))
    kind: str = Field(sa_column=text_column())
    first_day: int = Field(sa_column=Column(Integer, nullable=False))
    end_day: int = Field(sa_column=Column(Integer, nullable=False))
    at_ms: int = Field(sa_column=big_column())


class ClosingTotalRow(SQLModel, table=True):
    """What one scope had spent in it then, accruing runs included; a scope without a row had spent nothing."""

    __tablename__ = "closing_total"
    __table_args__ = ({"sqlite_with_rowid": False},)
    closing_id: int = Field(sa_column=reference("closing.id", primary_key=True))
    scope_id: int = Field(sa_column=reference("scope.id", primary_key=True))
    nanos: int = Field(sa_column=big_column())

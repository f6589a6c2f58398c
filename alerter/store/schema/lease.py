"""Which of several daemons on one database polls."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, text_column


class LeaseRow(SQLModel, table=True):
    """One right that one process has at a time.

    Attributes:
        holder: the process that has it, or had it last.
        epoch: how often it changed hands; what a holder writes is refused once this has moved on.
        until_ms: how long it holds unless it is renewed, by the database's own clock; 0 once it is given up.
    """

    __tablename__ = "lease"
    __table_args__ = ({"sqlite_with_rowid": False},)
    name: str = Field(sa_column=text_column(primary_key=True))
    holder: str = Field(sa_column=text_column())
    epoch: int = Field(sa_column=big_column())
    until_ms: int = Field(sa_column=big_column())

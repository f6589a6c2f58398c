"""Which traces are counted."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, reference


class CountedTraceRow(SQLModel, table=True):
    """A trace whose tokens are charged, by a digest of its id; kept for as long as it may be read again."""

    __tablename__ = "counted_trace"
    __table_args__ = ({"sqlite_with_rowid": False},)
    source_id: int = Field(sa_column=reference("source.id", primary_key=True))
    digest: int = Field(sa_column=big_column(primary_key=True))
    at_ms: int = Field(sa_column=big_column())

"""Which traces are counted, and how many tokens are charged."""

from __future__ import annotations

from sqlalchemy import Column, Integer
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, reference, text_column


class CountedTraceRow(SQLModel, table=True):
    """A trace whose tokens are charged, by a digest of its id; kept for as long as it may be read again.

    ``tags_digest`` is of its tags that count; ``lines`` is where its tokens stand, as JSON. Both are NULL of a
    trace that an earlier version counted.
    """

    __tablename__ = "counted_trace"
    __table_args__ = ({"sqlite_with_rowid": False},)
    source_id: int = Field(sa_column=reference("source.id", primary_key=True))
    digest: int = Field(sa_column=big_column(primary_key=True))
    at_ms: int = Field(sa_column=big_column())
    tags_digest: int | None = Field(default=None, sa_column=big_column(nullable=True))
    lines: str | None = Field(default=None, sa_column=text_column(nullable=True))


class TokenCountRow(SQLModel, table=True):
    """How many tokens a charge of tokens is for, by the charge's row, start and revision; a reversal's are negative.

    There is none of charges that an earlier version made.
    """

    __tablename__ = "token_count"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))
    start_ms: int = Field(sa_column=big_column(primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    fresh: int = Field(sa_column=big_column())
    cached: int = Field(sa_column=big_column())
    into_cache: int = Field(sa_column=big_column())
    out: int = Field(sa_column=big_column())

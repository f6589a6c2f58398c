"""Which digests went out, and which runs ended since the budgets were last evaluated."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, reference, text_column


class DigestRow(SQLModel, table=True):
    """A digest is claimed once a local day (``date.toordinal()``), however many daemons compute it.

    ``missing`` says what was not read when it was made, ``""`` where it is complete.
    """

    __tablename__ = "digest"
    __table_args__ = ({"sqlite_with_rowid": False},)
    name: str = Field(primary_key=True)
    local_day: int = Field(primary_key=True)
    at_ms: int = Field(sa_column=big_column())
    missing: str = Field(sa_column=text_column())


class EndedRunRow(SQLModel, table=True):
    """A run that ended since the last evaluation, which looks at it once more and forgets it."""

    __tablename__ = "ended_run"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))

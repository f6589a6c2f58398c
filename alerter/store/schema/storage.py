"""What runs and LoggedModels hold in artifact stores, and since when so many bytes are held."""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, reference, text_column


class HoldingRow(SQLModel, table=True):
    """The artifacts of a run (``model_id`` is ``""``), or of a LoggedModel (``run_uuid`` is ``""`` without a run).

    ``size`` is in bytes: NULL until it was walked, and where it can't be listed. ``mark_ms`` is the run's end, or the
    model's last change, as it was last noted; ``due_ms`` when it is to be looked at next, 0 where it is to be walked.
    """

    __tablename__ = "holding"
    __table_args__ = (Index("holding_due", "source_id", "due_ms"), {"sqlite_with_rowid": False})
    source_id: int = Field(sa_column=reference("source.id", primary_key=True))
    run_uuid: str = Field(sa_column=text_column(primary_key=True))
    model_id: str = Field(sa_column=text_column(primary_key=True))
    experiment_id: str = Field(sa_column=text_column())
    tag_set_id: int = Field(sa_column=reference("tag_set.id"))
    size: int | None = Field(default=None, sa_column=big_column(nullable=True))
    mark_ms: int = Field(sa_column=big_column())
    due_ms: int = Field(sa_column=big_column())


class StorageLevelRow(SQLModel, table=True):
    """So many bytes are held under a tag set since then, at a rate; ``run_id`` is the row that carries its charges."""

    __tablename__ = "storage_level"
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))
    since_ms: int = Field(sa_column=big_column())
    size: int = Field(sa_column=big_column())
    rate_id: int = Field(sa_column=reference("rate.id"))

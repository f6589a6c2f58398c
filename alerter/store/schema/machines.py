"""When runs held the machines that they name, and runs whose clocks could not be believed."""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, reference, text_column


class MachineTimeRow(SQLModel, table=True):
    """From when to when a run holds a machine whose cost it shares; ``end_ms`` is 2**62 while it accrues.

    ``machine`` is a digest of the source and the ``resource_id``. Within this time the run's charges tell more.
    """

    __tablename__ = "machine_time"
    __table_args__ = (Index("machine_time_by_end", "machine", "end_ms"),)
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))
    machine: int = Field(sa_column=big_column())
    start_ms: int = Field(sa_column=big_column())
    end_ms: int = Field(sa_column=big_column())


class ClampedRunRow(SQLModel, table=True):
    """A run whose times were corrected, by the poll at ``at_ms``, and what was wrong with them."""

    __tablename__ = "clamped_run"
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))
    at_ms: int = Field(sa_column=big_column())
    note: str = Field(sa_column=text_column())

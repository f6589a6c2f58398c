"""What people were told of each (budget, scope, period)."""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, reference, text_column


class EpisodeRow(SQLModel, table=True):
    """What was told of a (budget, scope, period), or of one run in it (``subject``, as in `AlertRow`).

    ``actual`` and ``forecast`` are the highest thresholds told that still stand; ``silence`` is why nothing was told at
    the last decision; ``spent_nanos`` is what was spent then. See `alerter.core.decisions.Told`.
    """

    __tablename__ = "episode"
    __table_args__ = (Index("episode_by_start", "period_start"), {"sqlite_with_rowid": False})
    budget_id: int = Field(sa_column=reference("budget.id", primary_key=True))
    scope_id: int = Field(sa_column=reference("scope.id", primary_key=True))
    period_start: str = Field(sa_column=text_column(primary_key=True))
    subject: str = Field(default="", sa_column=text_column(primary_key=True))
    actual: int
    forecast: int
    told_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    over_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    escalated_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    tellings: int
    repeats: int
    owed: str | None = Field(default=None, sa_column=text_column(nullable=True))
    silence: str | None = Field(default=None, sa_column=text_column(nullable=True))
    spent_nanos: int = Field(sa_column=big_column())

"""What was observed and what it cost, of which rows are only ever added; and budgets with their totals."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import BIG_ID, big_column, id_column, reference, text_column, unique_big_column


class SourceRow(SQLModel, table=True):
    """A tracking server, and how far it has been read."""

    __tablename__ = "source"
    id: int | None = Field(default=None, sa_column=id_column())
    name: str = Field(sa_column=text_column(unique=True))
    cursor: str = Field(default="", sa_column=text_column())
    swept: bool = False
    complete_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    failing_since_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    error: str = Field(default="", sa_column=text_column())
    told_down: bool = False


class TagSetRow(SQLModel, table=True):
    """One distinct set of tags, interned."""

    __tablename__ = "tag_set"
    id: int | None = Field(default=None, sa_column=id_column())
    digest: int = Field(sa_column=unique_big_column())
    tags: str = Field(sa_column=text_column())


class UsageSetRow(SQLModel, table=True):
    """One distinct set of the params and tags that prices need, interned."""

    __tablename__ = "usage_set"
    id: int | None = Field(default=None, sa_column=id_column())
    digest: int = Field(sa_column=unique_big_column())
    usage: str = Field(sa_column=text_column())


class RateRow(SQLModel, table=True):
    """One rate as it was applied, interned; never changed. ``share`` is ``2/3`` for the second of three equal parts."""

    __tablename__ = "rate"
    id: int | None = Field(default=None, sa_column=id_column())
    digest: int = Field(sa_column=unique_big_column())
    meter: str
    unit_price: str
    list_unit_price: str
    pricing_unit: str
    currency: str
    rule: str
    as_of: str
    confidence: str
    note: str
    share: str = Field(default="", sa_column=text_column())


_NESTED = text("parent_uuid IS NOT NULL")
_LASTING = text("(state = 'FOLDED' OR state = 'STORAGE' OR state = 'TOKENS') AND parent_uuid IS NULL")


class RunRow(SQLModel, table=True):
    """A run as it was last seen; ``parent_uuid`` is MLflow's id of the run that it is nested in.

    ``folded_ms`` is up to when its charges were folded into daily sums, ``folded_nanos`` what they came to; ``costs``
    is what it logged of its own cost, as JSON.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("source_id", "run_uuid"),
        Index("run_by_parent", "parent_uuid", sqlite_where=_NESTED, postgresql_where=_NESTED),
        Index("run_lasting", "id", sqlite_where=_LASTING, postgresql_where=_LASTING),
    )
    id: int | None = Field(default=None, sa_column=id_column())
    source_id: int = Field(sa_column=reference("source.id"))
    run_uuid: str = Field(sa_column=text_column())
    experiment_id: str = Field(sa_column=text_column())
    user: str = Field(sa_column=text_column())
    name: str = Field(sa_column=text_column())
    start_ms: int = Field(sa_column=big_column())
    end_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    state: str = Field(sa_column=text_column())
    tag_set_id: int = Field(sa_column=reference("tag_set.id"))
    usage_set_id: int = Field(sa_column=reference("usage_set.id"))
    parent_uuid: str | None = Field(default=None, sa_column=text_column(nullable=True))
    folded_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    folded_nanos: int | None = Field(default=None, sa_column=big_column(nullable=True))
    costs: str | None = Field(default=None, sa_column=text_column(nullable=True))


class CorrectionRow(SQLModel, table=True):
    """Why charges were reversed."""

    __tablename__ = "correction"
    __table_args__ = (Index("correction_by_time", "at_ms"),)
    id: int | None = Field(default=None, sa_column=id_column())
    run_id: int = Field(sa_column=reference("run.id"))
    at_ms: int = Field(sa_column=big_column())
    reason: str = Field(sa_column=text_column())


class ChargeRow(SQLModel, table=True):
    """A settled charge; rows are only ever added. A reversal repeats its row with quantity and cost negated."""

    __tablename__ = "charge"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))
    meter: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    start_ms: int = Field(sa_column=big_column(primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    end_ms: int = Field(sa_column=big_column())
    tag_set_id: int = Field(sa_column=reference("tag_set.id"))
    rate_id: int = Field(sa_column=reference("rate.id"))
    quantity: int = Field(sa_column=big_column())
    cost_nanos: int = Field(sa_column=big_column())
    correction_id: int | None = Field(default=None, sa_column=Column(BIG_ID, ForeignKey("correction.id")))


class ChargeBlockRow(SQLModel, table=True):
    """From when to when the charges of a thousand runs reach, at the most: see `alerter.store.blocks`."""

    __tablename__ = "charge_block"
    __table_args__ = (Index("charge_block_by_end", "last_ms"), {"sqlite_with_rowid": False})
    block: int = Field(sa_column=big_column(primary_key=True))
    first_ms: int = Field(sa_column=big_column())
    last_ms: int = Field(sa_column=big_column())


class OpenSegmentRow(SQLModel, table=True):
    """A run that accrues: since when, and ``[[rate id, quantity], ...]`` that it accrues at.

    ``until_ms`` is up to when it counts while it is suspected stale, ``held`` what it was priced at after that, as
    ``[[start ms, end ms or null, rate id, quantity], ...]``; ``kin_ms`` is the last sign of life of a descendant that
    has ended.
    """

    __tablename__ = "open_segment"
    run_id: int = Field(sa_column=reference("run.id", primary_key=True))
    start_ms: int = Field(sa_column=big_column())
    tag_set_id: int = Field(sa_column=reference("tag_set.id"))
    plan: str = Field(sa_column=text_column())
    until_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    kin_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    held: str | None = Field(default=None, sa_column=text_column(nullable=True))


class BudgetRow(SQLModel, table=True):
    """A budget of the configuration, at its latest revision; ``digest`` tells whether its totals still hold."""

    __tablename__ = "budget"
    id: int | None = Field(default=None, sa_column=id_column())
    uid: str = Field(sa_column=text_column(unique=True))
    name: str = Field(sa_column=text_column())
    revision: int
    digest: str = Field(sa_column=text_column())
    totals_digest: str = Field(sa_column=text_column())
    spec: str = Field(sa_column=text_column())
    active: bool
    changed_ms: int = Field(sa_column=big_column())


class BudgetRevisionRow(SQLModel, table=True):
    """What a budget said, revision by revision; ``config_revision`` is the git commit that said so, where known."""

    __tablename__ = "budget_revision"
    budget_id: int = Field(sa_column=reference("budget.id", primary_key=True))
    revision: int = Field(primary_key=True)
    spec: str = Field(sa_column=text_column())
    at_ms: int = Field(sa_column=big_column())
    config_revision: str = Field(default="", sa_column=text_column())


class ScopeRow(SQLModel, table=True):
    """One combination of tag values of one budget, as JSON pairs."""

    __tablename__ = "scope"
    __table_args__ = (UniqueConstraint("budget_id", "key"),)
    id: int | None = Field(default=None, sa_column=id_column())
    budget_id: int = Field(sa_column=reference("budget.id"))
    key: str = Field(sa_column=text_column())


class DailyRow(SQLModel, table=True):
    """The only total: settled nanos of one scope on one local day (``date.toordinal()``) of the budget's zone."""

    __tablename__ = "daily"
    __table_args__ = ({"sqlite_with_rowid": False},)
    budget_id: int = Field(sa_column=reference("budget.id", primary_key=True))
    scope_id: int = Field(sa_column=reference("scope.id", primary_key=True))
    local_day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    nanos: int = Field(sa_column=big_column())


class MetaRow(SQLModel, table=True):
    """Single facts about the whole ledger, such as when it was last evaluated."""

    __tablename__ = "meta"
    name: str = Field(primary_key=True)
    value: str = Field(sa_column=text_column())

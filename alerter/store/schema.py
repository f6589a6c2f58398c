"""The tables. Rows are not the domain: nothing outside ``store`` sees a SQLModel class.

Times are epoch milliseconds in UTC, money is integer nano-units, quantities are integer micro-units.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, SmallInteger, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

BIG_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER."""


def _id() -> Column[int]:
    return Column(BIG_ID, primary_key=True)


def _ref(target: str, *, primary_key: bool = False) -> Column[int]:
    return Column(BIG_ID, ForeignKey(target), primary_key=primary_key, nullable=False, autoincrement=False)


def _big(*, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    return Column(BigInteger, nullable=nullable, primary_key=primary_key, autoincrement=False)


def _unique_big() -> Column[int]:
    return Column(BigInteger, nullable=False, unique=True)


def _text(*, nullable: bool = False, unique: bool = False) -> Column[str]:
    return Column(Text, nullable=nullable, unique=unique)


class SourceRow(SQLModel, table=True):
    """A tracking server, and how far it has been read."""

    __tablename__ = "source"
    id: int | None = Field(default=None, sa_column=_id())
    name: str = Field(sa_column=_text(unique=True))
    cursor: str = Field(default="", sa_column=_text())
    swept: bool = False
    complete_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    failing_since_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    error: str = Field(default="", sa_column=_text())
    told_down: bool = False


class TagSetRow(SQLModel, table=True):
    """One distinct set of tags, interned."""

    __tablename__ = "tag_set"
    id: int | None = Field(default=None, sa_column=_id())
    digest: int = Field(sa_column=_unique_big())
    tags: str = Field(sa_column=_text())


class UsageSetRow(SQLModel, table=True):
    """One distinct set of the params and tags that prices need, interned."""

    __tablename__ = "usage_set"
    id: int | None = Field(default=None, sa_column=_id())
    digest: int = Field(sa_column=_unique_big())
    usage: str = Field(sa_column=_text())


class RateRow(SQLModel, table=True):
    """One rate as it was applied, interned; never changed."""

    __tablename__ = "rate"
    id: int | None = Field(default=None, sa_column=_id())
    digest: int = Field(sa_column=_unique_big())
    meter: str
    unit_price: str
    list_unit_price: str
    pricing_unit: str
    currency: str
    rule: str
    as_of: str
    confidence: str
    note: str


class RunRow(SQLModel, table=True):
    """A run as it was last seen."""

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("source_id", "run_uuid"),)
    id: int | None = Field(default=None, sa_column=_id())
    source_id: int = Field(sa_column=_ref("source.id"))
    run_uuid: str = Field(sa_column=_text())
    experiment_id: str = Field(sa_column=_text())
    user: str = Field(sa_column=_text())
    name: str = Field(sa_column=_text())
    start_ms: int = Field(sa_column=_big())
    end_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    state: str = Field(sa_column=_text())
    tag_set_id: int = Field(sa_column=_ref("tag_set.id"))
    usage_set_id: int = Field(sa_column=_ref("usage_set.id"))
    hash: int = Field(sa_column=_big())


class CorrectionRow(SQLModel, table=True):
    """Why charges were reversed."""

    __tablename__ = "correction"
    id: int | None = Field(default=None, sa_column=_id())
    run_id: int = Field(sa_column=_ref("run.id"))
    at_ms: int = Field(sa_column=_big())
    reason: str = Field(sa_column=_text())


class ChargeRow(SQLModel, table=True):
    """A settled charge; rows are only ever added. A reversal repeats its row with quantity and cost negated."""

    __tablename__ = "charge"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: int = Field(sa_column=_ref("run.id", primary_key=True))
    meter: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    start_ms: int = Field(sa_column=_big(primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    end_ms: int = Field(sa_column=_big())
    tag_set_id: int = Field(sa_column=_ref("tag_set.id"))
    rate_id: int = Field(sa_column=_ref("rate.id"))
    quantity: int = Field(sa_column=_big())
    cost_nanos: int = Field(sa_column=_big())
    correction_id: int | None = Field(default=None, sa_column=Column(BIG_ID, ForeignKey("correction.id")))


class OpenSegmentRow(SQLModel, table=True):
    """A run that accrues: since when, and ``[[rate id, quantity], ...]`` that it accrues at."""

    __tablename__ = "open_segment"
    run_id: int = Field(sa_column=_ref("run.id", primary_key=True))
    start_ms: int = Field(sa_column=_big())
    tag_set_id: int = Field(sa_column=_ref("tag_set.id"))
    plan: str = Field(sa_column=_text())


class BudgetRow(SQLModel, table=True):
    """A budget of the configuration, at its latest revision; ``digest`` tells whether its totals still hold."""

    __tablename__ = "budget"
    id: int | None = Field(default=None, sa_column=_id())
    uid: str = Field(sa_column=_text(unique=True))
    name: str = Field(sa_column=_text())
    revision: int
    digest: str = Field(sa_column=_text())
    totals_digest: str = Field(sa_column=_text())
    spec: str = Field(sa_column=_text())
    active: bool
    changed_ms: int = Field(sa_column=_big())


class BudgetRevisionRow(SQLModel, table=True):
    """What a budget said, revision by revision."""

    __tablename__ = "budget_revision"
    budget_id: int = Field(sa_column=_ref("budget.id", primary_key=True))
    revision: int = Field(primary_key=True)
    spec: str = Field(sa_column=_text())
    at_ms: int = Field(sa_column=_big())


class ScopeRow(SQLModel, table=True):
    """One combination of tag values of one budget, as JSON pairs."""

    __tablename__ = "scope"
    __table_args__ = (UniqueConstraint("budget_id", "key"),)
    id: int | None = Field(default=None, sa_column=_id())
    budget_id: int = Field(sa_column=_ref("budget.id"))
    key: str = Field(sa_column=_text())


class DailyRow(SQLModel, table=True):
    """The only total: settled nanos of one scope on one local day (``date.toordinal()``) of the budget's zone."""

    __tablename__ = "daily"
    __table_args__ = ({"sqlite_with_rowid": False},)
    budget_id: int = Field(sa_column=_ref("budget.id", primary_key=True))
    scope_id: int = Field(sa_column=_ref("scope.id", primary_key=True))
    local_day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    nanos: int = Field(sa_column=_big())


class AlertRow(SQLModel, table=True):
    """One alert per (budget, scope, period, basis, percent)."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("budget_id", "scope_id", "period_start", "basis", "percent"),)
    id: int | None = Field(default=None, sa_column=_id())
    public_id: str = Field(sa_column=_text(unique=True))
    budget_id: int = Field(sa_column=_ref("budget.id"))
    scope_id: int = Field(sa_column=_ref("scope.id"))
    period_start: str = Field(sa_column=_text())
    period_end: str = Field(sa_column=_text())
    basis: str
    percent: int
    status: str
    reason: str
    amount_nanos: int = Field(sa_column=_big())
    spent_nanos: int = Field(sa_column=_big())
    fired_ms: int = Field(sa_column=_big())
    resolved_ms: int | None = Field(default=None, sa_column=_big(nullable=True))


class HoldRow(SQLModel, table=True):
    """Someone keeps a (budget, scope, period) quiet up to ``percent`` spent and ``forecast_percent`` forecast.

    At most one a (budget, scope, period) has not ended, whoever is quicker.
    """

    __tablename__ = "hold"
    __table_args__ = (
        Index(
            "hold_in_force",
            "budget_id",
            "scope_id",
            "period_start",
            unique=True,
            sqlite_where=text("ended_ms IS NULL"),
            postgresql_where=text("ended_ms IS NULL"),
        ),
    )
    id: int | None = Field(default=None, sa_column=_id())
    budget_id: int = Field(sa_column=_ref("budget.id"))
    scope_id: int = Field(sa_column=_ref("scope.id"))
    period_start: str = Field(sa_column=_text())
    kind: str
    percent: int
    forecast_percent: int
    until_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    actor: str
    via: str
    note: str
    created_ms: int = Field(sa_column=_big())
    ended_ms: int | None = Field(default=None, sa_column=_big(nullable=True))


class AuditRow(SQLModel, table=True):
    """Who did what, when, from where."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, sa_column=_id())
    at_ms: int = Field(sa_column=_big())
    actor: str
    via: str
    action: str
    target: str
    detail: str


class NotificationRow(SQLModel, table=True):
    """The outbox: a message for one target, committed with the alerts that caused it.

    ``status`` is pending, sent or dead. A claim sets ``lease_owner`` and ``lease_until_ms``. ``ambiguous`` is set
    before an attempt begins and taken back when its end is known: whoever finds it set looks the message up first;
    ``attempted_ms`` is the earliest attempt that may have delivered. Each request to show new states counts
    ``update_wanted`` up, and ``update_shown`` is the count that was shown: an update is due while they differ.
    """

    __tablename__ = "notification"
    __table_args__ = (
        Index(
            "notification_due",
            "not_before_ms",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "notification_update_due",
            "not_before_ms",
            sqlite_where=text("update_wanted > update_shown"),
            postgresql_where=text("update_wanted > update_shown"),
        ),
    )
    id: int | None = Field(default=None, sa_column=_id())
    key: str = Field(sa_column=_text(unique=True))
    receiver: str
    kind: str
    target: str = Field(sa_column=_text())
    message: str = Field(sa_column=_text())
    status: str
    attempts: int = 0
    created_ms: int = Field(sa_column=_big())
    not_before_ms: int = Field(sa_column=_big())
    lease_owner: str | None = None
    lease_until_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    ambiguous: bool = False
    attempted_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    sent_ms: int | None = Field(default=None, sa_column=_big(nullable=True))
    reference: str = Field(default="", sa_column=_text())
    update_wanted: int = 0
    update_shown: int = 0
    update_attempts: int = 0
    error: str = Field(default="", sa_column=_text())


class AlertNotificationRow(SQLModel, table=True):
    """Which alerts a notification tells."""

    __tablename__ = "alert_notification"
    __table_args__ = (Index("alert_notification_message", "notification_id"), {"sqlite_with_rowid": False})
    alert_id: int = Field(sa_column=_ref("alert.id", primary_key=True))
    notification_id: int = Field(sa_column=_ref("notification.id", primary_key=True))


class MetaRow(SQLModel, table=True):
    """Single facts about the whole ledger, such as when it was last evaluated."""

    __tablename__ = "meta"
    name: str = Field(primary_key=True)
    value: str = Field(sa_column=_text())

"""Alerts, what people did about them, and the outbox."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from alerter.store.schema.columns import big_column, id_column, reference, text_column


class AlertRow(SQLModel, table=True):
    """One alert per (budget, scope, period, basis, percent, subject); ``subject`` is a run's MLflow id, else ``""``."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("budget_id", "scope_id", "period_start", "basis", "percent", "subject"),
        Index("alert_by_status", "status", "period_end"),
        Index("alert_by_end", "period_end"),
    )
    id: int | None = Field(default=None, sa_column=id_column())
    public_id: str = Field(sa_column=text_column(unique=True))
    budget_id: int = Field(sa_column=reference("budget.id"))
    scope_id: int = Field(sa_column=reference("scope.id"))
    period_start: str = Field(sa_column=text_column())
    period_end: str = Field(sa_column=text_column())
    basis: str
    percent: int
    status: str
    reason: str
    amount_nanos: int = Field(sa_column=big_column())
    spent_nanos: int = Field(sa_column=big_column())
    fired_ms: int = Field(sa_column=big_column())
    resolved_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    subject: str = Field(default="", sa_column=text_column())


class HoldRow(SQLModel, table=True):
    """Someone keeps a (budget, scope, period) quiet up to ``percent`` spent and ``forecast_percent`` forecast.

    At most one a (budget, scope, period, subject) has not ended, whoever is quicker; ``subject`` as in `AlertRow`.
    """

    __tablename__ = "hold"
    __table_args__ = (
        Index(
            "hold_in_force",
            "budget_id",
            "scope_id",
            "period_start",
            "subject",
            unique=True,
            sqlite_where=text("ended_ms IS NULL"),
            postgresql_where=text("ended_ms IS NULL"),
        ),
        Index("hold_by_start", "period_start"),
    )
    id: int | None = Field(default=None, sa_column=id_column())
    budget_id: int = Field(sa_column=reference("budget.id"))
    scope_id: int = Field(sa_column=reference("scope.id"))
    period_start: str = Field(sa_column=text_column())
    kind: str
    percent: int
    forecast_percent: int
    until_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    until_nanos: int | None = Field(default=None, sa_column=big_column(nullable=True))
    until_percent: int | None = None
    until_words: str | None = Field(default=None, sa_column=text_column(nullable=True))
    actor: str
    via: str
    note: str
    created_ms: int = Field(sa_column=big_column())
    ended_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    subject: str = Field(default="", sa_column=text_column())


class AuditRow(SQLModel, table=True):
    """Who did what, when, from where."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, sa_column=id_column())
    at_ms: int = Field(sa_column=big_column())
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
            "notification_unsent",
            "id",
            sqlite_where=text("status <> 'sent'"),
            postgresql_where=text("status <> 'sent'"),
        ),
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
    id: int | None = Field(default=None, sa_column=id_column())
    key: str = Field(sa_column=text_column(unique=True))
    receiver: str
    kind: str
    target: str = Field(sa_column=text_column())
    message: str = Field(sa_column=text_column())
    status: str
    attempts: int = 0
    created_ms: int = Field(sa_column=big_column())
    not_before_ms: int = Field(sa_column=big_column())
    lease_owner: str | None = None
    lease_until_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    ambiguous: bool = False
    attempted_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    sent_ms: int | None = Field(default=None, sa_column=big_column(nullable=True))
    reference: str = Field(default="", sa_column=text_column())
    update_wanted: int = 0
    update_shown: int = 0
    update_attempts: int = 0
    error: str = Field(default="", sa_column=text_column())


class AlertNotificationRow(SQLModel, table=True):
    """Which alerts a notification tells."""

    __tablename__ = "alert_notification"
    __table_args__ = (Index("alert_notification_message", "notification_id"), {"sqlite_with_rowid": False})
    alert_id: int = Field(sa_column=reference("alert.id", primary_key=True))
    notification_id: int = Field(sa_column=reference("notification.id", primary_key=True))

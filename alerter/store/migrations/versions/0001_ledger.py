"""The ledger, the budgets with their totals, the alerts and the outbox.

A revision that has been released is never edited: the next change is a file of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _interned()
    _runs()
    _charges()
    _budgets()
    _alerts()
    _people()
    _outbox()


def _id() -> "sa.Column[int]":
    return sa.Column("id", BIG_ID, primary_key=True)


def _ref(name: str, target: str, *, primary_key: bool = False, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(
        name, BIG_ID, sa.ForeignKey(target), primary_key=primary_key, nullable=nullable, autoincrement=False
    )


def _big(name: str, *, nullable: bool = False, primary_key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=nullable, primary_key=primary_key, autoincrement=False)


def _int(name: str, *, primary_key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, nullable=False, primary_key=primary_key, autoincrement=False)


def _flag(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False)


def _word(name: str, *, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=nullable)


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False)


def _interned() -> None:
    op.create_table("meta", sa.Column("name", sa.String, primary_key=True), _text("value"))
    op.create_table("tag_set", _id(), _big("digest"), _text("tags"), sa.UniqueConstraint("digest"))
    op.create_table("usage_set", _id(), _big("digest"), _text("usage"), sa.UniqueConstraint("digest"))
    op.create_table(
        "rate",
        _id(),
        _big("digest"),
        _word("meter"),
        _word("unit_price"),
        _word("list_unit_price"),
        _word("pricing_unit"),
        _word("currency"),
        _word("rule"),
        _word("as_of"),
        _word("confidence"),
        _word("note"),
        sa.UniqueConstraint("digest"),
    )


def _runs() -> None:
    op.create_table(
        "source",
        _id(),
        _text("name"),
        _text("cursor"),
        _flag("swept"),
        _big("complete_ms", nullable=True),
        _big("failing_since_ms", nullable=True),
        _text("error"),
        _flag("told_down"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "run",
        _id(),
        _ref("source_id", "source.id"),
        _text("run_uuid"),
        _text("experiment_id"),
        _text("user"),
        _text("name"),
        _big("start_ms"),
        _big("end_ms", nullable=True),
        _text("state"),
        _ref("tag_set_id", "tag_set.id"),
        _ref("usage_set_id", "usage_set.id"),
        _big("hash"),
        sa.Column("parent_uuid", sa.Text, nullable=True),
        sa.UniqueConstraint("source_id", "run_uuid"),
    )
    nested = sa.text("parent_uuid IS NOT NULL")
    op.create_index("run_by_parent", "run", ["parent_uuid"], sqlite_where=nested, postgresql_where=nested)


def _charges() -> None:
    op.create_table("correction", _id(), _ref("run_id", "run.id"), _big("at_ms"), _text("reason"))
    op.create_table(
        "charge",
        _ref("run_id", "run.id", primary_key=True),
        sa.Column("meter", sa.SmallInteger, primary_key=True, autoincrement=False),
        _big("start_ms", primary_key=True),
        _int("revision", primary_key=True),
        _big("end_ms"),
        _ref("tag_set_id", "tag_set.id"),
        _ref("rate_id", "rate.id"),
        _big("quantity"),
        _big("cost_nanos"),
        _ref("correction_id", "correction.id", nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "open_segment",
        _ref("run_id", "run.id", primary_key=True),
        _big("start_ms"),
        _ref("tag_set_id", "tag_set.id"),
        _text("plan"),
        _big("until_ms", nullable=True),
        _big("kin_ms", nullable=True),
    )


def _budgets() -> None:
    op.create_table(
        "budget",
        _id(),
        _text("uid"),
        _text("name"),
        _int("revision"),
        _text("digest"),
        _text("totals_digest"),
        _text("spec"),
        _flag("active"),
        _big("changed_ms"),
        sa.UniqueConstraint("uid"),
    )
    op.create_table(
        "budget_revision",
        _ref("budget_id", "budget.id", primary_key=True),
        _int("revision", primary_key=True),
        _text("spec"),
        _big("at_ms"),
    )
    op.create_table(
        "scope", _id(), _ref("budget_id", "budget.id"), _text("key"), sa.UniqueConstraint("budget_id", "key")
    )
    op.create_table(
        "daily",
        _ref("budget_id", "budget.id", primary_key=True),
        _ref("scope_id", "scope.id", primary_key=True),
        _int("local_day", primary_key=True),
        _big("nanos"),
        sqlite_with_rowid=False,
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        _id(),
        _text("public_id"),
        _ref("budget_id", "budget.id"),
        _ref("scope_id", "scope.id"),
        _text("period_start"),
        _text("period_end"),
        _word("basis"),
        _int("percent"),
        _word("status"),
        _word("reason"),
        _big("amount_nanos"),
        _big("spent_nanos"),
        _big("fired_ms"),
        _big("resolved_ms", nullable=True),
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint("budget_id", "scope_id", "period_start", "basis", "percent"),
    )


def _people() -> None:
    op.create_table(
        "hold",
        _id(),
        _ref("budget_id", "budget.id"),
        _ref("scope_id", "scope.id"),
        _text("period_start"),
        _word("kind"),
        _int("percent"),
        _int("forecast_percent"),
        _big("until_ms", nullable=True),
        _word("actor"),
        _word("via"),
        _word("note"),
        _big("created_ms"),
        _big("ended_ms", nullable=True),
    )
    in_force = sa.text("ended_ms IS NULL")
    key = ["budget_id", "scope_id", "period_start"]
    op.create_index("hold_in_force", "hold", key, unique=True, sqlite_where=in_force, postgresql_where=in_force)
    op.create_table(
        "audit", _id(), _big("at_ms"), _word("actor"), _word("via"), _word("action"), _word("target"), _word("detail")
    )


def _outbox() -> None:
    op.create_table(
        "notification",
        _id(),
        _text("key"),
        _word("receiver"),
        _word("kind"),
        _text("target"),
        _text("message"),
        _word("status"),
        _int("attempts"),
        _big("created_ms"),
        _big("not_before_ms"),
        _word("lease_owner", nullable=True),
        _big("lease_until_ms", nullable=True),
        _flag("ambiguous"),
        _big("attempted_ms", nullable=True),
        _big("sent_ms", nullable=True),
        _text("reference"),
        _int("update_wanted"),
        _int("update_shown"),
        _int("update_attempts"),
        _text("error"),
        sa.UniqueConstraint("key"),
    )
    due = sa.text("status = 'pending'")
    op.create_index("notification_due", "notification", ["not_before_ms"], sqlite_where=due, postgresql_where=due)
    due = sa.text("update_wanted > update_shown")
    op.create_index(
        "notification_update_due", "notification", ["not_before_ms"], sqlite_where=due, postgresql_where=due
    )
    op.create_table(
        "alert_notification",
        _ref("alert_id", "alert.id", primary_key=True),
        _ref("notification_id", "notification.id", primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_notification_message", "alert_notification", ["notification_id"])

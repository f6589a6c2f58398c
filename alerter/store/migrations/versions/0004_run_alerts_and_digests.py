"""Alerts and holds of single runs, the digests that went out, and runs that ended since the last evaluation."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = ["budget_id", "scope_id", "period_start", "basis", "percent"]
COLUMNS = (
    "id, public_id, budget_id, scope_id, period_start, period_end, basis, percent, status, reason, amount_nanos, "
    "spent_nanos, fired_ms, resolved_ms"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_alerts()
    else:
        _change_alerts()
    _change_holds()
    op.create_table(
        "digest",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("local_day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("missing", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    run = sa.Column("run_id", BIG_ID, sa.ForeignKey("run.id"), primary_key=True, nullable=False, autoincrement=False)
    op.create_table("ended_run", run, sqlite_with_rowid=False)


def _subject() -> "sa.Column[str]":
    return sa.Column("subject", sa.Text, nullable=False, server_default="")


def _change_alerts() -> None:
    op.add_column("alert", _subject())
    for each in sa.inspect(op.get_bind()).get_unique_constraints("alert"):
        if each["column_names"] == KEY and each["name"]:
            op.drop_constraint(each["name"], "alert")
    op.create_unique_constraint(None, "alert", [*KEY, "subject"])


def _rebuild_alerts() -> None:
    """SQLite can't change what is unique in a table, so the table is made anew.

    Foreign keys are looked at when the transaction ends: by then each row that others name is back under its id.
    """
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute("CREATE TEMPORARY TABLE kept_alert AS SELECT * FROM alert")
    op.drop_table("alert")
    op.create_table(
        "alert",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("public_id", sa.Text, nullable=False),
        *(
            sa.Column(f"{each}_id", BIG_ID, sa.ForeignKey(f"{each}.id"), nullable=False, autoincrement=False)
            for each in ("budget", "scope")
        ),
        *(sa.Column(each, sa.Text, nullable=False) for each in ("period_start", "period_end")),
        sa.Column("basis", sa.String, nullable=False),
        sa.Column("percent", sa.Integer, nullable=False),
        *(sa.Column(each, sa.String, nullable=False) for each in ("status", "reason")),
        *(sa.Column(each, sa.BigInteger, nullable=False) for each in ("amount_nanos", "spent_nanos", "fired_ms")),
        sa.Column("resolved_ms", sa.BigInteger, nullable=True),
        _subject(),
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint(*KEY, "subject"),
    )
    op.execute(f"INSERT INTO alert ({COLUMNS}) SELECT {COLUMNS} FROM kept_alert")
    op.execute("DROP TABLE kept_alert")


def _change_holds() -> None:
    op.add_column("hold", _subject())
    op.drop_index("hold_in_force", "hold")
    in_force = sa.text("ended_ms IS NULL")
    key = ["budget_id", "scope_id", "period_start", "subject"]
    op.create_index("hold_in_force", "hold", key, unique=True, sqlite_where=in_force, postgresql_where=in_force)

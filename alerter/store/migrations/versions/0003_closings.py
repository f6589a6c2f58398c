"""What periods came to when they closed; and what each counted trace was charged, so that its tags can change."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def reference(name: str, target: str, *, primary_key: bool = False) -> sa.Column[int]:
    foreign = sa.ForeignKey(target)
    return sa.Column(name, BIG_ID, foreign, primary_key=primary_key, nullable=False, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "closing",
        sa.Column("id", BIG_ID, primary_key=True),
        reference("budget_id", "budget.id"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("first_day", sa.Integer, nullable=False),
        sa.Column("end_day", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("budget_id", "first_day"),
    )
    op.create_table(
        "closing_total",
        reference("closing_id", "closing.id", primary_key=True),
        reference("scope_id", "scope.id", primary_key=True),
        sa.Column("nanos", sa.BigInteger, nullable=False, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.add_column("counted_trace", sa.Column("tags_digest", sa.BigInteger, nullable=True))
    op.add_column("counted_trace", sa.Column("lines", sa.Text, nullable=True))

"""How many tokens a charge is for; of those before this it isn't known."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    run = sa.Column("run_id", BIG_ID, sa.ForeignKey("run.id"), primary_key=True, nullable=False, autoincrement=False)
    start = sa.Column("start_ms", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False)
    number = sa.Column("revision", sa.Integer, primary_key=True, nullable=False, autoincrement=False)
    counts = [sa.Column(each, sa.BigInteger, nullable=False) for each in ("fresh", "cached", "into_cache", "out")]
    op.create_table("token_count", run, start, number, *counts, sqlite_with_rowid=False)

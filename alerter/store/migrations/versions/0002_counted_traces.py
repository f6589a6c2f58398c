"""Which traces of LLM calls are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    source = sa.Column(
        "source_id", BIG_ID, sa.ForeignKey("source.id"), primary_key=True, nullable=False, autoincrement=False
    )
    digest = sa.Column("digest", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False)
    at_ms = sa.Column("at_ms", sa.BigInteger, nullable=False, autoincrement=False)
    op.create_table("counted_trace", source, digest, at_ms, sqlite_with_rowid=False)

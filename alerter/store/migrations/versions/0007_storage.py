"""What runs and LoggedModels hold in artifact stores."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "holding",
        _reference("source_id", "source.id", primary_key=True),
        *(sa.Column(each, sa.Text, primary_key=True, nullable=False) for each in ("run_uuid", "model_id")),
        sa.Column("experiment_id", sa.Text, nullable=False),
        _reference("tag_set_id", "tag_set.id"),
        sa.Column("size", sa.BigInteger, nullable=True),
        *(sa.Column(each, sa.BigInteger, nullable=False) for each in ("mark_ms", "due_ms")),
        sqlite_with_rowid=False,
    )
    op.create_index("holding_due", "holding", ["source_id", "due_ms"])
    op.create_table(
        "storage_level",
        _reference("run_id", "run.id", primary_key=True),
        *(sa.Column(each, sa.BigInteger, nullable=False) for each in ("since_ms", "size")),
        _reference("rate_id", "rate.id"),
    )


def _reference(name: str, target: str, *, primary_key: bool = False) -> "sa.Column[int]":
    where = sa.ForeignKey(target)
    return sa.Column(name, BIG_ID, where, primary_key=primary_key, nullable=False, autoincrement=False)

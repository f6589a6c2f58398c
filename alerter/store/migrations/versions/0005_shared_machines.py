"""Runs that share a machine's cost, what a suspect's later time cost, and clocks that could not be believed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("rate", sa.Column("share", sa.Text, nullable=False, server_default=""))
    op.add_column("open_segment", sa.Column("held", sa.Text, nullable=True))
    op.create_table(
        "machine_time",
        _run_id(),
        *(sa.Column(each, sa.BigInteger, nullable=False) for each in ("machine", "start_ms", "end_ms")),
    )
    op.create_index("machine_time_by_end", "machine_time", ["machine", "end_ms"])
    op.create_table(
        "clamped_run",
        _run_id(),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    # Looked at anew when they are next read, which tells who shared a machine.
    op.execute(
        "UPDATE run SET hash = 0 WHERE usage_set_id IN (SELECT id FROM usage_set "
        "WHERE usage LIKE '%resource_id%' OR usage LIKE '%mlflow.databricks.cluster.id%')"
    )


def _run_id() -> "sa.Column[int]":
    return sa.Column("run_id", BIG_ID, sa.ForeignKey("run.id"), primary_key=True, nullable=False, autoincrement=False)

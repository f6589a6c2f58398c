"""From when to when the charges of each thousand runs reach, so that a period's are found among those of all time."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_FILL = (
    "INSERT INTO charge_block (block, first_ms, last_ms) "
    "SELECT run_id / 1000, MIN(start_ms), MAX(end_ms) FROM charge GROUP BY run_id / 1000"
)
_LASTING = sa.text("state IN ('FOLDED', 'STORAGE', 'TOKENS') AND parent_uuid IS NULL")


def upgrade() -> None:
    op.create_table(
        "charge_block",
        sa.Column("block", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(_FILL)
    op.create_index("charge_block_by_end", "charge_block", ["last_ms"])
    op.create_index("run_lasting", "run", ["id"], sqlite_where=_LASTING, postgresql_where=_LASTING)
    op.create_index("correction_by_time", "correction", ["at_ms"])

"""Up to when a run's charges were folded into daily sums, and what they came to."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for name in ("folded_ms", "folded_nanos"):
        op.add_column("run", sa.Column(name, sa.BigInteger, nullable=True))

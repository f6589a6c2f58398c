"""Which of several daemons on one database polls."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        *(sa.Column(each, sa.BigInteger, nullable=False) for each in ("epoch", "until_ms")),
        sqlite_with_rowid=False,
    )

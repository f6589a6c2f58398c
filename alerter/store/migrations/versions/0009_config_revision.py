"""The configuration's git revision, beside what it changed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("budget_revision", sa.Column("config_revision", sa.Text, nullable=False, server_default=""))

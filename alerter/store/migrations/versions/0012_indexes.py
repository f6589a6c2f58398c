"""Indexes, so that no cycle walks over the alerts, the episodes and the holds of all periods that there ever were."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("alert_by_status", "alert", ["status", "period_end"])
    op.create_index("alert_by_end", "alert", ["period_end"])
    op.create_index("episode_by_start", "episode", ["period_start"])
    op.create_index("hold_by_start", "hold", ["period_start"])

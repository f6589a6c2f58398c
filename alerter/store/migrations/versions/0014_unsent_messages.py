"""An index, so that the page finds the messages that wait, or were given up, among all that there ever were."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_UNSENT = sa.text("status <> 'sent'")


def upgrade() -> None:
    op.create_index("notification_unsent", "notification", ["id"], sqlite_where=_UNSENT, postgresql_where=_UNSENT)

"""What a run logged of its own cost, and no digest: a run's row itself tells whether the run has changed.

And an index whose condition is quickly looked at.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_LASTING = sa.text("(state = 'FOLDED' OR state = 'STORAGE' OR state = 'TOKENS') AND parent_uuid IS NULL")


def upgrade() -> None:
    op.add_column("run", sa.Column("costs", sa.Text, nullable=True))
    # Those that were to be looked at anew still are: no run says this.
    op.execute("UPDATE run SET costs = '?' WHERE hash = 0 AND state NOT IN ('FOLDED', 'STORAGE', 'TOKENS')")
    op.execute("ALTER TABLE run DROP COLUMN hash")  # in place, where a batch would copy the table with its keys
    op.drop_index("run_lasting", "run")
    op.create_index("run_lasting", "run", ["id"], sqlite_where=_LASTING, postgresql_where=_LASTING)

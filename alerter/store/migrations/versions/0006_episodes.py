"""What was told of each (budget, scope, period), and holds until an amount or a percentage is spent.

What an earlier version fired, it told: nothing of it is told again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OVER = "MAX(CASE WHEN status = 'firing' AND basis = 'actual' AND percent >= 100 AND subject = '' THEN fired_ms END)"


def upgrade() -> None:
    op.create_table(
        "episode",
        *(
            sa.Column(
                f"{each}_id", BIG_ID, sa.ForeignKey(f"{each}.id"), primary_key=True, nullable=False, autoincrement=False
            )
            for each in ("budget", "scope")
        ),
        *(sa.Column(each, sa.Text, primary_key=True, nullable=False) for each in ("period_start", "subject")),
        *(sa.Column(each, sa.Integer, nullable=False) for each in ("actual", "forecast")),
        *(sa.Column(each, sa.BigInteger, nullable=True) for each in ("told_ms", "over_ms", "escalated_ms")),
        *(sa.Column(each, sa.Integer, nullable=False) for each in ("tellings", "repeats")),
        *(sa.Column(each, sa.Text, nullable=True) for each in ("owed", "silence")),
        sa.Column("spent_nanos", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    highest = "COALESCE(MAX(CASE WHEN status = 'firing' AND basis = '{}' THEN percent END), 0)"
    op.execute(
        "INSERT INTO episode (budget_id, scope_id, period_start, subject, actual, forecast, told_ms, over_ms, "
        "tellings, repeats, spent_nanos) SELECT budget_id, scope_id, period_start, subject, "
        f"{highest.format('actual')}, {highest.format('forecast')}, MAX(fired_ms), {OVER}, 1, 0, MAX(spent_nanos) "
        "FROM alert GROUP BY budget_id, scope_id, period_start, subject"
    )
    op.add_column("hold", sa.Column("until_nanos", sa.BigInteger, nullable=True))
    op.add_column("hold", sa.Column("until_percent", sa.Integer, nullable=True))
    op.add_column("hold", sa.Column("until_words", sa.Text, nullable=True))

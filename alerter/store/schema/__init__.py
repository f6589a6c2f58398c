"""The tables. Rows are not the domain: nothing outside ``store`` sees a SQLModel class.

Times are epoch milliseconds in UTC, money is integer nano-units, quantities are integer micro-units. Queries are SQL
text (see `alerter.store.bulk`): this is what the migrations must amount to, and a test compares the two.
"""

from alerter.store.schema.alerts import AlertNotificationRow, AlertRow, AuditRow, HoldRow, NotificationRow
from alerter.store.schema.closings import ClosingRow, ClosingTotalRow
from alerter.store.schema.digests import DigestRow, EndedRunRow
from alerter.store.schema.episodes import EpisodeRow
from alerter.store.schema.lease import LeaseRow
from alerter.store.schema.ledger import (
    BudgetRevisionRow,
    BudgetRow,
    ChargeBlockRow,
    ChargeRow,
    CorrectionRow,
    DailyRow,
    MetaRow,
    OpenSegmentRow,
    RateRow,
    RunRow,
    ScopeRow,
    SourceRow,
    TagSetRow,
    UsageSetRow,
)
from alerter.store.schema.machines import ClampedRunRow, MachineTimeRow
from alerter.store.schema.storage import HoldingRow, StorageLevelRow
from alerter.store.schema.traces import CountedTraceRow, TokenCountRow

__all__ = [
    "AlertNotificationRow",
    "AlertRow",
    "AuditRow",
    "BudgetRevisionRow",
    "BudgetRow",
    "ChargeBlockRow",
    "ChargeRow",
    "ClampedRunRow",
    "ClosingRow",
    "ClosingTotalRow",
    "CorrectionRow",
    "CountedTraceRow",
    "DailyRow",
    "DigestRow",
    "EndedRunRow",
    "EpisodeRow",
    "HoldRow",
    "HoldingRow",
    "LeaseRow",
    "MachineTimeRow",
    "MetaRow",
    "NotificationRow",
    "OpenSegmentRow",
    "RateRow",
    "RunRow",
    "ScopeRow",
    "SourceRow",
    "StorageLevelRow",
    "TagSetRow",
    "TokenCountRow",
    "UsageSetRow",
]

"""What old messages said is let go: nobody looks at it again, and it is larger than the ledger that it was about.

The row stays: to whom and when, and the key that keeps it from being sent twice.
"""

from __future__ import annotations

from sqlalchemy import Connection

from alerter.core.periods import DAY_MS, utc
from alerter.store import meta
from alerter.store.bulk import query

KEPT_DAYS = 90
"""From its delivery, and from the end of every period that it tells of: until then it may show a new state."""

AT_ONCE = 500
"""Messages that one cycle looks at; every day it begins with the first one."""

_FACT = "old_messages"

_LET_GO = (
    "UPDATE notification SET message = '' WHERE id IN (SELECT n.id FROM notification n "
    "WHERE n.id > ? AND n.id <= ? AND n.status = 'sent' AND n.sent_ms < ? AND n.update_wanted = n.update_shown "
    "AND n.message <> '' AND NOT EXISTS (SELECT 1 FROM alert_notification t JOIN alert a ON a.id = t.alert_id "
    "WHERE t.notification_id = n.id AND a.period_end > ?))"
)


def let_go_some(connection: Connection, now_ms: int) -> int:
    """Empty those among the next `AT_ONCE` messages that are old enough; return how many."""
    today, before_ms = now_ms // DAY_MS, now_ms - KEPT_DAYS * DAY_MS
    after = meta.turn(connection, _FACT, today)
    if after is None:
        return 0
    ids = query(connection, "SELECT id FROM notification WHERE id > ? ORDER BY id LIMIT ?", after, AT_ONCE)
    found = [row[0] for row in ids]
    until = found[-1] if found else after
    emptied = query(connection, _LET_GO, after, until, before_ms, utc(before_ms).date().isoformat()).rowcount
    meta.set_turn(connection, _FACT, today, until if len(found) == AT_ONCE else None)
    return int(emptied)

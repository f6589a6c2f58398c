"""What old messages said is let go, and nothing else of them."""

from __future__ import annotations

from alerter.core.periods import DAY_MS
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.old_messages import AT_ONCE, KEPT_DAYS, let_go_some
from alerter.store.outbox import claim_updates, request_update
from tests.fixtures.rows import NOW_MS, add_alert, add_notification

LATER = NOW_MS + (KEPT_DAYS + 30) * DAY_MS


def mark(store: Store, status: str, *keys: str, at_ms: int | None = NOW_MS) -> None:
    with store.write() as connection:
        for key in keys:
            shown = "UPDATE notification SET status = ?, sent_ms = ?, update_shown = update_wanted WHERE key = ?"
            query(connection, shown, status, at_ms, key)


def said(store: Store) -> set[str]:
    with store.read() as connection:
        return {row.key for row in query(connection, "SELECT key FROM notification WHERE message <> ''")}


def let_go(store: Store, now_ms: int) -> int:
    with store.write() as connection:
        return let_go_some(connection, now_ms)


def test_a_message_is_kept_for_as_long_as_it_may_change(store: Store) -> None:
    november, year = add_alert(store), add_alert(store, "yearly", period=("2026-01-01", "2027-01-01"))
    for key in ("old", "late", "pending", "dead"):
        add_notification(store, key, november)
    add_notification(store, "yearly", november, year)
    mark(store, "sent", "old", "yearly")
    mark(store, "sent", "late", at_ms=LATER - DAY_MS)
    mark(store, "dead", "dead", at_ms=None)
    assert let_go(store, NOW_MS + 5 * DAY_MS) == 0
    assert let_go(store, LATER) == 1
    assert said(store) == {"late", "yearly", "pending", "dead"}


def test_one_that_was_let_go_is_neither_shown_anew_nor_sent_twice(store: Store) -> None:
    alert = add_alert(store)
    add_notification(store, "old", alert)
    mark(store, "sent", "old")
    assert let_go(store, LATER) == 1
    with store.write() as connection:
        request_update(connection, [alert.id])
        assert claim_updates(connection, owner="me", now_ms=LATER, limit=10, kind="slack") == []
    assert not add_notification(store, "old", alert)
    with store.read() as connection:
        assert query(connection, "SELECT status, message FROM notification").all() == [("sent", "")]


def test_a_cycle_looks_at_a_bounded_number_and_begins_anew_on_the_next_day(store: Store) -> None:
    alert = add_alert(store)
    keys = [f"k{number}" for number in range(AT_ONCE + 10)]
    for key in keys:
        add_notification(store, key, alert)
    mark(store, "sent", *keys)
    assert [let_go(store, LATER) for _ in range(3)] == [AT_ONCE, 10, 0]
    add_notification(store, "new", alert)
    mark(store, "sent", "new")
    assert let_go(store, LATER) == 0
    assert let_go(store, LATER + DAY_MS) + let_go(store, LATER + DAY_MS) == 1

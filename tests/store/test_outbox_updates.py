"""New states on messages that were delivered: asked for, shown, and never lost in between."""

from alerter.store import outcomes
from alerter.store.engine import Store
from alerter.store.outbox import LEASE_MS, Claimed, begin_attempts, claim, claim_updates, request_update
from tests.fixtures.rows import NOW_MS, add_alert, add_notification


def take(store: Store, now_ms: int = NOW_MS) -> list[Claimed]:
    with store.write() as connection:
        claims = claim(connection, owner="me", now_ms=now_ms, limit=10, kind="slack")
        begin_attempts(connection, claims, now_ms=now_ms)
    return claims


def take_updates(store: Store, now_ms: int = NOW_MS) -> list[Claimed]:
    with store.write() as connection:
        return claim_updates(connection, owner="me", now_ms=now_ms, limit=10, kind="slack")


def deliver(store: Store, claimed: Claimed, *, found: bool = False) -> bool:
    with store.write() as connection:
        return outcomes.mark_sent(connection, claimed, reference={"ts": "1.2"}, now_ms=NOW_MS, found=found)


def ask_for_update(store: Store, *alert_ids: int) -> None:
    with store.write() as connection:
        request_update(connection, alert_ids)


def test_asked_for_while_pending_it_is_shown_by_the_sending(store: Store) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    ask_for_update(store, alert.id)
    (claimed,) = take(store)
    deliver(store, claimed)
    assert take_updates(store) == []


def test_asked_for_in_mid_flight_it_is_due_after_the_sending(store: Store) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    (claimed,) = take(store)
    ask_for_update(store, alert.id)
    assert take_updates(store) == []
    deliver(store, claimed)
    assert [each.reference for each in take_updates(store)] == [{"ts": "1.2"}]


def test_of_a_message_that_was_found_nobody_knows_what_it_shows(store: Store) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    take(store)
    ask_for_update(store, alert.id)
    (second,) = take(store, NOW_MS + LEASE_MS)
    deliver(store, second, found=True)
    assert len(take_updates(store)) == 1


def test_a_second_request_during_the_first_update_is_not_lost(store: Store) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    deliver(store, take(store)[0])
    ask_for_update(store, alert.id)
    (first,) = take_updates(store)
    ask_for_update(store, alert.id)
    with store.write() as connection:
        assert outcomes.mark_updated(connection, first)
    (second,) = take_updates(store)
    with store.write() as connection:
        assert outcomes.mark_updated(connection, second)
    assert take_updates(store) == []


def test_an_update_that_lost_its_lease_asks_for_another(store: Store) -> None:
    """It may have arrived after the newer one, and then the message shows what was."""
    alert = add_alert(store)
    add_notification(store, "k", alert)
    deliver(store, take(store)[0])
    ask_for_update(store, alert.id)
    (slow,) = take_updates(store)
    (quick,) = take_updates(store, NOW_MS + LEASE_MS)
    with store.write() as connection:
        assert outcomes.mark_updated(connection, quick)
        assert not outcomes.mark_updated(connection, slow)
    assert len(take_updates(store, NOW_MS + LEASE_MS)) == 1


def test_a_failed_update_waits_and_is_counted(store: Store) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    deliver(store, take(store)[0])
    ask_for_update(store, alert.id)
    with store.write() as connection:
        (claimed,) = claim_updates(connection, owner="me", now_ms=NOW_MS, limit=1, kind="slack")
        outcomes.mark_update_retry(connection, claimed, not_before_ms=NOW_MS + 5, error="429")
    assert take_updates(store, NOW_MS + 4) == []
    assert [each.update_attempts for each in take_updates(store, NOW_MS + 5)] == [1]


def test_only_messages_that_tell_the_alert(store: Store) -> None:
    alert, other = add_alert(store), add_alert(store, "other")
    for key, told in (("k", alert), ("o", other)):
        add_notification(store, key, told, channel=f"#{key}")
    for claimed in take(store):
        deliver(store, claimed)
    ask_for_update(store, other.id)
    assert [each.key for each in take_updates(store)] == ["o"]

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from alerter.core.alerts import Message, MessageKind
from alerter.store import outcomes
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.outbox import (
    _TO_SEND,
    _TO_UPDATE,
    LEASE_MS,
    Claimed,
    Letter,
    begin_attempts,
    claim,
    due_kinds,
    enqueue,
    renew,
    settings,
    told_alerts,
)
from alerter.store.outbox_read import counts, deliveries, list_notifications, oldest_pending_ms, pending_count
from tests.fixtures.rows import NOW_MS, add_alert, add_notification, alert_message


def take(
    store: Store, now_ms: int = NOW_MS, *, limit: int = 10, kind: str = "slack", busy: Collection[str] = ()
) -> list[Claimed]:
    with store.write() as connection:
        return claim(connection, owner="me", now_ms=now_ms, limit=limit, kind=kind, busy=busy)


def take_and_begin(store: Store, now_ms: int = NOW_MS) -> Claimed:
    with store.write() as connection:
        (claimed,) = claims = claim(connection, owner="me", now_ms=now_ms, limit=10, kind="slack")
        begin_attempts(connection, claims, now_ms=now_ms)
    return claimed


def deliver(store: Store, claimed: Claimed, *, found: bool = False) -> bool:
    with store.write() as connection:
        return outcomes.mark_sent(connection, claimed, reference={"ts": "1.2"}, now_ms=NOW_MS, found=found)


def test_a_key_is_enqueued_once_and_comes_back_as_it_was(store: Store) -> None:
    alert = add_alert(store)
    assert add_notification(store, "k", alert)
    assert not add_notification(store, "k", alert)
    (claimed,) = take(store)
    assert (claimed.key, claimed.receiver, claimed.kind) == ("k", "ml-costs", "slack")
    assert claimed.target == {"channel": "#ml-costs"}
    assert claimed.message == alert_message(alert)
    assert (claimed.attempts, claimed.ambiguous, claimed.wanted) == (0, False, 0)
    with store.read() as connection:
        assert told_alerts(connection, claimed.id) == [alert.id]


def test_enqueueing_is_undone_with_the_transaction(store: Store) -> None:
    class OnPurposeError(Exception):
        pass

    message = Message(MessageKind.OPERATOR, title="t")
    with suppress(OnPurposeError), store.write() as connection:
        enqueue(connection, [Letter("k", "r", "slack", {"channel": "#a"}, message)], now_ms=1)
        raise OnPurposeError
    assert take(store) == []


def test_an_evaluation_in_the_future_is_sent_now(store: Store) -> None:
    """`--now` moves what is evaluated, not the delivery."""
    add_notification(store, "k")
    assert len(take(store, now_ms=NOW_MS - 40 * 86_400_000)) == 1


def test_a_claim_is_exclusive_until_its_lease_ends(store: Store) -> None:
    add_notification(store, "k")
    (first,) = take(store)
    assert take(store, NOW_MS + LEASE_MS - 1) == []
    (second,) = take(store, NOW_MS + LEASE_MS)
    assert not second.ambiguous  # nobody had begun
    with store.write() as connection:
        assert not renew(connection, first, now_ms=NOW_MS)
        assert not outcomes.mark_retry(connection, first, not_before_ms=0, error="late")
        assert not outcomes.mark_dead(connection, first, error="late")
        assert renew(connection, second, now_ms=NOW_MS + 2 * LEASE_MS)
    assert take(store, NOW_MS + 3 * LEASE_MS - 1) == []


def test_an_attempt_that_began_and_did_not_end_is_ambiguous_since_it_began(store: Store) -> None:
    add_notification(store, "k")
    take_and_begin(store)
    second = take_and_begin(store, NOW_MS + LEASE_MS)  # and dies too: the look-up must go back to the first attempt
    assert (second.ambiguous, second.attempted_ms, second.attempts) == (True, NOW_MS, 1)
    (third,) = take(store, NOW_MS + 2 * LEASE_MS)
    assert (third.ambiguous, third.attempted_ms, third.attempts) == (True, NOW_MS, 2)


def test_a_definite_failure_is_not_ambiguous_and_waits(store: Store) -> None:
    add_notification(store, "k")
    first = take_and_begin(store)
    with store.write() as connection:
        assert outcomes.mark_retry(connection, first, not_before_ms=NOW_MS + 7, error="429")
    assert take(store, NOW_MS + 6) == []
    second = take_and_begin(store, NOW_MS + 7)
    assert (second.ambiguous, second.attempts) == (False, 1)
    with store.write() as connection:
        outcomes.mark_ambiguous(connection, second, not_before_ms=NOW_MS + 9, error="time-out")
    (third,) = take(store, NOW_MS + 9)
    assert (third.ambiguous, third.attempted_ms) == (True, NOW_MS + 7)


def test_a_delivery_counts_even_if_its_lease_was_lost_but_only_once(store: Store) -> None:
    add_notification(store, "k")
    first = take_and_begin(store)
    (second,) = take(store, NOW_MS + LEASE_MS)
    assert deliver(store, first)
    assert not deliver(store, second)
    assert take(store, NOW_MS + 10 * LEASE_MS) == []


def test_claims_are_by_kind_oldest_first_and_limited(store: Store) -> None:
    for number in range(5):
        add_notification(store, f"k{number}", kind="email" if number == 2 else "slack", channel=f"#{number}")
    with store.read() as connection:
        assert due_kinds(connection, NOW_MS) == {"email", "slack"}
    assert [each.key for each in take(store, limit=2)] == ["k0", "k1"]
    assert [each.key for each in take(store)] == ["k3", "k4"]
    assert [each.key for each in take(store, kind="email")] == ["k2"]
    with store.read() as connection:
        assert due_kinds(connection, NOW_MS) == frozenset()


def test_one_of_each_target_is_claimed_the_oldest_and_none_of_a_busy_one(store: Store) -> None:
    for number in range(30):
        add_notification(store, f"a{number}", channel="#a")
    for key, channel in (("b0", "#b"), ("c0", "#c"), ("b1", "#b")):
        add_notification(store, key, channel=channel)
    assert [each.key for each in take(store, limit=3, busy=[settings({"channel": "#c"})])] == ["a0", "b0"]
    assert [each.key for each in take(store, limit=3)] == ["a1", "c0", "b1"]


def test_three_claimers_at_once_share_without_overlap(store: Store) -> None:
    for number in range(40):
        add_notification(store, f"k{number}", channel=f"#{number % 7}")

    def work(_: int) -> list[str]:
        mine = []
        while claims := take(store, limit=3):
            mine += [each.key for each in claims]
        return mine

    with ThreadPoolExecutor(3) as pool:
        taken = [key for keys in pool.map(work, range(3)) for key in keys]
    assert sorted(taken) == sorted(f"k{number}" for number in range(40))


@pytest.mark.needs_postgres
def test_a_claimer_that_stands_in_its_transaction_holds_nobody_up(postgres_store_url: str) -> None:
    with closing(Store(postgres_store_url)) as one, closing(Store(postgres_store_url)) as other:
        for number in range(4):
            add_notification(one, f"k{number}", channel=f"#{number}")
        with one.write() as mine, other.write() as theirs:
            query(theirs, "SET LOCAL lock_timeout = '5s'")  # one that waited would fail
            mine_has = claim(mine, owner="one", now_ms=NOW_MS, kind="slack", limit=2)
            they_have = claim(theirs, owner="other", now_ms=NOW_MS, kind="slack", limit=9)
        assert [each.key for each in (*mine_has, *they_have)] == ["k0", "k1", "k2", "k3"]


def test_the_rest_of_a_target_waits_with_one_that_was_rate_limited(store: Store) -> None:
    for key, channel in (("a1", "#a"), ("a2", "#a"), ("b", "#b")):
        add_notification(store, key, channel=channel)
    first, _ = take(store)
    with store.write() as connection:
        outcomes.mark_retry(connection, first, not_before_ms=NOW_MS + 50, error="429")
        outcomes.defer_target(connection, first, not_before_ms=NOW_MS + 50)
    assert take(store, NOW_MS + 49) == []  # b's claim still holds
    assert [take(store, NOW_MS + 50)[0].key for _ in range(2)] == ["a1", "a2"]


def test_looking_for_work_does_not_read_what_was_sent(migrated_sqlite: Path) -> None:
    """It is asked every second, of an outbox that keeps everything."""
    with closing(Store(f"sqlite:///{migrated_sqlite}")) as store, store.read() as connection:
        for due, index in ((_TO_SEND, "notification_due"), (_TO_UPDATE, "notification_update_due")):
            plan = query(connection, f"EXPLAIN QUERY PLAN SELECT kind FROM notification WHERE {due}", 1, 1).fetchall()  # noqa: S608 - ours
            assert f"USING INDEX {index}" in str(plan)


def test_an_unreadable_message_is_given_up_and_the_others_go_on(store: Store) -> None:
    add_notification(store, "bad", channel="#bad")
    add_notification(store, "good")
    with store.write() as connection:
        query(connection, "UPDATE notification SET message = '{' WHERE key = 'bad'")
    assert [each.key for each in take(store)] == ["good"]
    with store.read() as connection:
        (bad,) = list_notifications(connection, status="dead")
    assert bad.key == "bad"
    assert "can't be read" in bad.error


def test_what_lists_and_metrics_read(store: Store) -> None:
    alert, silent = add_alert(store), add_alert(store, "silent")
    for key in ("sent", "dead", "pending"):
        add_notification(store, key, alert)
    deliver(store, take_and_begin(store))
    (dead,) = take(store)
    with store.write() as connection:
        outcomes.mark_dead(connection, dead, error="channel_not_found")
    with store.read() as connection:
        assert pending_count(connection) == 1
        assert counts(connection) == {("slack", "sent"): 1, ("slack", "dead"): 1, ("slack", "pending"): 1}
        assert oldest_pending_ms(connection) == NOW_MS
        rows = list_notifications(connection)
        states = deliveries(connection, [alert.id, silent.id])
    assert [(each.key, each.status, each.alert_ids) for each in rows] == [
        ("pending", "pending", (alert.public_id,)),
        ("dead", "dead", (alert.public_id,)),
        ("sent", "sent", (alert.public_id,)),
    ]
    assert [(each.receiver, each.kind, each.state, each.attempts) for each in states[alert.id]] == [
        ("ml-costs", "slack", "sent", 1),
        ("ml-costs", "slack", "dead", 0),
        ("ml-costs", "slack", "pending", 0),
    ]
    assert states[silent.id] == ()


def test_what_was_given_up_can_be_tried_anew(store: Store) -> None:
    add_notification(store, "k")
    with store.write() as connection:
        (row,) = list_notifications(connection)
        assert outcomes.revive(connection, row.id) == "pending"
        assert outcomes.revive(connection, row.id + 1) is None
    (claimed,) = take(store)
    with store.write() as connection:
        outcomes.mark_dead(connection, claimed, error="invalid_auth")
        assert outcomes.revive(connection, row.id) == "dead"
    assert [each.key for each in take(store)] == ["k"]

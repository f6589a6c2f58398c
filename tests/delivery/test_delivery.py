import threading
from collections.abc import Sequence

import pytest

from alerter.core.alerts import AlertStatus, Message, MessageKind
from alerter.core.ports import Target
from alerter.delivery import Fallback, deliver_due, nobody
from alerter.delivery.policy import AMBIGUOUS_WAIT_MS, HAND_OVER_AFTER, LONGEST_WAIT_MS, MOST_ATTEMPTS, wait_ms
from alerter.holds import acknowledge
from alerter.store.engine import Store
from alerter.store.outbox import LEASE_MS, Letter, enqueue
from alerter.store.outbox_read import NotificationView, list_notifications
from tests.delivery.fakes import Clock, CrashError, Service
from tests.fixtures.rows import NOW_MS, add_alert, add_notification


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW_MS)


@pytest.fixture
def service(clock: Clock) -> Service:
    return Service(clock)


def run(store: Store, *services: Service, fallback: Fallback = nobody, owner: str = "me") -> bool:
    notifiers = {each.kind: each for each in services}
    clock = services[0].clock
    return deliver_due(store, notifiers, clock=clock, owner=owner, stop=threading.Event(), fallback=fallback)


def rows(store: Store) -> dict[str, NotificationView]:
    with store.read() as connection:
        return {each.key: each for each in list_notifications(connection)}


def operators(_receiver: str) -> Sequence[tuple[str, Target]]:
    return [("slack", Target("ops", {"channel": "#ops"})), ("email", Target("ops", {"to": "ops@example.com"}))]


def test_what_is_due_is_sent_once_and_recorded(store: Store, service: Service) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    assert run(store, service)
    assert not run(store, service)
    assert service.keys == ["k"]
    ((target, message, states),) = service.told
    assert target == Target("ml-costs", {"channel": "#ml-costs"})
    assert message.alerts[0].id == alert.public_id
    assert states[alert.public_id].status is AlertStatus.FIRING
    row = rows(store)["k"]
    assert (row.status, row.attempts, row.sent_ms) == ("sent", 1, NOW_MS)


def test_an_acknowledgement_before_the_sending_is_shown_by_it(store: Store, service: Service) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    acknowledge(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS)
    assert run(store, service)
    assert service.told[0][2][alert.public_id].by == "ann"
    assert not run(store, service)
    assert service.updated == []


def test_an_acknowledgement_after_it_updates_the_message(store: Store, service: Service) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    run(store, service)
    acknowledge(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS)
    assert run(store, service)
    assert not run(store, service)
    ((key, reference, states),) = service.updated
    assert (key, reference, states[alert.public_id].by) == ("k", {"key": "k"}, "ann")


def test_a_failed_update_is_tried_again_and_one_that_cannot_be_is_not(
    store: Store, service: Service, clock: Clock
) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    run(store, service)
    acknowledge(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS)
    service.updates_script = ["limit", "bug", "ok"]
    for wait in (0, 60_000, 10_000):
        clock.now_ms += wait - 1
        assert wait == 0 or not run(store, service)
        clock.now_ms += 1
        assert run(store, service)
    assert len(service.updated) == 1
    acknowledge(store, alert.public_id, actor="ann", via="cli", now_ms=NOW_MS)
    service.updates_script = ["reject"]
    run(store, service)
    assert not run(store, service)


def test_definite_failures_back_off_without_a_look_up(store: Store, service: Service, clock: Clock) -> None:
    add_notification(store, "k")
    service.script = ["delay", "delay", "limit"]
    for wait in (0, 5_000, 10_000, 60_000):
        clock.now_ms += max(wait - 1, 0)
        assert wait == 0 or not run(store, service)
        clock.now_ms += min(wait, 1)
        assert run(store, service)
    assert service.attempts == ["k"] * 4
    assert (service.keys, service.looked_up) == (["k"], [])


def test_after_a_time_out_it_is_looked_up_not_sent_blindly(store: Store, service: Service, clock: Clock) -> None:
    for key in ("posted", "lost", "late", "bug"):
        add_notification(store, key, channel=f"#{key}")
        service.script = [key]
        run(store, service)
    assert service.attempts == ["posted", "lost", "late", "bug"]
    clock.now_ms += AMBIGUOUS_WAIT_MS - 1
    assert not run(store, service)
    clock.now_ms += 1
    run(store, service)
    assert {key for key, _ in service.looked_up} == {"posted", "lost", "late", "bug"}
    assert {since for _, since in service.looked_up} == {NOW_MS}
    assert sorted(service.keys) == ["bug", "late", "lost", "posted"]
    assert {each.status for each in rows(store).values()} == {"sent"}


@pytest.mark.parametrize("how", ["fail", "bug"])
def test_a_look_up_that_fails_is_no_leave_to_send(store: Store, service: Service, clock: Clock, how: str) -> None:
    add_notification(store, "k")
    service.script, service.finds = ["posted"], [how, how]
    for _ in range(4):
        run(store, service)
        clock.now_ms += LONGEST_WAIT_MS
    assert service.keys == ["k"]
    assert (rows(store)["k"].status, rows(store)["k"].attempts) == ("sent", 4)


@pytest.mark.parametrize("crash", ["crash_before", "crash_after"])
def test_a_process_that_dies_is_followed_by_a_look_up(store: Store, service: Service, clock: Clock, crash: str) -> None:
    add_notification(store, "k")
    service.script = [crash]
    with pytest.raises(CrashError):
        run(store, service)
    assert not run(store, service)
    clock.now_ms += LEASE_MS
    assert run(store, service)
    assert service.keys == ["k"]
    assert service.looked_up == [("k", NOW_MS)]


def test_a_rejected_one_is_dead_and_handed_over_with_the_reason(store: Store, service: Service) -> None:
    alert = add_alert(store)
    add_notification(store, "k", alert)
    email = Service(service.clock, "email")
    service.script = ["reject"]
    while run(store, service, email, fallback=operators):
        pass
    assert rows(store)["k"].status == "dead"
    assert rows(store)["k"].error == "channel_not_found; correct slack.channel"
    assert (service.keys, email.keys) == (["k#fallback:slack"], ["k#fallback:email"])
    target, message, states = email.told[0]
    assert target == Target("ops", {"to": "ops@example.com"})
    assert message.title == "Not delivered to ml-costs by slack: channel_not_found; correct slack.channel"
    assert [each.id for each in message.alerts] == [alert.public_id]
    assert states[alert.public_id].status is AlertStatus.FIRING


def test_what_was_handed_over_goes_no_further_and_nobody_takes_over_from_themselves(
    store: Store, service: Service
) -> None:
    add_notification(store, "notice", channel="#ops")
    email = Service(service.clock, "email", script=["reject"])
    service.script = ["reject"]
    while run(store, service, email, fallback=operators):
        pass
    assert {key: row.status for key, row in rows(store).items()} == {"notice": "dead", "notice#fallback:email": "dead"}


def test_a_notice_that_is_handed_over_still_says_what_it_said(store: Store, service: Service) -> None:
    add_notification(store, "notice")
    service.script = ["reject"]
    while run(store, service, fallback=lambda _: operators("")[:1]):
        pass
    assert service.told[0][1].text == "source main\nis down"


def test_a_test_is_not_handed_over(store: Store, service: Service) -> None:
    message = Message(MessageKind.TEST, title="a test")
    with store.write() as connection:
        enqueue(connection, [Letter("t", "a", "slack", {"channel": "#a"}, message)], now_ms=0)
    service.script = ["reject"]
    run(store, service, fallback=operators)
    assert list(rows(store)) == ["t"]


def test_a_kind_that_is_no_longer_configured_is_given_up(store: Store, service: Service) -> None:
    add_notification(store, "old", kind="pager")
    while run(store, service, fallback=lambda _: operators("")[:1]):
        pass
    assert (rows(store)["old"].status, rows(store)["old"].attempts) == ("dead", 0)
    assert rows(store)["old"].error == "no notifier of kind pager is configured any more"
    assert service.keys == ["old#fallback:slack"]


def test_one_that_keeps_failing_is_handed_over_in_half_an_hour_and_given_up_in_three_days(
    store: Store, service: Service, clock: Clock
) -> None:
    add_notification(store, "k")
    email = Service(clock, "email")
    service.script = ["delay", "lost"] * MOST_ATTEMPTS
    handed_over = 0
    for _ in range(MOST_ATTEMPTS):
        run(store, service, email, fallback=lambda _: operators("")[1:])
        if "k#fallback:email" in rows(store):
            handed_over = handed_over or len(service.attempts)
        clock.now_ms += LONGEST_WAIT_MS
    assert handed_over == HAND_OVER_AFTER
    assert rows(store)["k"].status == "dead"
    assert len(service.attempts) == MOST_ATTEMPTS
    assert email.keys == ["k#fallback:email"]
    assert 1_800_000 < sum(map(wait_ms, range(1, HAND_OVER_AFTER))) < 3_600_000
    assert 70 * 3_600_000 < sum(map(wait_ms, range(1, MOST_ATTEMPTS))) < 74 * 3_600_000


def test_one_targets_trouble_is_its_own(store: Store, clock: Clock) -> None:
    service = Service(clock)
    for key, channel in (("a", "#a"), ("b", "#b"), ("c", "#c"), ("a2", "#a")):
        add_notification(store, key, channel=channel)
    mail = Service(clock, "email", script=["crash_before"])
    add_notification(store, "m", kind="email")
    service.script = []
    with pytest.raises(CrashError):
        run(store, service, mail)
    assert sorted(service.keys) == ["a", "a2", "b", "c"]
    assert service.keys.index("a") < service.keys.index("a2")


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [(None, 5_000), (0.0, 1_000), (-5.0, 1_000), (1.2, 1_200), (1e9, 3_600_000), (float("nan"), 5_000)],
)
def test_what_a_service_asks_for_is_bounded(retry_after: float | None, expected: int) -> None:
    assert wait_ms(1, retry_after) == expected

"""What is told of one (budget, scope, period) at one place is one message, with a thread under it."""

import json
import threading
from dataclasses import replace

import pytest

from alerter.core.alerts import AlertStatus, Message
from alerter.core.budgets import Basis
from alerter.delivery import deliver_due
from alerter.delivery.policy import AMBIGUOUS_WAIT_MS
from alerter.holds import acknowledge
from alerter.store.alerts import StoredAlert, resolve_alerts
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.outbox import Letter, enqueue, request_update
from tests.delivery.fakes import Clock, Service
from tests.fixtures.rows import NOW_MS, add_alert, add_notification, alert_message


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW_MS)


@pytest.fixture
def slack(clock: Clock) -> Service:
    return Service(clock)


def work_off(store: Store, service: Service) -> None:
    while deliver_due(store, {service.kind: service}, clock=service.clock, owner="me", stop=threading.Event()):
        pass


def tell(store: Store, key: str, *alerts: StoredAlert, spent: int = 8, channel: str = "#ml-costs") -> None:
    message = alert_message(*alerts)
    message = replace(message, alerts=tuple(replace(each, spent_nanos=spent) for each in message.alerts))
    with store.write() as connection:
        ids = [each.id for each in alerts]
        enqueue(connection, [Letter(key, "ml-costs", "slack", {"channel": channel}, message, ids)], now_ms=NOW_MS)


def shown(message: Message) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(each.id, each.spent_nanos, each.crossed) for each in message.alerts]


def test_a_higher_threshold_replies_to_the_first_message_and_that_shows_the_present(
    store: Store, slack: Service
) -> None:
    low, high = add_alert(store), add_alert(store, percent=100)
    tell(store, "low", low)
    work_off(store, slack)
    tell(store, "high", high, spent=11)
    work_off(store, slack)
    assert slack.threads == {"low": None, "high": {"key": "low"}}
    assert shown(slack.shown["low"]) == [(high.public_id, 11, ("80%", "100%"))]
    acknowledge(store, low.public_id, actor="ann", via="cli", now_ms=NOW_MS)
    work_off(store, slack)
    states = {key: told for key, _, told in slack.updated}
    assert states["low"][high.public_id].by == states["high"][high.public_id].by == "ann"
    assert shown(slack.shown["high"]) == [(high.public_id, 11, ("100%",))]


def test_what_is_spent_less_again_is_shown_by_what_still_fires(store: Store, slack: Service) -> None:
    low, high = add_alert(store), add_alert(store, percent=100)
    tell(store, "low", low)
    tell(store, "high", high, spent=11)
    work_off(store, slack)
    with store.write() as connection:
        resolve_alerts(connection, [high], "spending fell", NOW_MS)
        request_update(connection, [high.id])
    work_off(store, slack)
    assert shown(slack.shown["low"]) == [(low.public_id, 8, ("80%",))]
    with store.write() as connection:
        resolve_alerts(connection, [low], "spending fell", NOW_MS)
        request_update(connection, [low.id])
    work_off(store, slack)
    assert [each[0] for each in shown(slack.shown["low"])] == [high.public_id]
    states = [told for key, _, told in slack.updated if key == "low"][-1]
    assert states[high.public_id].status is AlertStatus.RESOLVED


def test_a_group_is_the_root_of_each_of_its_members(store: Store, slack: Service) -> None:
    vision, speech = (add_alert(store, scope=(("team", name),)) for name in ("vision", "speech"))
    higher = add_alert(store, scope=(("team", "speech"),), percent=100)
    tell(store, "group", vision, speech)
    work_off(store, slack)
    tell(store, "higher", higher, spent=11)
    work_off(store, slack)
    assert slack.threads["higher"] == {"key": "group"}
    assert shown(slack.shown["group"]) == [(vision.public_id, 8, ("80%",)), (higher.public_id, 11, ("80%", "100%"))]


def test_what_belongs_under_two_messages_stands_by_itself_and_becomes_the_root(store: Store, slack: Service) -> None:
    scopes = [(("team", name),) for name in ("vision", "speech")]
    for number, scope in enumerate(scopes):
        tell(store, f"root-{number}", add_alert(store, scope=scope))
    tell(store, "both", *(add_alert(store, scope=scope, percent=100) for scope in scopes))
    tell(store, "later", add_alert(store, scope=scopes[0], percent=125))
    tell(store, "new", add_alert(store, scope=scopes[0], percent=150), add_alert(store, scope=(("team", "nlp"),)))
    work_off(store, slack)
    assert slack.threads["both"] is None
    assert slack.threads["later"] == {"key": "both"}
    assert slack.threads["new"] is None


def test_other_channels_periods_budgets_and_bases_have_their_own_or_the_same_root(store: Store, slack: Service) -> None:
    tell(store, "root", add_alert(store))
    tell(store, "elsewhere", add_alert(store, percent=90), channel="#oncall")
    tell(store, "december", add_alert(store, period=("2026-12-01", "2027-01-01")))
    tell(store, "other", add_alert(store, "every-team"))
    tell(store, "forecast", add_alert(store, basis=Basis.FORECAST, percent=100))
    work_off(store, slack)
    assert {key for key, above in slack.threads.items() if above} == {"forecast"}
    add_notification(store, "notice")
    work_off(store, slack)
    assert slack.threads["notice"] is None


def test_a_reply_waits_for_its_root_but_not_for_one_that_is_given_up(
    store: Store, slack: Service, clock: Clock
) -> None:
    tell(store, "root", add_alert(store))
    slack.script = ["delay"]
    work_off(store, slack)
    tell(store, "reply", add_alert(store, percent=100))
    work_off(store, slack)
    assert slack.keys == []
    clock.now_ms += 5_000
    work_off(store, slack)
    assert slack.keys == ["root", "reply"]
    assert slack.threads["reply"] == {"key": "root"}
    tell(store, "second", add_alert(store, "every-team"))
    slack.script = ["reject"]
    work_off(store, slack)
    tell(store, "after", add_alert(store, "every-team", percent=100))
    work_off(store, slack)
    assert slack.threads["after"] is None


def test_waiting_counts_no_attempt_and_ends_when_the_root_fails_on_and_on(
    store: Store, slack: Service, clock: Clock
) -> None:
    tell(store, "root", add_alert(store))
    slack.script = ["delay"]
    work_off(store, slack)
    tell(store, "reply", add_alert(store, percent=100))
    for _ in range(5):
        clock.now_ms += 900
        work_off(store, slack)
    with store.write() as connection:
        assert query(connection, "SELECT attempts FROM notification WHERE key = 'reply'").scalar_one() == 0
        query(connection, "UPDATE notification SET attempts = 10, not_before_ms = ? WHERE key = 'root'", 10**15)
    clock.now_ms += 5_000
    work_off(store, slack)
    assert slack.threads == {"reply": None}


def test_after_a_time_out_the_thread_is_looked_through(store: Store, slack: Service, clock: Clock) -> None:
    tell(store, "root", add_alert(store))
    work_off(store, slack)
    tell(store, "reply", add_alert(store, percent=100))
    slack.script = ["posted"]
    work_off(store, slack)
    clock.now_ms += AMBIGUOUS_WAIT_MS
    work_off(store, slack)
    assert slack.keys == ["root", "reply"]
    with store.read() as connection:
        found = query(connection, "SELECT reference FROM notification WHERE key = 'reply'").scalar_one()
    assert json.loads(found) == {"key": "reply", "thread": "root"}
    tell(store, "third", add_alert(store, percent=125))
    work_off(store, slack)
    assert slack.threads["third"] == {"key": "root"}

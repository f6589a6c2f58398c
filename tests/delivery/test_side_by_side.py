"""Several messages at a time: to many targets, by several processes, by two kinds of notifier."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from alerter.delivery import deliver_due, deliver_until_stopped
from alerter.store.engine import Store
from alerter.store.outbox_read import list_notifications, pending_count
from tests.delivery.fakes import Clock, Service
from tests.fixtures.rows import NOW_MS, add_notification


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW_MS)


def run(store: Store, *services: Service, owner: str = "me") -> bool:
    notifiers = {each.kind: each for each in services}
    return deliver_due(store, notifiers, clock=services[0].clock, owner=owner, stop=threading.Event())


def test_a_slow_target_holds_up_no_other_one(store: Store, clock: Clock) -> None:
    others = [f"k{number}" for number in range(30)]
    done = threading.Event()

    class Slow(Service):
        def send(self, target, *args, **kwargs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN003, ANN202
            if target.settings["channel"] == "#slow":
                assert done.wait(60)
            receipt = super().send(target, *args, **kwargs)
            if set(self.keys) == set(others):
                done.set()
            return receipt

    for number, key in enumerate(["s0", "s1", *others]):
        add_notification(store, key, channel="#slow" if key.startswith("s") else f"#{number}")
    service = Slow(clock)
    while run(store, service):
        pass
    assert service.keys[-2:] == ["s0", "s1"]
    with store.read() as connection:
        assert {each.status for each in list_notifications(connection)} == {"sent"}


def test_three_processes_deliver_each_once(store: Store, clock: Clock) -> None:
    service = Service(clock)
    for number in range(24):
        add_notification(store, f"k{number}", channel=f"#{number % 3}")

    def work(owner: str) -> None:
        while run(store, service, owner=owner):
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, "abc"))
    assert sorted(service.keys) == sorted(f"k{number}" for number in range(24))
    assert service.looked_up == []


def test_a_slow_mail_server_does_not_hold_up_slack_and_stopping_lets_it_end(store: Store, clock: Clock) -> None:
    slack, mail, stop, go = Service(clock), Service(clock, "email"), threading.Event(), threading.Event()
    begun = threading.Event()
    beats: set[str] = set()

    class Slow(Service):
        def send(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN003, ANN202
            begun.set()
            assert go.wait(60)
            return mail.send(*args, **kwargs)

    add_notification(store, "m1", kind="email")
    add_notification(store, "m2", kind="email")
    notifiers = {"slack": slack, "email": Slow(clock, "email")}
    daemon = threading.Thread(
        target=deliver_until_stopped,
        args=(store, notifiers),
        kwargs={"clock": clock, "owner": "me", "stop": stop, "beat": beats.add},
    )
    daemon.start()
    assert begun.wait(30)
    add_notification(store, "s")
    for _ in range(300):
        if slack.keys:
            break
        stop.wait(0.05)
    assert slack.keys == ["s"]
    assert beats == {"slack", "email", ""}
    stop.set()
    go.set()
    daemon.join(30)
    assert not daemon.is_alive()
    assert mail.keys == ["m1"]  # the one that had begun; the other is due at once at the next start
    with store.read() as connection:
        assert pending_count(connection) == 1
    run(store, slack, mail)
    assert mail.keys == ["m1", "m2"]
    assert mail.looked_up == []

"""The daemon's small parts: its pulse, its bell, its scheduler."""

import threading
import time

from alerter.daemon.pulse import Pulse
from alerter.daemon.scheduler import Scheduler
from alerter.delivery import Bell
from tests.daemon.conftest import until


def test_a_part_without_a_sign_of_life_is_late() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    pulse.expect("poll", 10)
    pulse.expect("mail", 100)
    now[0] = 10
    assert pulse.late() == []
    now[0] = 11
    assert pulse.late() == ["poll"]
    assert pulse.late(5) == ["mail", "poll"]
    pulse.beat("poll")
    assert pulse.late() == []
    pulse.forget("mail")
    pulse.beat("mail")
    now[0] = 200
    assert pulse.late() == ["poll"]


def test_a_ring_between_looking_and_resting_is_heard() -> None:
    bell = Bell()
    heard = bell.rung()
    bell.ring()
    assert bell.wait(heard, 10)
    assert not bell.wait(bell.rung(), 0.01)


def test_a_ring_wakes_everybody() -> None:
    bell, woken = Bell(), []
    resting = [threading.Thread(target=lambda: woken.append(bell.wait(0, 10))) for _ in range(3)]
    for each in resting:
        each.start()
    bell.ring()
    for each in resting:
        each.join(5)
    assert woken == [True] * 3


def test_a_job_that_is_slower_than_its_interval_runs_once_at_a_time() -> None:
    scheduler, running, most, runs = Scheduler(), [0], [0], [0]

    def job() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.05)
        running[0] -= 1
        runs[0] += 1

    scheduler.every(0.01, "slow", job, at_once=True)
    scheduler.start()
    until(lambda: runs[0] >= 3)
    scheduler.stop()
    assert most[0] == 1


def test_now_runs_a_job_before_its_tick_and_asks_nothing_of_one_that_is_not_there() -> None:
    scheduler, came = Scheduler(), threading.Event()
    scheduler.every(3600, "rare", came.set)
    scheduler.start()
    scheduler.now("rare")
    scheduler.now("unknown")
    assert came.wait(5)
    scheduler.stop()
    scheduler.stop()

"""Two and three daemons on one PostgreSQL: one polls, all tell, and whatever becomes of the one, nothing is lost."""

import os
import signal
import subprocess
import time

import httpx2
import pytest

from alerter.delivery import WORKERS
from tests.daemon.conftest import until
from tests.daemon.several.conftest import Fleet, role
from tests.daemon.test_process import COMMAND

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(240)]


def test_one_polls_the_other_shows_it_and_takes_over_at_once(fleet: Fleet) -> None:
    first, second = fleet.start_all(2)
    fleet.polled()
    assert role(first) == "polls"
    until(lambda: role(second).startswith("standing by; ") and f"(process {first.popen.pid}) polls" in role(second))
    page, metrics = httpx2.get(f"{second.url()}/").text, httpx2.get(f"{second.url()}/metrics").text
    assert f"(process {first.popen.pid}) polls" in page
    assert "b0000" in page  # it shows what the other one has taken
    assert "alerter_leader 0.0" in metrics
    assert 'alerter_last_complete_poll_timestamp_seconds{source="main"}' in metrics
    assert httpx2.get(f"{second.url()}/readyz").status_code == 200
    once = subprocess.run(
        [COMMAND, "once"], cwd=second.folder, env=second.environ, capture_output=True, text=True, check=False
    )
    assert once.returncode == 1
    assert f"(process {first.popen.pid}); nothing was done" in once.stderr
    epoch = fleet.epoch()
    assert first.end() == 0
    fleet.taken_over(epoch)
    assert role(second) == "polls"
    assert "alerter_leader 1.0" in httpx2.get(f"{second.url()}/metrics").text
    fleet.spend(8)
    until(lambda: len(fleet.told()) == 1, fleet.logs)
    fleet.told_once(1)


def test_one_that_is_stopped_past_its_lease_in_mid_cycle_changes_nothing_afterwards(fleet: Fleet) -> None:
    line, mlflow = fleet.proxied_mlflow()
    first = fleet.start(mlflow=mlflow)
    second = fleet.start()
    fleet.polled()
    line.hold()
    fleet.spend(8)
    epoch = fleet.epoch()
    until(lambda: not fleet.polls_after(time.time_ns() // 1_000_000 - 6000), fleet.logs)  # it waits in a poll
    os.kill(first.popen.pid, signal.SIGSTOP)
    fleet.taken_over(epoch)
    until(lambda: len(fleet.told()) == 1, fleet.logs)
    line.restore()
    os.kill(first.popen.pid, signal.SIGCONT)
    until(lambda: "the cycle is given up: another daemon polls" in first.log(), first.log)
    until(lambda: role(first).startswith("standing by; "), first.log)
    fleet.polled()
    fleet.told_once(1)
    assert first.end() == second.end() == 0


def test_a_connection_that_is_cut_lets_another_one_poll(fleet: Fleet) -> None:
    line, database = fleet.proxied_database()
    first = fleet.start(database=database)
    second = fleet.start()
    fleet.polled()
    epoch = fleet.epoch()
    line.cut()
    fleet.spend(8)
    fleet.taken_over(epoch)
    assert httpx2.get(f"{first.url()}/readyz").status_code == 503
    until(lambda: len(fleet.told()) == 1, fleet.logs)
    line.restore()
    until(lambda: role(first).startswith("standing by; "), first.log)
    assert role(second) == "polls"
    assert httpx2.get(f"{first.url()}/healthz").status_code == 200
    fleet.told_once(1)


def test_a_database_that_goes_away_and_comes_back(fleet: Fleet) -> None:
    line, database = fleet.proxied_database()
    both = [fleet.start(database=database) for _ in range(2)]
    fleet.polled()
    line.cut()
    fleet.spend(8)
    until(lambda: all("can't be" in each.log() for each in both), fleet.logs)
    assert [each.popen.poll() for each in both] == [None, None]
    line.restore()
    fleet.polled()
    until(lambda: sorted(role(each).partition(";")[0] for each in both) == ["polls", "standing by"], fleet.logs)
    until(lambda: len(fleet.told()) == 1, fleet.logs)
    fleet.told_once(1)
    assert [each.end() for each in both] == [0, 0]
    assert all("Traceback" not in each.log() for each in both)


@pytest.mark.timeout(600)
def test_a_thousand_crossings_are_each_told_once_though_the_polling_one_is_killed(fleet: Fleet) -> None:
    fleet.budgets, fleet.ways = 1000, 200  # so many messages that there is work for all three
    fleet.start_all(3)
    fleet.polled()
    fleet.spend(8)
    until(fleet.told, fleet.logs)
    epoch, killed = fleet.kill_the_polling_one()
    fleet.taken_over(epoch)
    fleet.told_of(1000)
    found = fleet.told()
    assert {key: each for key, each in found.items() if len(each) != 1} == {}
    # What was on its way when it was killed comes again, and says so by its id: a webhook can't be asked.
    again = {key for each in found.values() if each.total() != 1 for key in each}
    assert len(again - fleet.unsure()) <= WORKERS
    assert all("delivered key=" in each.log() for each in fleet.started if each is not killed)
    fleet.verify()

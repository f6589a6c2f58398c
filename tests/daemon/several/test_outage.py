"""The state's PostgreSQL is stopped for a minute and started again, under two daemons."""

import re
import time

import httpx2
import pytest

from tests.daemon.conftest import until
from tests.daemon.several.conftest import AWAY_S, EVERY_S, Fleet, role
from tests.fixtures.store import PostgresServer, create_migrated

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(400)]


@pytest.fixture
def postgres_store_url(postgres: PostgresServer) -> str:
    return create_migrated(postgres.url)


def test_a_database_that_is_away_for_a_minute(fleet: Fleet, postgres: PostgresServer) -> None:
    both = fleet.start_all(2)
    fleet.polled()
    postgres.stop()
    stopped = time.monotonic()
    fleet.spend(8)
    until(lambda: all(httpx2.get(f"{each.url()}/readyz").status_code == 503 for each in both), fleet.logs)
    while time.monotonic() < stopped + AWAY_S:
        time.sleep(EVERY_S)
        assert [httpx2.get(f"{each.url()}/healthz").status_code for each in both] == [200, 200]
    assert not fleet.told()
    assert {role(each) for each in both} == {"standing by; who polls is not known"}
    assert all("alerter_leader 0" in httpx2.get(f"{each.url()}/metrics").text for each in both)
    postgres.start()
    fleet.polled()
    until(lambda: sorted(role(each).partition(";")[0] for each in both) == ["polls", "standing by"], fleet.logs)
    until(lambda: len(fleet.told()) == 1, fleet.logs)
    until(lambda: all(httpx2.get(f"{each.url()}/readyz").status_code == 200 for each in both), fleet.logs)
    fleet.told_once(1)
    again = "level=warning logger=alerter.delivery.outage the outbox can be used again"
    until(lambda: [each.log().count(again) for each in both] == [1, 1], fleet.logs)
    assert [each.end() for each in both] == [0, 0]
    assert all("Traceback" not in each.log() for each in both)
    assert [len(re.findall("level=error .*the outbox can't be used", each.log())) for each in both] == [1, 1]

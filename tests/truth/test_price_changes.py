"""A charge keeps its rate: what an edited price, a dated one and a failing source do to what was counted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alerter.config import Config
from alerter.status import status_json
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, House, config_of, house, run

MIDNIGHT_MS = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp()) * 1000
BUDGETS = 'budgets: [{name: one, amount: "1000", period: monthly, receivers: [console]}]\n'
DATED = """
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "1", effective_to: 2026-11-24}
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "3", effective_from: 2026-11-24}
"""


def priced(folder: Path, price: str) -> Config:
    prices = f'catalogs: []\nprices: [{{match: {{instance_type: m5.xlarge}}, per_instance_hour: "{price}"}}]\n'
    return config_of(folder / price, BUDGETS, prices)


def charges(home: House) -> list[tuple[object, ...]]:
    """What `explain` reads: time, price, cost; in whole units of the currency."""
    rows = home.rows(
        "SELECT c.start_ms, c.end_ms, r.unit_price, c.cost_nanos FROM charge c JOIN rate r ON r.id = c.rate_id "
        "ORDER BY c.start_ms, c.revision"
    )
    return [((_ms(a) - MIDNIGHT_MS) / HOUR, (_ms(b) - MIDNIGHT_MS) / HOUR, c, _ms(d) / 10**9) for a, b, c, d in rows]


def _ms(value: object) -> int:
    assert isinstance(value, int)
    return value


def spent(home: House, now: int) -> str:
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
        return str(status_json(view, now)["budgets"][0]["spent"])


def test_an_edited_price_leaves_what_was_charged(tmp_path: Path, migrated_sqlite: Path) -> None:
    ended = run("r1", "FINISHED", MIDNIGHT_MS - 4 * HOUR, MIDNIGHT_MS - 2 * HOUR, tags={"team": "a"})
    with house(priced(tmp_path, "1.5"), migrated_sqlite, MIDNIGHT_MS, [ended]) as home:
        home.cycle(MIDNIGHT_MS)
        before = home.everything()
        home.restart(MIDNIGHT_MS, priced(tmp_path, "99"))
        home.cycle(MIDNIGHT_MS + HOUR)
        assert home.everything() == before
        retagged = run("r1", "FINISHED", MIDNIGHT_MS - 4 * HOUR, MIDNIGHT_MS - 2 * HOUR, tags={"team": "b"})
        home.source.put(retagged)
        home.cycle(MIDNIGHT_MS + 2 * HOUR)
        assert charges(home) == [(-4, -2, "1.5", 3.0), (-4, -2, "1.5", -3.0), (-4, -2, "1.5", 3.0)]
        assert spent(home, MIDNIGHT_MS + 2 * HOUR) == "3.00"


def test_a_dated_price_splits_a_running_run_at_utc_midnight(tmp_path: Path, migrated_sqlite: Path) -> None:
    start = MIDNIGHT_MS - 5 * HOUR
    with house(config_of(tmp_path, BUDGETS, DATED), migrated_sqlite, start, [run("r1", "RUNNING", start)]) as home:
        home.cycle(MIDNIGHT_MS - HOUR)
        assert charges(home) == []
        home.cycle(MIDNIGHT_MS + HOUR)
        assert charges(home) == [(-5, 0, "1", 5.0)]
        assert spent(home, MIDNIGHT_MS + HOUR) == "8.00"
        home.source.put(run("r1", "FINISHED", start, MIDNIGHT_MS + 2 * HOUR))
        home.cycle(MIDNIGHT_MS + 3 * HOUR)
        assert charges(home) == [(-5, 0, "1", 5.0), (0, 2, "3", 6.0)]
        assert home.rows("SELECT * FROM correction") == []


def test_a_run_that_ended_before_the_date_is_not_corrected(tmp_path: Path, migrated_sqlite: Path) -> None:
    start = MIDNIGHT_MS - 5 * HOUR
    with house(config_of(tmp_path, BUDGETS, DATED), migrated_sqlite, start, [run("r1", "RUNNING", start)]) as home:
        home.cycle(MIDNIGHT_MS - 2 * HOUR)
        home.source.put(run("r1", "FINISHED", start, MIDNIGHT_MS - HOUR))
        home.cycle(MIDNIGHT_MS + HOUR)
        assert charges(home) == [(-5, -1, "1", 4.0)]


def test_an_edited_price_holds_from_the_last_poll_on(tmp_path: Path, migrated_sqlite: Path) -> None:
    start = MIDNIGHT_MS - 5 * HOUR
    with house(priced(tmp_path, "1"), migrated_sqlite, start, [run("r1", "RUNNING", start)]) as home:
        home.cycle(MIDNIGHT_MS - 2 * HOUR)
        home.restart(MIDNIGHT_MS, priced(tmp_path, "10"))
        home.cycle(MIDNIGHT_MS)
        assert charges(home) == [(-5, -2, "1", 3.0)]
        assert spent(home, MIDNIGHT_MS) == "23.00"


def test_a_source_that_is_down_leaves_the_totals_whatever_happens_to_prices(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    start = MIDNIGHT_MS - 5 * HOUR
    with house(config_of(tmp_path, BUDGETS, DATED), migrated_sqlite, start, [run("r1", "RUNNING", start)]) as home:
        home.cycle(MIDNIGHT_MS - HOUR)
        home.source.fails_after = 0
        home.cycle(MIDNIGHT_MS + 5 * HOUR)
        assert charges(home) == []
        assert spent(home, MIDNIGHT_MS + 5 * HOUR) == "4.00"

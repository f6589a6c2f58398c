"""The days that a message's chart shows add up to what the message says, for what is settled and what still runs."""

from datetime import UTC, date, datetime
from pathlib import Path

from alerter.core.chart import of_alert
from alerter.page_data import page_data
from alerter.store.messages import decode
from tests.truth.ledgers import DAY, HOUR, config_of, house, run

NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "10"}]\n'
BUDGETS = """
defaults: {receivers: [console]}
budgets:
  - {name: month, amount: "100", period: monthly}
  - {name: window, amount: "100", period: {rolling_days: 3}}
  - {name: year, amount: "100", period: yearly}
"""


def test_the_days_are_those_of_the_ledger(tmp_path: Path, migrated_sqlite: Path) -> None:
    ended = run("done", "FINISHED", NOW_MS - 10 * DAY, NOW_MS - 10 * DAY + 24 * HOUR)  # from noon to noon
    going = run("going", "RUNNING", NOW_MS - DAY)
    old = run("old", "FINISHED", NOW_MS - 200 * DAY, NOW_MS - 200 * DAY + HOUR)
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, NOW_MS, [ended, going, old]) as home:
        home.cycle(NOW_MS)
        (text,) = home.rows("SELECT message FROM notification")[0]
        with home.services.windows.read() as view:
            page = page_data(home.services, view, NOW_MS, [])
    alerts = {each.budget: each for each in decode(str(text)).alerts}
    month = {date.fromordinal(day).day: nanos // 10**9 for day, nanos in alerts["month"].burn_up}
    assert month == {
        **dict.fromkeys(range(1, 13), 0), 13: 120, **dict.fromkeys(range(14, 22), 240), 22: 360, 23: 480,
    }  # fmt: skip
    assert [nanos // 10**9 for _, nanos in alerts["window"].burn_up] == [0, 120, 240]
    year = alerts["year"].burn_up
    assert len(year) <= 60
    assert date.fromordinal(year[-1][0]) == date(2026, 11, 23)
    assert [nanos for _, nanos in year] == sorted(nanos for _, nanos in year)
    names = {each.id: each.budget for each in page.alerts}
    drawn = {names[alert_id]: made for alert_id, made in page.charts.items()}
    assert drawn == {name: sent for name, each in alerts.items() if (sent := of_alert(each))}
    assert len(drawn) == 3
    for each in alerts.values():
        assert each.burn_up[-1][1] == each.spent_nanos

"""What has no price is no silent zero: each budget says beside its spending how much of its run time has one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerter.core.charges import Confidence
from alerter.core.usage import RunObservation
from alerter.core.views import BudgetStatus
from alerter.coverage import measure
from alerter.page_data import page_data
from alerter.slack_requests.tables import budgets
from alerter.status import budget_status
from alerter.web.page import render_status
from tests.audit.tools import BUDGETS, HOUR, PRICES, alerter, ms
from tests.truth.ledgers import House, config_of, house, run

NOON = ms("2026-11-23T12:00Z")
NOW = ("--now", "2026-11-23T12:00Z")
DATED = '  - {match: {instance_type: dated}, per_instance_hour: "1", effective_from: 2026-11-10}\nresources:'
PRICED = {"instance_type": "m5.xlarge"}
HUGE = {"instance_type": "x9.huge"}


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    text = BUDGETS + "  - {name: today, amount: 40, period: daily, match: {team: vision}}\n"
    text += "  - {name: bytes, amount: 40, components: [storage]}\n"
    config = config_of(
        tmp_path / "config", text, PRICES.replace("resources:", DATED), f"database: sqlite:///{tmp_path}/ledger.db\n"
    )
    with house(config, migrated_sqlite, NOON) as found:
        path = tmp_path / "config" / "alerter.yaml"
        path.write_text(path.read_text().replace(f"{tmp_path}/ledger.db", str(found.store.sqlite_path())))
        yield found


def ended(uuid: str, days_ago: int, hours: int, usage: dict[str, str], team: str) -> RunObservation:
    end_ms = NOON - days_ago * 24 * HOUR
    return run(uuid, "FINISHED", end_ms - hours * HOUR, end_ms, usage=usage, tags={"team": team})


def rows(home: House) -> dict[str, BudgetStatus]:
    with home.services.windows.read() as view:
        return {each.title: each for each in budget_status(view, NOON)}


def test_where_all_has_a_price_nothing_is_added(home: House, tmp_path: Path) -> None:
    home.source.put(ended("a", 0, 2, PRICED, "vision"))
    home.cycle(NOON)
    assert "PRICED" not in alerter("status", *NOW, config=tmp_path / "config")
    found = json.loads(alerter("status", "--json", *NOW, config=tmp_path / "config"))["budgets"]
    assert {each["priced_percent"] for each in found} == {100.0}


def test_each_row_has_its_share_in_its_period(home: House, tmp_path: Path) -> None:
    """Yesterday's gap is no part of what is spent today; bytes have no run time."""
    home.source.put(ended("a", 0, 2, PRICED, "vision"), ended("b", 1, 1, HUGE, "vision"), ended("c", 0, 3, HUGE, "nlp"))
    home.cycle(NOON)
    config = tmp_path / "config"
    head, *lines = alerter("status", *NOW, config=config).splitlines()
    assert re.split(r"\s{2,}", head)[3:6] == ["SPENT (ESTIMATE)", "PRICED", "OF"]
    shown = {each[0]: each[3:5] for each in (re.split(r"\s{2,}", line) for line in lines) if len(each) > 5}
    assert shown == {
        "everything": ["$0.19", "33 %"],
        "every-team / vision": ["$0.19", "66 %"],
        "every-team / nlp": ["$0.00", "0 %"],
        "today": ["$0.19", "100 %"],
        "bytes": ["$0.00", "100 %"],
    }
    found = json.loads(alerter("status", "--json", *NOW, config=config))["budgets"]
    assert [each["priced_percent"] for each in found] == [33.33, 66.66, 0.0, 100.0, 100.0]
    assert "PRICED" not in alerter("status", "today", *NOW, config=config)


def test_a_run_that_goes_on_counts_too(home: House) -> None:
    """It is the only one without a price: nothing that is settled says so."""
    home.source.put(ended("a", 0, 1, PRICED, "vision"))
    home.source.put(run("b", "RUNNING", NOON - 3 * HOUR, usage=HUGE, tags={"team": "vision"}, alive_ms=NOON))
    home.cycle(NOON)
    vision = rows(home)["vision"]
    assert (vision.run_ms, vision.unpriced_ms, vision.priced_words()) == (4 * HOUR, 3 * HOUR, "25 %")


def test_what_was_given_its_price_says_nothing_more(home: House) -> None:
    home.source.put(ended("a", 0, 1, HUGE, "vision"))
    home.cycle(NOON)
    assert rows(home)["vision"].priced_words() == "0 %"
    home.source.put(ended("a", 0, 1, PRICED, "vision"))
    home.cycle(NOON)
    assert (rows(home)["vision"].unpriced_ms, rows(home)["vision"].priced_words()) == (0, "100 %")


def test_it_is_the_time_that_coverage_has(home: House) -> None:
    """Of runs in parts, over the edge of the month, over a price's date, with other tags since, and corrected ones."""
    parts = {"gpu_count": "1", "gpu_type": "H100", "cpu_cores": "8", "memory_gb": "16"}
    home.source.put(
        ended("parts", 0, 2, parts, "vision"),
        ended("edge", 20, 100, HUGE, "vision"),
        ended("dated", 10, 5 * 24, {"instance_type": "dated"}, "vision"),
        ended("moves", 2, 5, HUGE, "nlp"),
        ended("mended", 2, 7, HUGE, "nlp"),
        run("goes on", "RUNNING", NOON - 9 * HOUR, usage=PRICED, tags={"team": "nlp"}, alive_ms=NOON),
    )
    home.cycle(NOON)
    home.source.put(ended("moves", 2, 5, HUGE, "vision"), ended("mended", 2, 7, PRICED, "nlp"))
    home.cycle(NOON)
    with home.services.windows.read() as view:
        whole = measure(view, NOON)
    found = rows(home)
    month = (whole.whole_ms, whole.time_ms[Confidence.GAP])
    assert (found["everything"].run_ms, found["everything"].unpriced_ms) == month
    teams = [found["vision"], found["nlp"]]
    assert (sum(each.run_ms for each in teams), sum(each.unpriced_ms for each in teams)) == month
    assert (found["nlp"].run_ms, found["nlp"].unpriced_ms) == (16 * HOUR, 0)
    before_its_price = ms("2026-11-10T00:00Z") - (NOON - 15 * 24 * HOUR)
    edge = NOON - 20 * 24 * HOUR - ms("2026-11-01T00:00+01:00")
    assert found["vision"].unpriced_ms == 2 * HOUR + edge + before_its_price + 5 * HOUR


def test_the_page_says_it_in_the_row_and_on_the_card(home: House) -> None:
    home.source.put(
        ended("a", 0, 1, PRICED, "nlp"), ended("b", 0, 2, HUGE, "vision"), ended("c", 0, 999, PRICED, "audio")
    )
    home.cycle(NOON)
    with home.services.windows.read() as view:
        html = render_status(page_data(home.services, view, NOON, ()))
    said = re.findall(r'<small class="unpriced">(.*?)</small>', html)
    assert sorted(said) == ["0 % of run time priced"] * 2 + ["99 % of run time priced"] * 2
    card, row = html.split('id="budgets"')
    assert "99 % of run time priced" in card
    assert "0 % of run time priced" in row


def test_slack_says_it_in_the_line_of_each(home: House) -> None:
    home.source.put(ended("a", 0, 2, PRICED, "vision"), ended("b", 0, 3, HUGE, "nlp"))
    home.cycle(NOON)
    lines = budgets([*rows(home).values()], none="").lines
    said = {team: next(each for each in lines if f"*{team}*" in each) for team in ("vision", "nlp")}
    assert said["nlp"].endswith("$0.00 of $40.00 · 0 % of run time priced")
    assert "priced" not in said["vision"]

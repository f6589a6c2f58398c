"""Whatever a client wrote: a cycle ends, no cost is negative, the ledger agrees, and the other runs are counted."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.alerts_shown import alerts_json
from alerter.core.usage import RunObservation, RunStatus
from alerter.status import status_json
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, house, run, services_of

NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {receivers: [console]}
budgets:
  - {name: all, amount: "1000000", period: monthly}
  - {name: teams, group_by: [team], amount: "1", period: yearly, timezone: Asia/Kathmandu}
"""
JUNK = (
    *("four", "-1", "1e400", "NaN", "inf", "-0", "0", "", " ", "1" * 6000, "x" * 6000, "9" * 30, "1e-400", "0.0000001"),
    *(
        "\U0001f4b8",
        "\ud800",
        "nul\0nul",
        "<!channel>",
        "10000",
        "64",
        "1e3",
        "500m",
        "16Gi",
        "\uff18",
        "{team}",
        '{"a":1}',
    ),
)
KEYS = (
    *("instance_type", "num_nodes", "num_workers", "gpu_count", "gpu_type", "gpu_memory_gb", "cpu_cores", "memory_gb"),
    *("memory_request", "region", "spot", "resource_id", "dbus", "mlflow.databricks.cluster.info", "provider"),
)
TIMES = (0, -1, -(2**62), 2**62, 2**63, 2**80, 1, NOW_MS // 1000, NOW_MS, NOW_MS - HOUR, NOW_MS + HOUR, NOW_MS - 10**11)

texts = st.sampled_from(JUNK) | st.text(st.characters(), max_size=12)
usages = st.dictionaries(
    st.sampled_from(KEYS), texts | st.sampled_from(["m5.xlarge", "p4d.24xlarge", "ml.g5.xlarge", "T4"]), max_size=6
)
garbage = st.builds(
    run,
    st.sampled_from(["g1", "g2", "g3", "emoji-\U0001f4b8"]),
    st.sampled_from(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
    st.sampled_from(TIMES),
    st.none() | st.sampled_from(TIMES),
    usage=usages,
    tags=st.dictionaries(st.sampled_from(["team", "project", ""]), texts, max_size=3),
    deleted=st.booleans(),
    alive_ms=st.none() | st.sampled_from(TIMES),
)
GOOD = run("good", "FINISHED", NOW_MS - 3 * HOUR, NOW_MS - HOUR, tags={"team": "good"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("garbage")
    config_of(made, BUDGETS, "catalogs: [builtin]\n")
    return made


def look(home: House, now: int) -> None:
    """What people see can be shown, is not negative, and is what the charges say."""
    with home.services.ledger.write() as view:
        assert verify_ledger(view).ok
        body = status_json(view, now)
        alerts_json(view)
    assert not [row for row in body["budgets"] if row["spent"].startswith("-") or row["accruing"].startswith("-")]
    assert home.rows("SELECT COUNT(*) FROM daily WHERE nanos < 0") == [(0,)]


def good(home: House) -> int:
    sql = "SELECT SUM(d.nanos) FROM daily d JOIN scope s ON s.id = d.scope_id WHERE s.key LIKE '%good%'"
    return int(str(home.rows(sql)[0][0]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.lists(garbage, max_size=4), min_size=1, max_size=4), st.integers(1, 3))
def test_garbage_stops_no_cycle(
    folder: Path, migrated_sqlite: Path, polls: list[list[RunObservation]], size: int
) -> None:
    logging.disable(logging.WARNING)  # one line for each of them is what it should say
    with house(config_of(folder, BUDGETS, "catalogs: [builtin]\n"), migrated_sqlite, NOW_MS) as home:
        home.source.size = size
        for number, seen in enumerate(polls):
            home.source.runs = {}
            home.source.put(*seen, GOOD)
            now = NOW_MS + number * 7 * HOUR
            assert home.cycle(now).evaluated
            look(home, now)
            assert good(home) == 2 * 192_000_000
    logging.disable(logging.NOTSET)


def test_one_bad_run_is_set_aside_and_logged(
    folder: Path, migrated_sqlite: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = replace(GOOD, run_uuid="bad", name="\ud800")
    others = [replace(GOOD, run_uuid=f"r{number}") for number in range(20)]
    config = config_of(folder, BUDGETS, "catalogs: [builtin]\n")
    with house(config, migrated_sqlite, NOW_MS, [*others[:11], bad, *others[11:]]) as home:
        recorded = home.cycle(NOW_MS).polls[0].recorded
        assert (recorded.seen, recorded.written, recorded.set_aside) == (21, 20, 1)
        assert good(home) == 20 * 2 * 192_000_000
        assert next(each.getMessage() for each in caplog.records if "set aside" in each.getMessage()).startswith(
            "run set aside: it can't be recorded run='bad' error=UnicodeEncodeError"
        )
        home.source.put(replace(bad, name="mended"))
        recorded = home.cycle(NOW_MS + 1).polls[0].recorded
        assert (recorded.written, recorded.set_aside) == (1, 0)
        assert good(home) == 21 * 2 * 192_000_000
        look(home, NOW_MS + 1)


def test_every_database_sets_a_bad_run_aside(folder: Path, store: Store) -> None:
    bad = [
        replace(GOOD, run_uuid="nul\0nul"),
        replace(GOOD, run_uuid="late", end_ms=2**70),
        replace(GOOD, name="\udfff"),
    ]
    source = FakeSource()
    source.put(*bad, *[replace(GOOD, run_uuid=f"r{number}") for number in range(5)])
    config = config_of(folder, BUDGETS, "catalogs: [builtin]\n")
    home = House(config, store, source, services_of(config, store, source, NOW_MS))
    report = home.cycle(NOW_MS)
    assert report.evaluated
    assert report.polls[0].recorded.set_aside >= 2  # SQLite keeps a NUL
    assert good(home) >= 5 * 2 * 192_000_000
    look(home, NOW_MS)


def test_a_cost_that_no_run_can_have_is_set_aside(folder: Path, migrated_sqlite: Path) -> None:
    usage = {"instance_type": "p4d.24xlarge", "num_nodes": "10000"}
    absurd = run("absurd", "RUNNING", NOW_MS - 10**11, usage=usage)
    config = config_of(folder, BUDGETS, "catalogs: [builtin]\n")
    with house(config, migrated_sqlite, NOW_MS, [absurd, GOOD]) as home:
        report = home.cycle(NOW_MS)
        assert report.evaluated
        assert report.polls[0].recorded.set_aside == 1
        look(home, NOW_MS)


def test_one_that_ends_with_it_after_it_was_suspected_stops_nobody_else(folder: Path, store: Store) -> None:
    source = FakeSource()
    usage = {"instance_type": "p4d.24xlarge"}
    begun = [run(each, "RUNNING", NOW_MS - 10**11, usage=usage) for each in ("absurd", "quiet")]
    source.put(*begun, replace(GOOD, run_uuid="g"))
    config = config_of(folder, BUDGETS, "catalogs: [builtin]\n")
    home = House(config, store, source, services_of(config, store, source, NOW_MS))
    assert home.cycle(NOW_MS).polls[0].running == 2
    ended = [replace(each, status=RunStatus.FINISHED, end_ms=NOW_MS + 1) for each in begun]
    many = replace(ended[0], usage=(*begun[0].usage, ("num_nodes", "10000")), last_metric_ms=NOW_MS)
    source.put(many, ended[1], GOOD)
    for later in (2, 3):
        report = home.cycle(NOW_MS + later)
        assert report.evaluated
        assert (report.polls[0].recorded.set_aside, report.polls[0].running) == (1, 1)
        look(home, NOW_MS + later)
    source.put(replace(many, usage=begun[0].usage))
    report = home.cycle(NOW_MS + 4)
    assert (report.polls[0].recorded.set_aside, report.polls[0].running) == (0, 0)
    look(home, NOW_MS + 4)


def test_what_rounds_to_nothing_is_charged_once_however_often_it_is_tagged(folder: Path, migrated_sqlite: Path) -> None:
    config = config_of(folder, BUDGETS, "catalogs: [builtin]\n")
    with house(config, migrated_sqlite, NOW_MS) as home:
        for number in range(8):
            tags = {"team": "a" if number % 2 else "b"}
            usage = {"cpu_cores": "0.0000001"}
            home.source.put(run("r1", "FINISHED", NOW_MS - HOUR, NOW_MS, usage=usage, tags=tags))
            home.cycle(NOW_MS + number)
        assert home.rows("SELECT COUNT(*) FROM charge") == [(15,)]

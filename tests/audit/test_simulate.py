"""A simulation tells what real cycles would have told, to within their own polls."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.config import ConfigError
from alerter.config.trial import load_with_budgets
from alerter.core.usage import RunObservation
from alerter.simulate import Simulation, simulate, simulation_markdown
from alerter.store.bulk import query
from alerter.store.engine import StoreError
from tests.audit.tools import HOUR, PRICES, alerter, ms
from tests.fixtures.mlflow_server import MlflowServer, unique
from tests.truth.ledgers import House, config_of, house, run

DAY = 24 * HOUR
START = ms("2026-10-26T00:00Z")
BUDGETS = """\
defaults: {receivers: [console], timezone: Australia/Lord_Howe, thresholds: [50%, 100%, forecast 100%], beyond: 25}
budgets:
  - {name: month, amount: 12, period: monthly}
  - {name: team-day, amount: "1.5", period: daily, group_by: [team], timezone: Europe/Berlin}
  - {name: rolling, amount: 4, period: {rolling_days: 3}, thresholds: [50%, 100%]}
  - {name: dated, period: weekly, amounts: [{from: 2020-01-01, amount: 6}, {from: 2026-11-04, amount: 3}]}
  - {name: machines, period: quarterly, amount: 30, components: [machines]}
  - {name: tokens, period: monthly, amount: 1, components: [tokens]}
  - {name: nobody, period: monthly, amount: 1, match: {team: visoin}}
"""
RUNS = st.lists(
    st.tuples(
        st.integers(0, 12 * DAY), st.integers(1, 60 * HOUR), st.sampled_from(["vision", "nlp", ""]), st.integers(1, 4)
    ),
    min_size=1,
    max_size=8,
)


def simulated(home: House, window: tuple[int, int]) -> Simulation:
    with home.store.read() as connection:
        return simulate(connection, home.config, window)


def told_since(home: House, last: int) -> list[tuple[int, tuple[object, ...]]]:
    rows = home.rows(
        "SELECT a.id, b.name, s.key, a.basis, a.percent, a.period_start FROM alert a "
        "JOIN budget b ON b.id = a.budget_id JOIN scope s ON s.id = a.scope_id WHERE a.id > ? ORDER BY a.id",
        last,
    )
    return [(int(str(row[0])), _key(row[1:])) for row in rows]


def _key(parts: tuple[object, ...]) -> tuple[object, ...]:
    """A rolling budget's alerts are named by the day of its first, a simulation's by its window: neither counts."""
    return parts[:4] if parts[0] == "rolling" else parts


@settings(
    max_examples=6, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(RUNS)
def test_it_fires_what_hourly_cycles_fire(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, runs: list[tuple[int, int, str, int]]
) -> None:
    config = config_of(tmp_path_factory.mktemp("simulate"), BUDGETS, PRICES)
    end = START + 14 * DAY
    fired: dict[tuple[object, ...], int] = {}
    with house(config, migrated_sqlite, START) as home:
        last = 0
        for now in range(START, end + 1, HOUR):
            home.source.put(
                *(_seen(f"r{place}", each, now) for place, each in enumerate(runs) if START + each[0] <= now)
            )
            home.cycle(now)
            for alert_id, key in told_since(home, last):
                last = alert_id
                fired.setdefault(key, now)
        found = simulated(home, (START, end))
    told: dict[tuple[object, ...], int] = {}
    for each in found.alerts:
        crossing, scope = each.crossing, json.dumps(each.scope, separators=(",", ":"))
        threshold, period = crossing.threshold, crossing.period.start.isoformat()
        told.setdefault(
            _key((each.budget.name, scope, threshold.basis.value, threshold.percent, period)), crossing.at_ms
        )
    assert told.keys() == fired.keys()
    for key, at_ms in fired.items():
        assert 0 <= at_ms - told[key] < HOUR, key


def _seen(uuid: str, planned: tuple[int, int, str, int], now: int) -> RunObservation:
    begin, lasting, team, nodes = planned
    since, until = START + begin, START + begin + lasting
    usage = {"instance_type": "m5.xlarge", "num_nodes": str(nodes * 2)}
    tags = {"team": team} if team else {}
    ended = until if until <= now else None
    status = "FINISHED" if ended else "RUNNING"
    return run(uuid, status, since, ended, usage=usage, tags=tags, alive_ms=min(now, until))


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    config = config_of(tmp_path / "config", BUDGETS, PRICES, f"database: sqlite:///{tmp_path}/none.db\n")
    with house(config, migrated_sqlite, START) as found:
        tags = {"team": "vision"}
        found.source.put(
            run(
                "a",
                "FINISHED",
                START,
                START + 20 * HOUR,
                tags=tags,
                usage={"instance_type": "m5.xlarge", "num_nodes": "4"},
            ),
            run("b", "FINISHED", START + DAY, START + 2 * DAY, tags={"team": "@here | `x` <b>"}),
        )
        found.cycle(START + 3 * DAY)
        (tmp_path / "config" / "alerter.yaml").write_text(f"database: sqlite:///{found.store.sqlite_path()}\n")
        yield found


NEW = """\
budgets:
  - {name: trial, amount: 2, period: monthly, group_by: [team], receivers: [console], timezone: UTC}
  - {name: typo, amount: 2, period: monthly, match: {team: visoin}, receivers: [console]}
"""
NOW = ("--now", "2026-10-29T00:00Z")


def test_budgets_of_a_file_are_tried_and_nothing_is_written(home: House, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(NEW)
    path = home.store.sqlite_path()
    assert path is not None
    home.store.close()
    before = sha256(path.read_bytes()).hexdigest()
    words = ("simulate", "--budgets", str(tmp_path / "new.yaml"), *NOW)
    found = json.loads(alerter(*words, "--json", config=tmp_path / "config"))
    assert sha256(path.read_bytes()).hexdigest() == before
    assert not path.with_name(f"{path.name}-wal").exists() or not path.with_name(f"{path.name}-wal").stat().st_size
    first = found["alerts"][0]
    assert (first["budget"], first["scope"], first["threshold"]) == ("trial", {"team": "vision"}, 80)
    assert first["at"] == "2026-10-26T04:10:00Z"  # 4 x 0.096 an hour
    assert (first["spent"], first["amount"], first["receivers"]) == ("1.60", "2.00", ["console"])
    assert [each["budget"] for each in found["unmatched"]] == ["typo"]
    assert "did you mean 'vision'?" in found["unmatched"][0]["remedy"]
    shown = alerter(*words, config=tmp_path / "config")
    assert "Mon 26 Oct 04:10 (UTC)" in shown
    assert "of 2 of 2 scopes, 2 budgets" in shown
    assert "WARNING  budget typo matches no run" in shown


def test_markdown_can_mention_nobody(home: House, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(NEW)
    words = ("simulate", "--budgets", str(tmp_path / "new.yaml"), "--markdown", *NOW)
    shown = alerter(*words, config=tmp_path / "config")
    assert shown.startswith("**Budget simulation:** ")
    (row, *_) = [each for each in shown.splitlines() if "@here" in each]
    assert r"`trial / @here \| 'x' <b>`" in row
    assert row.replace(r"\|", "").count("|") == 7
    found = simulated(home, (START, START + 3 * DAY))
    assert list(simulation_markdown(replace(found, alerts=found.alerts[:1] * 150)))[-1:] != []
    assert "and 50 more" in list(simulation_markdown(replace(found, alerts=found.alerts[:1] * 150)))


def test_bad_budgets_are_refused_with_their_place(home: House, tmp_path: Path) -> None:
    config, bad = tmp_path / "config", tmp_path / "bad.yaml"
    bad.write_text("budgets:\n  - {name: x, amount: 1, period: montly, receivers: [console]}\n")
    command = [
        str(Path(sys.executable).with_name("alerter")),
        "simulate",
        "--config",
        str(config),
        "--budgets",
        str(bad),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.search(rf"{bad}:2:\d+: .*did you mean 'monthly'", done.stderr)
    with pytest.raises(ConfigError, match="no such file"):
        load_with_budgets(config, tmp_path / "none.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"has no \*\.yaml file"):
        load_with_budgets(config, tmp_path / "empty")
    with pytest.raises(ConfigError, match="no such folder"):
        load_with_budgets(tmp_path / "nowhere", bad)
    alerter("simulate", "--from", "2026-12-01", "--to", "2026-11-01", config=config, code=2)
    alerter("simulate", "--markdown", "--json", config=config, code=2)


def test_a_folder_of_budgets(home: House, tmp_path: Path) -> None:
    folder = tmp_path / "budgets"
    folder.mkdir()
    (folder / "one.yaml").write_text(NEW)
    config = load_with_budgets(tmp_path / "config", folder)
    assert [each.name for each in config.budgets] == ["trial", "typo"]


def test_without_a_ledger_it_says_what_to_do(tmp_path: Path) -> None:
    config_of(tmp_path / "config", BUDGETS, PRICES, f"database: sqlite:///{tmp_path}/none.db\n")
    done = CliRunner().invoke(app, ["simulate", "--config", str(tmp_path / "config")])
    assert isinstance(done.exception, StoreError)
    assert "give --source URL" in str(done.exception)
    assert not (tmp_path / "none.db").exists()


def test_straight_from_an_mlflow_server(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    name = unique("simulated")
    experiment = mlflow_server.experiment(name, team="vision")
    mlflow_server.ended_run(
        experiment, START, START + 20 * HOUR, params={"instance_type": "m5.xlarge", "num_nodes": "4"}
    )
    mlflow_server.start_run(experiment, START + 30 * HOUR, params={"instance_type": "m5.xlarge"})
    config_of(tmp_path / "config", BUDGETS, PRICES, f"database: sqlite:///{tmp_path}/none.db\n")
    trial = NEW.replace("group_by: [team]", f"match: {{experiment: {name}}}")
    (tmp_path / "new.yaml").write_text(trial)
    words = ("simulate", "--budgets", str(tmp_path / "new.yaml"), "--source", mlflow_server.uri, "--json", *NOW)
    found = json.loads(alerter(*words, config=tmp_path / "config"))
    assert [(each["threshold"], each["at"]) for each in found["alerts"]][:2] == [
        (80, "2026-10-26T04:10:00Z"),
        (100, "2026-10-26T05:12:30Z"),
    ]
    assert not (tmp_path / "none.db").exists()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    config_of(tmp_path / "config", BUDGETS, PRICES, "poll: {timeout: 1s}\n")
    words = ("simulate", "--source", "http://127.0.0.1:9", *NOW)
    alerter(*words, config=tmp_path / "config", code=3)
    alerter("simulate", "--source", "ftp://x", config=tmp_path / "config", code=2)


def test_the_ledger_is_read_without_its_budgets(home: House) -> None:
    with home.store.read() as connection:
        scopes = query(connection, "SELECT COUNT(*) FROM scope").scalar()
        simulate(connection, replace(home.config, budgets=()), (START, START + DAY))
        assert query(connection, "SELECT COUNT(*) FROM scope").scalar() == scopes

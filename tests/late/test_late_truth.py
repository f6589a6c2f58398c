"""Edits, deletions and backfilled runs, made by MLflow's own client and seen again by the real cycle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow.entities import Metric

from tests.fixtures.mlflow_server import MlflowServer
from tests.late.tracked import Tracked, tracked
from tests.truth.ledgers import DAY, HOUR, MINUTE

NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {receivers: [console], timezone: UTC, thresholds: [50%, 100%]}
budgets: [{name: teams, group_by: [team], amount: "10", period: monthly}]
"""
PRICES = """
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "1"}
  - {match: {instance_type: big}, per_instance_hour: "2"}
"""
VISION = {"team": "vision"}


@pytest.fixture
def made(mlflow_server: MlflowServer, tmp_path: Path) -> Iterator[Tracked]:
    """A ledger that has told its opening: what comes now is news."""
    with tracked(mlflow_server, tmp_path, NOW, BUDGETS, PRICES) as one:
        one.cycle(NOW - MINUTE)
        yield one


def test_an_edited_tag_moves_a_run_and_its_alert(made: Tracked) -> None:
    run_id = made.run(NOW - 8 * HOUR, NOW - 2 * HOUR, VISION)
    assert made.cycle(NOW).fired == 1
    made.client.set_tag(run_id, "team", "nlp")
    assert made.cycle(NOW + MINUTE).fired == 1
    assert made.spent(NOW + MINUTE) == {"nlp": 6}
    assert made.reasons() == ["tags changed"]
    assert made.alerts() == [("firing", "first"), ("resolved", "corrected: -$6.00 (tags changed)")]


def test_a_running_run_of_another_team_takes_its_alert_along(made: Tracked) -> None:
    run_id = made.run(NOW - 6 * HOUR, None, VISION)
    made.client.log_metric(run_id, "loss", 1, timestamp=NOW)
    made.cycle(NOW)
    made.client.set_tag(run_id, "team", "nlp")
    made.cycle(NOW + HOUR)
    assert made.spent(NOW + HOUR) == {"nlp": 7}
    assert made.alerts() == [("firing", "first"), ("resolved", "corrected: -$6.00 (tags changed)")]


def test_a_deleted_tag_and_an_experiments_tag(made: Tracked) -> None:
    own = made.run(NOW - 4 * HOUR, NOW - 2 * HOUR, VISION)
    made.run(NOW - 4 * HOUR, NOW - 3 * HOUR)
    made.cycle(NOW)
    assert made.spent(NOW) == {"vision": 2, "(untagged)": 1}
    made.client.set_experiment_tag(made.experiment, "team", "speech")
    made.cycle(NOW + MINUTE)
    assert made.spent(NOW + MINUTE) == {"vision": 2, "speech": 1}
    made.client.delete_tag(own, "team")
    made.cycle(NOW + 2 * MINUTE)
    assert made.spent(NOW + 2 * MINUTE) == {"speech": 3}


def test_a_deleted_run_keeps_its_cost_and_so_does_its_alert(made: Tracked) -> None:
    ended = made.run(NOW - 8 * HOUR, NOW - 2 * HOUR, VISION)
    running = made.run(NOW - 2 * HOUR, None, {"team": "nlp"})
    made.cycle(NOW)
    for run_id in (ended, running):
        made.client.delete_run(run_id)
    made.cycle(NOW + HOUR)
    assert made.spent(NOW + HOUR) == {"vision": 6, "nlp": 2}
    assert (made.reasons(), made.alerts()) == ([], [("firing", "first")])
    made.client.restore_run(ended)
    made.client.restore_run(running)
    made.client.log_metric(running, "loss", 1, timestamp=NOW + 2 * HOUR)
    made.cycle(NOW + 3 * HOUR)
    # Nobody saw it run while it was in the bin: it goes on with its first sign of life.
    assert made.spent(NOW + 3 * HOUR) == {"vision": 6, "nlp": 3}


def test_a_deleted_and_restored_experiment(made: Tracked) -> None:
    run_id = made.run(NOW - 8 * HOUR, NOW - 2 * HOUR, VISION)
    made.cycle(NOW)
    made.client.delete_experiment(made.experiment)
    made.cycle(NOW + MINUTE)
    assert made.spent(NOW + MINUTE) == {"vision": 6}
    made.client.restore_experiment(made.experiment)
    made.client.set_tag(run_id, "team", "nlp")
    made.cycle(NOW + 2 * MINUTE)
    assert made.spent(NOW + 2 * MINUTE) == {"nlp": 6}


def test_a_backfilled_run_fires_in_the_open_period_only(made: Tracked) -> None:
    made.run(NOW - 30 * DAY, NOW - 28 * DAY, VISION)
    made.run(NOW - 5 * DAY - 6 * HOUR, NOW - 5 * DAY, {"team": "nlp"})
    assert made.cycle(NOW).fired == 1
    (vision,) = [each for each in made.status(NOW)["budgets"] if each["scope"] == VISION]
    assert (vision["spent"], [each["restated"] for each in vision["restated"]]) == ("0.00", ["48.00"])
    assert made.alerts() == [("firing", "first")]


def test_an_edit_in_a_closed_period_restates_it_and_tells_nobody(made: Tracked) -> None:
    run_id = made.run(NOW - 30 * DAY, NOW - 30 * DAY + 6 * HOUR, VISION)
    made.cycle(NOW)
    made.client.set_tag(run_id, "team", "nlp")
    assert made.cycle(NOW + MINUTE).fired == 0
    restated = {each["scope"]["team"]: each["restated"] for each in made.status(NOW + MINUTE)["budgets"]}
    assert [each["restated"] for each in restated["nlp"]] == ["6.00"]
    assert restated.get("vision", []) == []  # what came after the period closed left it again
    assert (made.alerts(), made.reasons()) == ([], ["tags changed"])


def test_a_correction_that_crosses_fires(made: Tracked) -> None:
    run_id = made.run(NOW - 8 * HOUR, NOW - 4 * HOUR, VISION)
    made.cycle(NOW)
    assert made.alerts() == []
    made.client.set_tag(run_id, "instance_type", "big")
    made.cycle(NOW + MINUTE)
    assert made.spent(NOW + MINUTE) == {"vision": 4}  # a param goes before a tag of the same name
    made.client.set_terminated(run_id, end_time=NOW - 2 * HOUR)
    made.cycle(NOW + 2 * MINUTE)
    # Ended again, later, without a sign of life in between: the idle gap is free.
    assert made.spent(NOW + 2 * MINUTE) == {"vision": 4}
    made.client.log_metric(run_id, "loss", 1, timestamp=NOW - 3 * HOUR)
    made.client.set_terminated(run_id, end_time=NOW - HOUR)
    made.cycle(NOW + 3 * MINUTE)
    assert made.spent(NOW + 3 * MINUTE) == {"vision": 6}
    assert made.alerts() == [("firing", "first")]


def test_metrics_of_the_past_are_no_sign_of_life(made: Tracked) -> None:
    run_id = made.run(NOW - 8 * HOUR, None, VISION)
    made.client.log_metric(run_id, "loss", 1, timestamp=NOW - 7 * HOUR)
    made.cycle(NOW)
    assert made.spent(NOW) == {"vision": 1}
    old = [Metric("backfilled", 0.5, NOW - 20 * DAY, 1), Metric("accuracy", 0.5, NOW - 7 * HOUR - MINUTE, 1)]
    made.client.log_batch(run_id, metrics=old)
    made.cycle(NOW + HOUR)
    assert made.spent(NOW + HOUR) == {"vision": 1}

"""The short form of `make crash`: each point once."""

from pathlib import Path

import pytest

from tests.crash.points import POINTS
from tests.crash.rounds import Box
from tests.crash.running import run
from tests.fixtures.mlflow_server import MlflowServer


@pytest.mark.needs_node
@pytest.mark.timeout(300)
def test_a_daemon_killed_anywhere_loses_nothing_and_doubles_nothing_in_slack(
    tmp_path: Path, mlflow_server: MlflowServer
) -> None:
    outcomes = list(run(tmp_path, POINTS, workers=3, mlflow=mlflow_server))
    assert [text for each in outcomes if (text := each.failed or each.outdated)] == []
    assert [each.point.label for each in outcomes if each.slack != Box(0, 0) or each.smtp.lost] == []
    assert sum(each.smtp.doubled for each in outcomes) < len(outcomes)

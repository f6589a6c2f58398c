"""A server's worth of what clients really do, written by the client of the server's own MLflow, and by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.fixtures.mlflow_server import MlflowServer, plain_environment, unique
from tests.sources.poller import DAY, HOUR, NOW

USAGE = frozenset({"instance_type", "num_nodes", "cpu_request", "größe"})
COSTS = frozenset({"metric.cost_usd", "metric.odd", "tag.cost_usd"})
WRITTEN = Path(__file__).with_name("written.py")
RUNS = 25
"""How many runs each of the two worlds has."""


def write_world(server: MlflowServer) -> str:
    """Write it twice, through the server and into its database; return the prefix of the experiments' names."""
    prefix = unique("world")
    served, direct = f"{prefix}-served", f"{prefix}-direct"
    command = [server.python, str(WRITTEN), str(NOW), server.uri, served, server.store, direct]
    subprocess.run(command, check=True, capture_output=True, cwd=server.log.parent, env=plain_environment())
    for name in (served, direct):
        _clocks(server, name)
    return prefix


def _clocks(server: MlflowServer, name: str) -> None:
    found = server.rest(f"experiments/get-by-name?experiment_name={name}-vision")
    experiment = str(found["experiment"]["experiment_id"])
    for start, end in ((NOW, NOW - HOUR), (NOW + 400 * DAY, NOW + 401 * DAY), (0, NOW), (0, 0), (NOW - 40 * DAY, NOW)):
        server.ended_run(experiment, start, end, user="")
    server.set_run(server.start_run(experiment, NOW - HOUR, user="bob"), "FINISHED")  # with an end of the server's
    server.rest("runs/create", {"experiment_id": experiment})

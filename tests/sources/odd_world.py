"""A server's worth of what clients really do, written by the client of the server's own MLflow, and by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.fixtures.mlflow_server import MlflowServer, plain_environment, unique
from tests.sources.poller import DAY, HOUR, MINUTE, NOW

USAGE = frozenset({"instance_type", "num_nodes", "cpu_request", "größe"})
COSTS = frozenset({"metric.cost_usd", "metric.odd", "tag.cost_usd"})
WRITTEN = Path(__file__).with_name("written.py")
KEYS = (
    *("mlflow", "mlflow.", "mlflow.x", "mlflow..", "mlflow.\u00ff", "mlflow.\U0001f642", "mlflow/", "mlflow/x"),
    *("mlflow-", "mlflow-x", "mlflow0", "mlflow_x", "mlflow x", "mlflow\u012e", "mlflow\uff0e", "mlflo"),
    *("MLFLOW.x", "mlfloW.", "Mlflow.x", "mlflo\u2126.x", " mlflow.x", "\uff4dlflow.x", "m", "k" * 250),
    *("\u00e9", "e\u0301", "\U0001f642", "\U0010ffff", "quote'\"\\", "%s"),
)
"""Of tags: around those that are MLflow's own, by whichever order text is compared."""

RUNS = 26
"""How many runs each of the two worlds has."""


def write_world(server: MlflowServer) -> str:
    """Write it twice, through the server and into its database; return the prefix of the experiments' names."""
    prefix = unique("world")
    served, direct = f"{prefix}-served", f"{prefix}-direct"
    command = [server.python, str(WRITTEN), str(NOW), server.uri, served, server.store, direct]
    subprocess.run(command, check=True, capture_output=True, cwd=server.log.parent, env=plain_environment())
    for name in (served, direct):
        _clocks(server, name)
        _tag_keys(server, name)
    return prefix


def _experiment(server: MlflowServer, name: str) -> str:
    found = server.rest(f"experiments/get-by-name?experiment_name={name}-vision")
    return str(found["experiment"]["experiment_id"])


def _clocks(server: MlflowServer, name: str) -> None:
    experiment = _experiment(server, name)
    for start, end in ((NOW, NOW - HOUR), (NOW + 400 * DAY, NOW + 401 * DAY), (0, NOW), (0, 0), (NOW - 40 * DAY, NOW)):
        server.ended_run(experiment, start, end, user="")
    server.set_run(server.start_run(experiment, NOW - HOUR, user="bob"), "FINISHED")  # with an end of the server's
    server.rest("runs/create", {"experiment_id": experiment})


def _tag_keys(server: MlflowServer, name: str) -> None:
    """Write tags with keys that are nearly MLflow's own, or that no MLflow takes today, as other programs did."""
    tags: dict[str, str | None] = {"null": None, "Team": "other case", "long": "\u00e9" * 7999}
    tags |= dict.fromkeys(KEYS, "odd")
    if server.store.startswith("sqlite"):
        tags |= {"nul\0key": "nul\0value", "mlflow\0": "kept"}  # no text of PostgreSQL's
    run = server.ended_run(_experiment(server, name), NOW - HOUR, NOW - MINUTE)
    engine = create_engine(server.store)
    with engine.begin() as connection:
        rows = [{"run": run, "key": key, "value": value} for key, value in tags.items()]
        connection.execute(text("INSERT INTO tags (run_uuid, key, value) VALUES (:run, :key, :value)"), rows)
    engine.dispose()

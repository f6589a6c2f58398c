"""A server's worth of what clients really do to runs, written by MLflow's own client."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from tests.fixtures.mlflow_server import MlflowServer, unique
from tests.sources.poller import DAY, HOUR, MINUTE, NOW

USAGE = frozenset({"instance_type", "num_nodes", "cpu_request", "größe"})
COSTS = frozenset({"metric.cost_usd", "metric.odd", "tag.cost_usd"})


def write_world(server: MlflowServer) -> str:
    """Write it into new experiments of a server; return the prefix of their names."""
    prefix = unique("world")
    client = MlflowClient(tracking_uri=server.uri)
    vision = client.create_experiment(
        f"{prefix}-vision", tags={"team": "vision", "cost_center": "cc-1", "mlflow.x": "y"}
    )
    speech = client.create_experiment(f"{prefix}-Sprache-🙂", tags={"team": "Sprache"})
    gone = client.create_experiment(f"{prefix}-gone")
    _lives(client, vision)
    _texts(client, speech)
    _metrics(client, speech)
    _clocks(server, vision)
    client.create_run(gone, start_time=NOW - DAY)
    client.delete_experiment(gone)
    return prefix


def _lives(client: MlflowClient, experiment: str) -> None:
    parent = client.create_run(experiment, start_time=NOW - 3 * HOUR, run_name="parent").info.run_id
    child = client.create_run(experiment, start_time=NOW - 2 * HOUR, tags={"mlflow.parentRunId": parent}).info.run_id
    client.create_run(experiment, start_time=NOW - HOUR, tags={"mlflow.parentRunId": child, "team": "own"})
    client.set_terminated(child, "FAILED", NOW - HOUR)
    deleted = client.create_run(experiment, start_time=NOW - 5 * HOUR).info.run_id
    client.set_terminated(deleted, "FINISHED", NOW - 4 * HOUR)
    client.delete_run(deleted)
    client.delete_run(client.create_run(experiment, start_time=NOW - 5 * HOUR).info.run_id)  # while RUNNING
    resumed = client.create_run(experiment, start_time=NOW - 9 * HOUR).info.run_id
    client.set_terminated(resumed, "KILLED", NOW - 8 * HOUR)
    client.update_run(resumed, status="RUNNING")
    client.update_run(client.create_run(experiment, start_time=NOW).info.run_id, status="SCHEDULED")


def _texts(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(
        experiment, start_time=NOW - HOUR, run_name="émoji 🙂 <!channel> 'quoted' \" \\ %s"
    ).info.run_id
    params = [Param("instance_type", "p4d.24xlarge " + "x" * 480), Param("größe", "ß\n\t🙂"), Param("lr", "0.1")]
    tags = [RunTag("team", "x" * 5000), RunTag("empty", ""), RunTag("Ünïcode", "日本語"), RunTag("MLFLOW.odd", "kept")]
    tags += [RunTag("mlflow.note.content", "# note"), RunTag("user", "mallory"), RunTag("num_nodes", "4")]
    tags += [RunTag("cost_usd", "12.50"), RunTag("mlflow.databricks.cluster.id", "c-1"), RunTag("a:b /c", "%")]
    client.log_batch(run, params=params, tags=tags + [RunTag(f"tag-{index:03}", str(index)) for index in range(80)])


def _metrics(client: MlflowClient, experiment: str) -> None:
    for odd in (float("nan"), float("inf"), float("-inf"), 0.1, 1e22, 40.0, -0.0, 12.345678901234567):
        run = client.create_run(experiment, start_time=NOW - HOUR).info.run_id
        metrics = [Metric("odd", odd, NOW - MINUTE, 0), Metric("loss", 0.5, NOW - 2 * MINUTE, 7)]
        client.log_batch(run, metrics=[*metrics, Metric("cost_usd", 3.25, NOW - 3 * MINUTE, 2**40)])
    early = client.create_run(experiment, start_time=NOW - HOUR).info.run_id
    client.log_batch(early, metrics=[Metric("at zero", 1.0, 0, 0)])


def _clocks(server: MlflowServer, experiment: str) -> None:
    for start, end in ((NOW, NOW - HOUR), (NOW + 400 * DAY, NOW + 401 * DAY), (0, NOW), (0, 0), (NOW - 40 * DAY, NOW)):
        server.ended_run(experiment, start, end, user="")
    server.set_run(server.start_run(experiment, NOW - HOUR, user="bob"), "FINISHED")  # with an end of the server's
    server.rest("runs/create", {"experiment_id": experiment})

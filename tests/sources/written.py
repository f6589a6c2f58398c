"""What clients of MLflow write: runs, traces, LoggedModels. A script, so that each MLflow writes with its own client.

    python written.py TIME ADDRESS PREFIX [ADDRESS PREFIX]

TIME is in epoch ms; ADDRESS is a server's or, as for clients without one, its database's; PREFIX begins the names of
the experiments that are made there.
"""

import sys
import warnings
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, Metric, Param, RunTag

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def write(address: str, prefix: str, now: int) -> None:
    """Write it all."""
    client = MlflowClient(tracking_uri=address)
    vision = client.create_experiment(
        f"{prefix}-vision", tags={"team": "vision", "cost_center": "cc-1", "mlflow.x": "y"}
    )
    speech = client.create_experiment(f"{prefix}-Sprache-🙂", tags={"team": "Sprache"})
    gone = client.create_experiment(f"{prefix}-gone")
    write_lives(client, vision, now)
    write_texts(client, speech, now)
    write_metrics(client, speech, now)
    client.create_run(gone, start_time=now - DAY)
    client.delete_experiment(gone)
    mlflow.set_tracking_uri(address)
    write_models(client, speech)
    write_traces(vision, now)


def write_lives(client: MlflowClient, experiment: str, now: int) -> None:
    """Write runs that are nested, deleted, resumed, scheduled."""
    parent = client.create_run(experiment, start_time=now - 3 * HOUR, run_name="parent").info.run_id
    child = client.create_run(experiment, start_time=now - 2 * HOUR, tags={"mlflow.parentRunId": parent}).info.run_id
    client.create_run(experiment, start_time=now - HOUR, tags={"mlflow.parentRunId": child, "team": "own"})
    client.set_terminated(child, "FAILED", now - HOUR)
    deleted = client.create_run(experiment, start_time=now - 5 * HOUR).info.run_id
    client.set_terminated(deleted, "FINISHED", now - 4 * HOUR)
    client.delete_run(deleted)
    client.delete_run(client.create_run(experiment, start_time=now - 5 * HOUR).info.run_id)  # while RUNNING
    resumed = client.create_run(experiment, start_time=now - 9 * HOUR).info.run_id
    client.set_terminated(resumed, "KILLED", now - 8 * HOUR)
    client.update_run(resumed, status="RUNNING")
    client.update_run(client.create_run(experiment, start_time=now).info.run_id, status="SCHEDULED")


def write_texts(client: MlflowClient, experiment: str, now: int) -> None:
    """Write a run with params and tags of every kind of text."""
    name = "émoji 🙂 <!channel> 'quoted' \" \\ %s"
    run = client.create_run(experiment, start_time=now - HOUR, run_name=name).info.run_id
    params = [Param("instance_type", "p4d.24xlarge " + "x" * 480), Param("größe", "ß\n\t🙂"), Param("lr", "0.1")]
    tags = [RunTag("team", "x" * 5000), RunTag("empty", ""), RunTag("Ünïcode", "日本語"), RunTag("MLFLOW.odd", "kept")]
    tags += [RunTag("mlflow.note.content", "# note"), RunTag("user", "mallory"), RunTag("num_nodes", "4")]
    tags += [RunTag("cost_usd", "12.50"), RunTag("mlflow.databricks.cluster.id", "c-1"), RunTag("a:b /c", "%")]
    client.log_batch(run, params=params, tags=tags + [RunTag(f"tag-{index:03}", str(index)) for index in range(80)])


def write_metrics(client: MlflowClient, experiment: str, now: int) -> None:
    """Write runs with metrics that are numbers, and some that are none."""
    for odd in (float("nan"), float("inf"), float("-inf"), 0.1, 1e22, 40.0, -0.0, 12.345678901234567):
        run = client.create_run(experiment, start_time=now - HOUR).info.run_id
        metrics = [Metric("odd", odd, now - MINUTE, 0), Metric("loss", 0.5, now - 2 * MINUTE, 7)]
        client.log_batch(run, metrics=[*metrics, Metric("cost_usd", 3.25, now - 3 * MINUTE, 2**40)])
    early = client.create_run(experiment, start_time=now - HOUR).info.run_id
    client.log_batch(early, metrics=[Metric("at zero", 1.0, 0, 0)])


def write_models(client: MlflowClient, experiment: str) -> None:
    """Write a LoggedModel that is ready and one that is being uploaded."""
    ready = client.create_logged_model(experiment, name="ready", tags={"team": "nlp"})
    client.finalize_logged_model(ready.model_id, LoggedModelStatus.READY)
    client.create_logged_model(experiment, name="uploading")
    gone = client.create_logged_model(experiment, name="deleted", tags={"team": "nobody"})
    client.delete_logged_model(gone.model_id)


def write_traces(experiment: str, now: int) -> None:
    """Write a call of a model below an agent that sums it up, a day ago, and one that used a cache."""
    write_call(experiment, now - DAY, {"input_tokens": 1000, "output_tokens": 20, "total_tokens": 1020}, team="nlp")
    cached = {"input_tokens": 500, "output_tokens": 7, "total_tokens": 507, "cache_read_input_tokens": 400}
    write_call(experiment, now - DAY + MINUTE, cached)
    mlflow.flush_trace_async_logging()


def write_call(experiment: str, at_ms: int, usage: dict[str, int], **tags: str) -> None:
    """Write one of them."""
    at_ns = at_ms * 1_000_000
    told: dict[str, Any] = {"mlflow.chat.tokenUsage": usage}
    root = mlflow.start_span_no_context("agent", experiment_id=experiment, start_time_ns=at_ns, tags=tags)
    root.set_attributes(told)
    span = mlflow.start_span_no_context("call", span_type="CHAT_MODEL", parent_span=root, start_time_ns=at_ns)
    span.set_attributes(told | {"mlflow.llm.model": "gpt-4o-mini"})
    span.end(end_time_ns=at_ns + 1)
    root.end(end_time_ns=at_ns + 2)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own: an error inside its tracer silently makes no trace
        _, time, *places = sys.argv
        for place in zip(places[::2], places[1::2], strict=True):
            write(*place, int(time))

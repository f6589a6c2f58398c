"""What a person should know about reading an MLflow's own database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alerter.core.ports import Finding
from alerter.sources.mlflow_database.connection import Reading
from alerter.sources.mlflow_database.experiments import other_workspaces
from alerter.sources.mlflow_database.revisions import NAMES, release_of
from alerter.sources.mlflow_rest.tracking import Row

TABLES = (
    "runs",
    "params",
    "tags",
    "latest_metrics",
    "experiments",
    "experiment_tags",
    "trace_info",
    "trace_tags",
    "trace_request_metadata",
    "spans",
    "logged_models",
    "logged_model_tags",
)
"""Every table that is read, with ``alembic_version``."""


def findings(
    reading: Reading, *, subject: str, shown: str, revision: str, workspace: str, known: Sequence[Row], chosen: int
) -> Iterator[Finding]:
    """Yield what there is to say of a database whose schema is known; ``known`` are its workspace's experiments.

    Raises:
        DBAPIError: a table can't be read.
    """
    for table in TABLES:
        reading.rows(f"SELECT 1 FROM {table} LIMIT 1")
    text = f"{shown} is read, of MLflow {release_of(revision)} (schema {revision}, of the known {NAMES}): "
    text += f"{chosen} of {len(known)} experiments are read."
    if chosen:
        yield Finding("ok", subject, text)
    else:
        remedy = "Check the source's experiments include and exclude, and that backend_store is this server's."
        yield Finding("warning", subject, text, remedy)
    if others := other_workspaces(reading, workspace):
        text = f"The database has other workspaces ({', '.join(others[:5])}); only {workspace} is read, "
        text += "so totals are a lower bound (>=) for the server."
        yield Finding("warning", subject, text, "Start one alerter for each further workspace, by MLFLOW_WORKSPACE.")

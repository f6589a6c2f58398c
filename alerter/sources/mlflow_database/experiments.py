"""Experiments with their tags, as MLflow's REST API would write them in JSON."""

from __future__ import annotations

from alerter.sources.mlflow_database.connection import Reading
from alerter.sources.mlflow_rest.tracking import Row


def experiments_of(reading: Reading, workspace: str) -> list[Row]:
    """Return every experiment of a workspace, deleted ones too."""
    rows = reading.rows("SELECT experiment_id, name, workspace FROM experiments WHERE workspace = ?", workspace)
    found = {row[0]: {"experiment_id": str(row[0]), "name": row[1], "workspace": row[2], "tags": []} for row in rows}
    for experiment_id, key, value in reading.rows("SELECT experiment_id, key, value FROM experiment_tags"):
        if experiment_id in found:
            found[experiment_id]["tags"].append({"key": key, "value": value})
    return list(found.values())


def other_workspaces(reading: Reading, workspace: str) -> list[str]:
    """Return the names of the other workspaces that have experiments."""
    sql = "SELECT DISTINCT workspace FROM experiments WHERE workspace <> ? ORDER BY workspace"
    return [str(row[0]) for row in reading.rows(sql, workspace)]

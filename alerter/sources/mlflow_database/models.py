"""LoggedModels, as MLflow's REST API would write them in JSON, and what of runs and models is still there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from alerter.core.storage import Artifacts
from alerter.sources.mlflow_database.connection import Reading
from alerter.sources.mlflow_database.dialects import tables_of
from alerter.sources.mlflow_database.tables import BATCH, marks
from alerter.sources.mlflow_rest.artifacts import PENDING
from alerter.sources.mlflow_rest.tracking import Row

_PAGE: Final = 1_000
_PENDING: Final = 1
"""As the database says it; 2 is ready, 3 failed."""


class DatabaseModels:
    """LoggedModels of the chosen experiments that are not deleted, by one open connection."""

    def __init__(self, reading: Reading, experiment_ids: Collection[str]) -> None:
        self._reading = reading
        self._rows = reading.rows
        self._experiment_ids = sorted(int(each) for each in experiment_ids)

    def written(self) -> str:
        """Return what is another one once any was written, or others are chosen; ``""`` where that can't be told."""
        written = tables_of(self._reading).models_written()
        return written and f"{written} {self._experiment_ids}"

    def changed(self, since_ms: int, token: str) -> tuple[list[Row], str]:
        """Return a page of those that changed at an instant or later, and the next one's token or ``""``."""
        if not self._experiment_ids:
            return [], ""
        at, _, after = token.partition(":")
        at_ms = int(at or since_ms)
        sql = (
            "SELECT model_id, experiment_id, source_run_id, last_updated_timestamp_ms, status FROM logged_models "
            f"WHERE lifecycle_stage = 'active' AND experiment_id IN {marks(self._experiment_ids)} "
            "AND (last_updated_timestamp_ms > ? OR (last_updated_timestamp_ms = ? AND model_id > ?)) "
            "ORDER BY last_updated_timestamp_ms, model_id LIMIT ?"
        )
        found = self._rows(sql, *self._experiment_ids, at_ms, at_ms, after, _PAGE)
        infos = {row[0]: _info(*row) for row in found}
        if infos:
            tags = f"SELECT model_id, tag_key, tag_value FROM logged_model_tags WHERE model_id IN {marks(list(infos))}"
            for model_id, key, value in self._rows(tags, *infos):
                infos[model_id]["tags"].append({"key": key, "value": value})
        last = f"{found[-1][3]}:{found[-1][0]}" if len(found) == _PAGE else ""
        return [{"info": info} for info in infos.values()], last

    def still_there(self, wanted: Collection[Artifacts]) -> frozenset[Artifacts]:
        """See `alerter.core.storage.ArtifactSource.still_there`."""
        models = sorted({each.model_id for each in wanted if each.model_id})
        runs = sorted({each.run_uuid for each in wanted if not each.model_id})
        there: set[str] = set()
        tables = tables_of(self._reading)
        for some in _batches(runs):
            there.update(row.run_uuid for row in tables.by_ids(some) if row.experiment_id in self._experiment_ids)
        for some in _batches(models):
            sql = (
                f"SELECT model_id, experiment_id FROM logged_models WHERE model_id IN {marks(some)} "
                "AND lifecycle_stage = 'active'"
            )
            there.update(row[0] for row in self._rows(sql, *some) if row[1] in self._experiment_ids)
        return frozenset(each for each in wanted if (each.model_id or each.run_uuid) in there)


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[first : first + BATCH] for first in range(0, len(ids), BATCH)]


def _info(model_id: str, experiment_id: int, run_uuid: str | None, changed_ms: int, status: int) -> Row:
    return {
        "model_id": model_id,
        "experiment_id": str(experiment_id),
        "source_run_id": run_uuid,
        "last_updated_timestamp_ms": changed_ms,
        "status": PENDING if status == _PENDING else "",
        "tags": [],
    }

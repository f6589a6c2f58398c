"""What runs and LoggedModels hold: their folders are listed, file by file, and nothing is downloaded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from alerter.core.storage import MOST_BYTES, Artifacts, ModelBatch, ModelSeen, UnlistableError
from alerter.sources.mlflow_rest.bad_day import WrongAnswerError
from alerter.sources.mlflow_rest.decoding import Decoder
from alerter.sources.mlflow_rest.errors import MissingError, ReadError
from alerter.sources.mlflow_rest.observing import MAX_KEY, plain
from alerter.sources.mlflow_rest.tracking import ArtifactTracking, Query, Row
from alerter.sources.mlflow_rest.walk import Runs

log = logging.getLogger(__name__)

PAGE: Final = 100
MOST_LISTINGS: Final = 2_000
"""Requests for one run or model: one with more folders, or pages of files, is told as one that can't be listed."""

MOST_MODELS: Final = 100_000
"""LoggedModels of one read, even if all of them changed within the same millisecond."""

BUSY: Final = frozenset({0, 401, 408, 429, 502, 503, 504})
"""Statuses (0: none came) that say nothing of what was asked for: it is asked for again at the next poll."""

PENDING: Final = "LOGGED_MODEL_PENDING"


class ArtifactReader:
    """The artifacts of the chosen experiments, through an `ArtifactTracking`."""

    def __init__(
        self, source: str, tracking: ArtifactTracking, decoder: Decoder, experiment_ids: Sequence[str]
    ) -> None:
        self._source = source
        self._tracking = tracking
        self._decoder = decoder
        self._experiment_ids = experiment_ids

    def size(self, artifacts: Artifacts) -> int | None:
        """See `alerter.core.storage.ArtifactSource.artifact_bytes`."""
        try:
            return self._walked(artifacts)
        except MissingError as error:
            if artifacts in self.still_there([artifacts]):
                raise UnlistableError(error.cause) from error
            return None
        except WrongAnswerError as error:
            raise UnlistableError("the listing is not understood") from error
        except ReadError as error:
            if error.status in BUSY:
                raise
            raise UnlistableError(f"the server can't list them ({error.status})") from error

    def still_there(self, wanted: Collection[Artifacts]) -> frozenset[Artifacts]:
        """See `alerter.core.storage.ArtifactSource.still_there`."""
        runs = Runs(self._tracking, self._experiment_ids, page_size=PAGE)
        there = {
            str((row.get("info") or {}).get("run_id"))
            for rows in runs.by_ids({each.run_uuid for each in wanted if not each.model_id})
            for row in rows
        }
        asked = sorted({each.model_id for each in wanted if each.model_id.replace("-", "").isalnum()})
        for first in range(0, len(asked), PAGE):
            quoted = ", ".join(f"'{each}'" for each in asked[first : first + PAGE])
            page = self._models(f"model_id IN ({quoted})", "creation_timestamp ASC")
            there.update(str((row.get("info") or {}).get("model_id")) for row in page[0])
        return frozenset(each for each in wanted if (each.model_id or each.run_uuid) in there)

    def models(self, since_ms: int, limit: int) -> Iterator[ModelBatch]:
        """See `alerter.core.storage.ArtifactSource.models`."""
        where = f"last_updated_timestamp >= {since_ms}"

        def page(token: str) -> tuple[list[Row], str]:
            return self._models(where, "last_updated_timestamp ASC", token)

        yield from model_batches(page, self._decoder, since_ms, limit)

    def _models(self, where: str, order_by: str, token: str = "") -> tuple[list[Row], str]:
        if not self._experiment_ids:
            return [], ""
        try:
            page = self._tracking.models(self._experiment_ids, Query(where, order_by, PAGE, token))
        except MissingError as error:
            log.debug("the server knows no LoggedModels source=%s error=%s", self._source, error)
            return [], ""
        return page.rows, page.token

    def _walked(self, artifacts: Artifacts) -> int:
        size, listings, folders = 0, 0, [""]
        while folders:
            folder = folders.pop()
            for rows in self._pages(artifacts, folder):
                entries = [_entry(row, folder) for row in rows]
                folders += [path for path, held in entries if held is None]
                size += sum(held for _, held in entries if held is not None)
                listings += 1
                if size > MOST_BYTES:
                    raise UnlistableError("the sizes in the listing are impossible")
                if listings > MOST_LISTINGS:
                    raise UnlistableError(f"more than {MOST_LISTINGS} folders")
        return size

    def _pages(self, artifacts: Artifacts, folder: str) -> Iterator[list[Row]]:
        token = ""
        while True:
            try:
                page = self._tracking.artifacts(artifacts.run_uuid, artifacts.model_id, folder, token)
            except MissingError:
                if not folder:
                    raise
                return  # it was removed meanwhile
            yield page.rows
            if page.token and page.token == token:
                raise UnlistableError("the listing has no end")
            if not (token := page.token):
                return


def model_batches(
    page: Callable[[str], tuple[list[Row], str]], decoder: Decoder, since_ms: int, limit: int
) -> Iterator[ModelBatch]:
    """Yield LoggedModels by pages; a page is asked for by the token that the one before gave, ``""`` at first."""
    token, read, last = "", 0, since_ms
    while True:
        rows, token = page(token)
        found = [model for row in rows if (model := _model(row, decoder)) is not None]
        read += len(rows)
        last = max([last, *(each.changed_ms for each in found)])
        yield ModelBatch(found, behind=bool(token))
        # The next read begins at the last change: it must have moved on.
        if not token or (read >= limit and last > since_ms) or read >= MOST_MODELS:
            return


def _model(row: Row, decoder: Decoder) -> ModelSeen | None:
    try:
        info = row["info"]
        experiment_id = str(info["experiment_id"])
        own = [(tag["key"], tag.get("value") or "") for tag in info.get("tags") or ()]
        user = str(info.get("creator_id") or dict(own).get("mlflow.user") or "")
        return ModelSeen(
            Artifacts(plain(info.get("source_run_id") or "", MAX_KEY), plain(info["model_id"], MAX_KEY)),
            experiment_id,
            decoder.tags_of(experiment_id, user, own),
            int(info["last_updated_timestamp_ms"]),
            info.get("status") != PENDING,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log.warning("LoggedModel left out: MLflow wrote it unreadably error=%r", error)
        return None


def _entry(row: Row, folder: str) -> tuple[str, int | None]:
    """Return a path and its size, None of a folder, which is always deeper than the one that lists it."""
    try:
        path, is_folder, size = row["path"], bool(row.get("is_dir")), int(row.get("file_size") or 0)
        deeper = path != folder and path.startswith(f"{folder}/" if folder else "")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnlistableError("the listing is not understood") from error
    if not deeper or size < 0:
        raise UnlistableError("the listing is not understood")
    return path, None if is_folder else size

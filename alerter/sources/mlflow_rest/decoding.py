"""MLflow's JSON into observations: nothing a client wrote can stop a poll."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from alerter.core.logged_cost import METRIC, UNREADABLE, read_cost
from alerter.core.price_rules import TAG
from alerter.core.usage import Pairs, RunObservation, RunStatus
from alerter.sources.mlflow_rest.tracking import Row

log = logging.getLogger(__name__)

BUILT_IN = ("experiment", "experiment_id", "source", "user", "workspace")
"""Tag keys that the source sets; a user's tag of that name is overridden, so that nobody re-labels another's cost."""

ALWAYS_KEPT = frozenset({"mlflow.databricks.cluster.info", "mlflow.databricks.cluster.id"})
MAX_TAGS = 64
MAX_KEY = 250
MAX_TAG_VALUE = 256
MAX_USAGE_VALUE = 512
MAX_JSON_VALUE = 4096
MAX_CACHED = 2_000


class Decoder:
    """Turns rows into observations.

    Args:
        source: the source's name, for the built-in tag.
        workspace: the workspace where an experiment doesn't name its own.
        usage_keys: params and tags that are kept as usage; a param goes before a tag of the same key.
        cost_keys: metrics (``metric.NAME``) and tags (``tag.NAME``) by which runs log their own cost.
    """

    def __init__(
        self, *, source: str, workspace: str, usage_keys: frozenset[str], cost_keys: frozenset[str] = frozenset()
    ) -> None:
        self._source = source
        self._workspace = workspace
        self._usage_keys = usage_keys | ALWAYS_KEPT
        self._cost_metrics = {key.removeprefix(METRIC): key for key in cost_keys if key.startswith(METRIC)}
        self._cost_tags = {key.removeprefix(TAG): key for key in cost_keys if key.startswith(TAG)}
        self._experiments: Mapping[str, Row] = {}
        self._overlays: dict[str, dict[str, str]] = {}
        self._tags: dict[tuple[str, str, tuple[tuple[str, str], ...]], Pairs] = {}

    def use(self, experiments: Mapping[str, Row]) -> None:
        """Take the experiments of a poll, by id; their tags lie under their runs'."""
        if experiments != self._experiments:
            self._overlays.clear()
            self._tags.clear()
        self._experiments = experiments

    def decode(self, rows: Iterable[Row], now_ms: int) -> list[RunObservation]:
        """Return the observations of rows; one that can't be read at all is logged and left out."""
        observations = []
        for row in rows:
            try:
                observations.append(self._run(row, now_ms))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                log.warning("run left out: MLflow wrote it unreadably run=%r error=%r", run_id(row), error)
        return observations

    def tags_of(self, experiment_id: str, user: str) -> Pairs:
        """Return the tags of what is logged into an experiment beside its runs, with the built-in keys."""
        return self._overlaid(experiment_id, _plain(user, MAX_TAG_VALUE), [])

    def _run(self, row: Row, now_ms: int) -> RunObservation:
        info, data = row["info"], row.get("data") or {}
        usage: dict[str, str] = {}
        own: list[tuple[str, str]] = []
        special: dict[str, str] = {}
        for tag in data.get("tags") or ():
            key, value = tag["key"], tag.get("value") or ""
            if key in self._usage_keys:
                usage[key] = value
            if key.startswith("mlflow."):
                special[key] = value
            else:
                own.append((key, value))
        for param in data.get("params") or ():
            if param["key"] in self._usage_keys:
                usage[param["key"]] = param.get("value") or ""
        beats = [int(metric.get("timestamp") or 0) for metric in data.get("metrics") or ()]
        costs, unreadable = self._costs(data)
        usage |= unreadable
        uuid = str(info.get("run_id") or info["run_uuid"])
        user = _plain(info.get("user_id") or special.get("mlflow.user") or "", MAX_TAG_VALUE)
        parent = special.get("mlflow.parentRunId")
        end = _time(info.get("end_time"))
        start = _time(info.get("start_time"))
        return RunObservation(
            run_uuid=uuid,
            experiment_id=str(info["experiment_id"]),
            name=_plain(info.get("run_name") or special.get("mlflow.runName") or "", MAX_TAG_VALUE),
            user=user,
            status=_status(info.get("status") or "", end),
            # A run that never said when it began is not charged from 1970 on.
            start_ms=start if start is not None else end if end is not None else now_ms,
            end_ms=end,
            deleted=info.get("lifecycle_stage") == "deleted",
            tags=self._overlaid(str(info["experiment_id"]), user, own),
            usage=tuple(sorted((key, _usage(key, value)) for key, value in usage.items())),
            last_metric_ms=max(beats, default=0) or None,
            parent_uuid=_plain(parent, MAX_KEY) if parent and parent != uuid else None,
            costs=costs,
        )

    def _costs(self, data: Row) -> tuple[Pairs, dict[str, str]]:
        """Return the costs that a run logged, a metric's at full precision, and what of them is no cost."""
        logged = [
            (keys[each["key"]], str(each.get("value")))
            for keys, kind in ((self._cost_metrics, "metrics"), (self._cost_tags, "tags"))
            for each in data.get(kind) or ()
            if keys and each.get("key") in keys
        ]
        if not logged:
            return (), {}
        readable = tuple(sorted((key, text) for key, text in logged if read_cost(text) is not None))
        return readable, {UNREADABLE + key: text for key, text in logged if read_cost(text) is None}

    def _overlaid(self, experiment_id: str, user: str, own: list[tuple[str, str]]) -> Pairs:
        key = (experiment_id, user, tuple(own))
        tags = self._tags.get(key)
        if tags is None:
            if len(self._tags) >= MAX_CACHED:
                self._tags.clear()
            tags = self._tags[key] = self._overlay(experiment_id, user, own)
        return tags

    def _overlay(self, experiment_id: str, user: str, own: list[tuple[str, str]]) -> Pairs:
        overlay = self._overlays.get(experiment_id)
        experiment = self._experiments.get(experiment_id) or {}
        if overlay is None:
            tags = ((tag["key"], tag.get("value") or "") for tag in experiment.get("tags") or ())
            overlay = self._overlays[experiment_id] = _bounded(tags)
        merged = dict(sorted((overlay | _bounded(own)).items())[:MAX_TAGS])
        merged |= {
            "experiment": _plain(experiment.get("name") or "", MAX_TAG_VALUE),
            "experiment_id": experiment_id,
            "source": self._source,
            "user": user,
            "workspace": _plain(experiment.get("workspace") or self._workspace, MAX_TAG_VALUE),
        }
        return tuple(sorted(merged.items()))


def own_tags(tags: Iterable[tuple[str, str]]) -> Pairs:
    """Return the tags that people gave to something, bounded; MLflow's own and the built-in keys are left out."""
    return tuple(sorted(_bounded((key, value or "") for key, value in tags).items())[:MAX_TAGS])


def run_id(row: Row) -> str:
    """Return a row's run id, ``""`` if it has none."""
    info = row.get("info") or {}
    return str(info.get("run_id") or info.get("run_uuid") or "")


def time_of(row: Row, key: str) -> int | None:
    """Return a row's ``start_time`` or ``end_time`` in epoch ms exactly as MLflow sorts by it; None if it has none."""
    value = (row.get("info") or {}).get(key)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None


def _time(value: int | str | None) -> int | None:
    # MLflow stores 0 for a run created without a start.
    return int(value) if value is not None and int(value) > 0 else None


def _status(text: str, end: int | None) -> RunStatus:
    try:
        return RunStatus(text)
    except ValueError:
        return RunStatus.RUNNING if end is None else RunStatus.FINISHED


def _bounded(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {
        _plain(key, MAX_KEY): _plain(value, MAX_TAG_VALUE)
        for key, value in tags
        if key and len(key) <= MAX_KEY and not key.startswith("mlflow.") and key not in BUILT_IN
    }


def _usage(key: str, value: str) -> str:
    return _plain(value, MAX_JSON_VALUE if key in ALWAYS_KEPT else MAX_USAGE_VALUE)


def _plain(text: str, limit: int) -> str:
    """Return text that every database can store: bounded, no NUL, no lone surrogates."""
    text = str(text)[:limit]
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")

"""What MLflow tells of runs, as JSON or as rows, into observations: nothing a client wrote can stop a poll."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alerter.core.logged_cost import METRIC, UNREADABLE, read_cost
from alerter.core.price_rules import TAG
from alerter.core.usage import Pairs, RunObservation
from alerter.sources.mlflow_rest.observing import MAX_KEY, MAX_TAG_VALUE, Content, observation, plain
from alerter.sources.mlflow_rest.tracking import Row

log = logging.getLogger(__name__)

BUILT_IN = ("experiment", "experiment_id", "source", "user", "workspace")
"""Tag keys that the source sets; a user's tag of that name is overridden, so that nobody re-labels another's cost."""

ALWAYS_KEPT = frozenset({"mlflow.databricks.cluster.info", "mlflow.databricks.cluster.id"})
MAX_TAGS = 64
MAX_USAGE_VALUE = 512
MAX_JSON_VALUE = 4096
MAX_CACHED = 5_000
UNREADABLE_RUN = (KeyError, TypeError, ValueError, AttributeError)
"""What a run that can't be used at all may raise."""


@dataclass(slots=True)
class Seen:
    """A run as it was read, from JSON or from a database; times in epoch ms, ``metrics`` those that log a cost."""

    run_uuid: str
    experiment_id: str
    name: str | None
    user: str | None
    status: str | None
    start: int | str | None
    end: int | str | None
    deleted: bool
    tags: Pairs = ()
    params: Pairs = ()
    metrics: list[tuple[str, str]] = field(default_factory=list)
    last_metric_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """What tags say: people's own, MLflow's, those that are kept as usage, and those that log a cost."""

    own: Pairs
    special: dict[str, str]
    usage: Pairs
    costs: Pairs


class Decoder:
    """Turns rows into observations.

    Args:
        source: the source's name, for the built-in tag.
        workspace: the workspace where an experiment doesn't name its own.
        usage_keys: params and tags that are kept as usage; a param goes before a tag of the same key.
        cost_keys: metrics (``metric.NAME``) and tags (``tag.NAME``) by which runs log their own cost.
        tag_keys: tags that are kept however many there are beside them.
    """

    def __init__(
        self,
        *,
        source: str,
        workspace: str,
        usage_keys: frozenset[str],
        cost_keys: frozenset[str] = frozenset(),
        tag_keys: frozenset[str] = frozenset(),
    ) -> None:
        self._source = source
        self._workspace = workspace
        self._tag_keys = tag_keys
        self.usage_keys = usage_keys | ALWAYS_KEPT
        self.cost_metrics = {key.removeprefix(METRIC): key for key in cost_keys if key.startswith(METRIC)}
        self.cost_tags = {key.removeprefix(TAG): key for key in cost_keys if key.startswith(TAG)}
        self._experiments: Mapping[str, Row] = {}
        self._overlays: dict[str, dict[str, str]] = {}
        self._sayings: dict[Pairs, _Said] = {}
        self._usages: dict[tuple[Pairs, Pairs, Pairs], Pairs] = {}
        self._tags: dict[tuple[str, str, Pairs], Pairs] = {}

    def use(self, experiments: Mapping[str, Row]) -> None:
        """Take the experiments of a poll, by id; their tags lie under their runs'."""
        if experiments != self._experiments:
            self._overlays.clear()
            self._tags.clear()
        self._experiments = experiments

    def decode(self, rows: Iterable[Row], now_ms: int) -> list[RunObservation]:
        """Return the observations of rows; one that can't be read at all is logged and left out."""
        return self.observe((self._seen(row) for row in rows), now_ms)

    def observe(self, runs: Iterable[Seen | None], now_ms: int) -> list[RunObservation]:
        """Return the observations of runs as they were read; one that can't be used at all is logged and left out."""
        observations = []
        for run in runs:
            if run is None:
                continue
            try:
                facts = (run.run_uuid, run.name, run.status, run.start, run.end, run.deleted)
                observations.append(observation(self.content(run), facts, now_ms, run.last_metric_ms))
            except UNREADABLE_RUN as error:
                left_out(run.run_uuid, error)
        return observations

    def tags_of(self, experiment_id: str, user: str, own: Iterable[tuple[str, str]] = ()) -> Pairs:
        """Return the tags of what is logged into an experiment beside its runs, with the built-in keys."""
        return self._overlaid(experiment_id, plain(user, MAX_TAG_VALUE), tuple(own))

    def own_tags(self, tags: Iterable[tuple[str, str]]) -> Pairs:
        """Return the tags that people gave to something, bounded; MLflow's own and the built-in keys are left out."""
        return tuple(sorted(self._kept(_bounded((key, value or "") for key, value in tags))))

    def _seen(self, row: Row) -> Seen | None:
        try:
            info, data = row["info"], row.get("data") or {}
            metrics = data.get("metrics") or ()
            return Seen(
                run_uuid=str(info.get("run_id") or info["run_uuid"]),
                experiment_id=str(info["experiment_id"]),
                name=info.get("run_name"),
                user=info.get("user_id"),
                status=info.get("status"),
                start=info.get("start_time"),
                end=info.get("end_time"),
                deleted=info.get("lifecycle_stage") == "deleted",
                tags=tuple([(tag["key"], tag.get("value") or "") for tag in data.get("tags") or ()]),
                params=tuple(
                    [
                        (param["key"], param.get("value") or "")
                        for param in data.get("params") or ()
                        if param["key"] in self.usage_keys
                    ]
                ),
                metrics=[
                    (each["key"], _number(each.get("value")))
                    for each in metrics
                    if each.get("key") in self.cost_metrics
                ],
                last_metric_ms=max((int(each.get("timestamp") or 0) for each in metrics), default=0),
            )
        except UNREADABLE_RUN as error:
            left_out(run_id(row), error)
            return None

    def content(self, run: Seen) -> Content:
        """Return what a run's user, tags, params and metrics come to."""
        said = self._said(run.tags)
        costs: Pairs = ()
        unreadable: Pairs = ()
        if run.metrics or said.costs:
            costs, unreadable = self._costs(run.metrics, said.costs)
        user = plain(run.user or said.special.get("mlflow.user") or "", MAX_TAG_VALUE)
        return Content(
            experiment_id=run.experiment_id,
            user=user,
            name=said.special.get("mlflow.runName") or "",
            tags=self._overlaid(run.experiment_id, user, said.own),
            usage=self._used(said.usage, run.params, unreadable),
            parent=said.special.get("mlflow.parentRunId") or None,
            costs=costs,
        )

    def _said(self, tags: Pairs) -> _Said:
        """Return what a run's tags say; most runs share theirs, or most of them, with others."""
        said = self._sayings.get(tags)
        if said is None:
            if len(self._sayings) >= MAX_CACHED:
                self._sayings.clear()
            said = self._sayings[tags] = _Said(
                tuple((key, value) for key, value in tags if not key.startswith("mlflow.")),
                {key: value for key, value in tags if key.startswith("mlflow.")},
                tuple((key, value) for key, value in tags if key in self.usage_keys),
                tuple((self.cost_tags[key], text) for key, text in tags if key in self.cost_tags),
            )
        return said

    def _used(self, tags: Pairs, params: Pairs, unreadable: Pairs) -> Pairs:
        logged = (tags, params, unreadable)
        used = self._usages.get(logged)
        if used is None:
            if len(self._usages) >= MAX_CACHED:
                self._usages.clear()
            usage = dict(tags)
            usage |= ((key, value) for key, value in params if key in self.usage_keys)
            usage |= unreadable
            used = self._usages[logged] = tuple(sorted((key, _usage(key, value)) for key, value in usage.items()))
        return used

    def _costs(self, metrics: Iterable[tuple[str, str]], tags: Pairs) -> tuple[Pairs, Pairs]:
        """Return the costs that a run logged, a metric's at full precision, and what of them is no cost."""
        logged = [*((self.cost_metrics[key], text) for key, text in metrics), *tags]
        readable = tuple(sorted((key, text) for key, text in logged if read_cost(text) is not None))
        return readable, tuple((UNREADABLE + key, text) for key, text in logged if read_cost(text) is None)

    def _overlaid(self, experiment_id: str, user: str, own: Pairs) -> Pairs:
        key = (experiment_id, user, own)
        tags = self._tags.get(key)
        if tags is None:
            if len(self._tags) >= MAX_CACHED:
                self._tags.clear()
            tags = self._tags[key] = self._overlay(experiment_id, user, own)
        return tags

    def _overlay(self, experiment_id: str, user: str, own: Pairs) -> Pairs:
        overlay = self._overlays.get(experiment_id)
        experiment = self._experiments.get(experiment_id) or {}
        if overlay is None:
            tags = ((tag["key"], tag.get("value") or "") for tag in experiment.get("tags") or ())
            overlay = self._overlays[experiment_id] = _bounded(tags)
        merged = dict(self._kept(overlay | _bounded(own)))
        merged |= {
            "experiment": plain(experiment.get("name") or "", MAX_TAG_VALUE),
            "experiment_id": experiment_id,
            "source": self._source,
            "user": user,
            "workspace": plain(experiment.get("workspace") or self._workspace, MAX_TAG_VALUE),
        }
        return tuple(sorted(merged.items()))

    def _kept(self, tags: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return as many tags as are kept, those that money depends on first."""
        return sorted(tags.items(), key=lambda tag: (tag[0] not in self._tag_keys, tag))[:MAX_TAGS]


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


def _number(value: object) -> str:
    # MLflow's JSON says "NaN", its client a float.
    return "NaN" if isinstance(value, float) and math.isnan(value) else str(value)


def left_out(run: str, error: Exception) -> None:
    """Log that a run can't be used at all."""
    log.warning("run left out: MLflow wrote it unreadably run=%r error=%r", run, error)


def _bounded(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {
        plain(key, MAX_KEY): plain(value, MAX_TAG_VALUE)
        for key, value in tags
        if key and len(key) <= MAX_KEY and not key.startswith("mlflow.") and key not in BUILT_IN
    }


def _usage(key: str, value: str) -> str:
    return plain(value, MAX_JSON_VALUE if key in ALWAYS_KEPT else MAX_USAGE_VALUE)

"""What the demo's teams have run: experiments, runs and their times, sized by the prices of the day.

Everything is relative to now, and fits the budgets of `alerter.demo.files` at any hour of any day: windows of 30 days,
and a project's dates around today. The last run of an experiment lasts as long as it takes to spend what is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from alerter.core.periods import HOUR_MS

P4D = {"instance_type": "p4d.24xlarge"}
TRAINING = {"instance_type": "m5.xlarge", "num_workers": "4", "gpu_count": "1"}
TUNING = {"cpu_cores": "8", "gpu_memory_gb": "16", "training_epochs": "50"}

TEAM_AMOUNT = 2000
NLP_AMOUNT = 1500
PROJECT_AMOUNT = 1500
WATCHED_S = 20
"""So long after its start the run that is watched has spent the rest of 80 %."""

PerHour = Callable[[Mapping[str, str]], Decimal]
"""What a machine costs an hour, by the params that name it."""


@dataclass(frozen=True, slots=True)
class SampleRun:
    """A run to be logged; ``hours`` is how long it took, None while it goes on, ``ago`` when it began (hours)."""

    name: str
    params: Mapping[str, str]
    ago: float
    hours: float | None
    user: str
    tags: Mapping[str, str] = field(default_factory=dict)
    model: bool = False

    def times(self, now_ms: int) -> tuple[int, int | None]:
        """Return its start and its end in epoch ms; the end is None while it goes on."""
        start = now_ms - round(self.ago * HOUR_MS)
        return start, None if self.hours is None else start + round(self.hours * HOUR_MS)


@dataclass(frozen=True, slots=True)
class SampleExperiment:
    """An experiment with its tags and runs; ``spend`` is what they cost together by now."""

    name: str
    tags: Mapping[str, str]
    runs: Sequence[SampleRun]
    spend: Decimal


WATCHED = SampleRun("vit-huge-pretraining", P4D | {"num_nodes": "16"}, 0, None, "vera")
"""The run that starts while somebody watches, in the experiment `WATCHED_IN`."""
WATCHED_IN = "defect-detection"

_ROOMY = 24 * 13.0
"""Where the long runs that fill up an experiment's spending begin: within every window, before the last week."""


def experiments(per_hour: PerHour) -> list[SampleExperiment]:
    """Return what is there at the start: nothing of it crosses a threshold later, but for the watched run's team."""
    watched = per_hour(WATCHED.params) * WATCHED_S / 3600
    return [_filled(each, per_hour) for each in (_fraud(), _vision(watched), _nlp(), _untagged())]


def _fraud() -> SampleExperiment:
    trials = [SampleRun(f"trial-{n:02}", TUNING, 30 + 7 * n, 6 + n / 4, "ana", model=True) for n in range(1, 9)]
    runs = [
        *trials,
        SampleRun("trial-09", TUNING, 2.5, None, "ana", model=True),
        SampleRun("train-monthly", TRAINING, 24 * 6, 11, "ana"),
        SampleRun("train-weekly", TRAINING, 24 * 2, 9, "omar"),
        SampleRun("graph-embeddings", P4D, _ROOMY, None, "omar"),
    ]
    tags = {"project": "fraud-detection", "team": "analytics", "cost_center": "cc-101"}
    return SampleExperiment("fraud-detection", tags, runs, Decimal(PROJECT_AMOUNT) * 60 / 100)


def _vision(watched: Decimal) -> SampleExperiment:
    runs = [
        SampleRun("augmentation-study", TRAINING, 24 * 4, 14, "vera"),
        SampleRun("yolo-baseline", P4D | {"num_nodes": "2"}, 24 * 9, 12, "vera", model=True),
        SampleRun("vit-large-pretraining", P4D | {"num_nodes": "4"}, _ROOMY, None, "kai"),
    ]
    tags = {"project": "quality-inspection", "team": "vision", "cost_center": "cc-204"}
    return SampleExperiment(WATCHED_IN, tags, runs, Decimal(TEAM_AMOUNT) * 80 / 100 - watched)


def _nlp() -> SampleExperiment:
    runs = [
        SampleRun("reward-model", P4D, 3, None, "noor"),
        SampleRun("sft-7b", P4D | {"num_nodes": "4"}, 30, 10, "noor", model=True),
        SampleRun("evaluation", TRAINING, 20, 5, "lin"),
        SampleRun("continued-pretraining", P4D | {"num_nodes": "2"}, _ROOMY, None, "lin"),
    ]
    tags = {"project": "support-assistant", "team": "nlp", "cost_center": "cc-305"}
    return SampleExperiment("support-assistant", tags, runs, Decimal(NLP_AMOUNT) * 112 / 100)


def _untagged() -> SampleExperiment:
    runs = [
        SampleRun("test", TRAINING, 24 * 3, 4, "kai"),
        SampleRun("debug (no machine logged)", {"learning_rate": "0.001"}, 24 * 2, 1, "omar"),
        SampleRun("big-batch-try", P4D, _ROOMY, None, "kai"),
    ]
    return SampleExperiment("scratch", {}, runs, Decimal(240))


def _filled(experiment: SampleExperiment, per_hour: PerHour) -> SampleExperiment:
    """Give the last run the hours that bring the experiment to what it is to have spent."""
    *others, last = experiment.runs
    spent = sum((Decimal(_hours(run)) * per_hour(run.params) for run in others), Decimal(0))
    hours = float((experiment.spend - spent) / per_hour(last.params))
    return replace(experiment, runs=[*others, replace(last, hours=max(hours, 0.01))])


def _hours(run: SampleRun) -> float:
    return run.ago if run.hours is None else run.hours


def count(found: Sequence[SampleExperiment]) -> int:
    """Return how many runs there are."""
    return sum(1 for _ in _runs(found))


def _runs(found: Sequence[SampleExperiment]) -> Iterator[SampleRun]:
    for experiment in found:
        yield from experiment.runs

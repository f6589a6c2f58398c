"""What may happen on a tracking server between polls, as hypothesis makes it up, and what the server then shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from alerter.core.usage import RunObservation
from tests.truth.ledgers import DAY, HOUR, MINUTE, run

Step = tuple[int, tuple[object, ...]]
"""(pause in ms, what happens after it)."""

Steps = list[Step]

USAGES = (
    {"instance_type": "m5.xlarge", "num_workers": "4"},
    {"instance_type": "p4d.24xlarge"},
    {"cpu_cores": "500m", "memory_request": "3Gi", "gpu_count": "2"},
    {"instance_type": "tiny", "num_workers": "7"},
    {"instance_type": "m5.xlarge", "num_workers": "four"},
    {"training_epochs": "50"},
)
TAGS: tuple[dict[str, str], ...] = (
    {"team": "a", "project": "fraud-1"},
    {"team": "b"},
    {"project": "other", "team": " a "},
    {},
)

BOXES = (None, "x", "y")


def usage_of(machine: int) -> dict[str, str]:
    """What a run logs: a machine, and of those after the first six by which `resource_id` it goes."""
    usage, box = USAGES[machine % len(USAGES)], BOXES[machine // len(USAGES)]
    return usage if box is None else {**usage, "resource_id": box}


names = st.sampled_from(["r1", "r2", "r3"])
machines = st.integers(0, len(USAGES) - 1)
skews = st.sampled_from([0, 0, 0, -7 * MINUTE, 11 * MINUTE, -3 * DAY])
beats = st.sampled_from([None, None, 1 * MINUTE, 25 * MINUTE])
parents = st.sampled_from([None, None, "r1", "r2"])
starts = st.sampled_from([0, 0, 0, -13 * HOUR, 4 * MINUTE, -(2**60)])
begins = st.tuples(
    st.just("begin"), names, machines, st.sampled_from(["RUNNING", "RUNNING", "SCHEDULED"]), starts, parents
)
ends = st.tuples(st.just("end"), names, skews)
resumes = st.tuples(st.just("resume"), names, beats)
pulses = st.tuples(st.just("beat"), names, st.sampled_from([0, 0, -MINUTE, -2 * HOUR, 11 * MINUTE, 5 * HOUR]))
turns = st.one_of(begins, ends, resumes, pulses, pulses)
"""What happens most: of these are the long stories of one run made."""

edits = st.one_of(
    st.tuples(st.just("end"), names, st.none()),
    st.tuples(st.just("wait"), names),
    st.tuples(st.just("tag"), names, st.integers(0, len(TAGS) - 1)),
    st.tuples(st.just("params"), names, machines),
    st.tuples(st.just("no start"), names),
    st.tuples(st.just("earlier"), names, st.sampled_from([MINUTE, 5 * HOUR, 30 * HOUR])),
    st.tuples(st.sampled_from(["delete", "restore", "vanish", "reappear"]), names),
    st.tuples(st.just("reprice")),
)
pauses = st.one_of(st.integers(1, 90 * MINUTE), st.integers(1, 40 * HOUR), st.just(7 * HOUR + 30 * MINUTE))
polls = st.tuples(
    pauses, st.tuples(st.just("poll"), st.integers(1, 3), st.sampled_from([None, None, None, None, 0, 1]))
)


@st.composite
def stories(draw: st.DrawFn) -> Steps:
    """Runs begin; then things happen, mostly one or two between polls."""
    found: Steps = [(draw(pauses), draw(begins)) for _ in range(draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(3, 12))):
        found += [(draw(pauses), draw(st.one_of(turns, edits))) for _ in range(draw(st.integers(1, 2)))]
        found.append(draw(polls))
    return found


steps = stories()


_OTHERS = (("params", "r1"), ("params", "r2"))


def _families(drawn: tuple[Steps, list[tuple[int, int, int]]]) -> Steps:
    """Three runs within each other, seen in any order; then a story without edits of prices.

    Only the innermost run changes its params (some named stories have others): the oracle doesn't know where a run was
    free before the one above named another machine.
    """
    story, family = drawn
    found: Steps = []
    for name, (pause, machine, above) in zip(("r1", "r2", "r3"), family, strict=True):
        parent = (None, "r1", "r2")[min(above, int(name[1]) - 1)]
        found.append((pause, ("begin", name, machine, "RUNNING", 0, parent)))
    return found + [each for each in story if each[1][0] != "reprice" and each[1][:2] not in _OTHERS]


nested_steps = st.tuples(
    steps,
    st.lists(st.tuples(pauses, st.sampled_from([0, 0, 1, 2, 4, 5, 5]), st.integers(0, 2)), min_size=3, max_size=3),
).map(_families)


def _on_boxes(drawn: tuple[Steps, list[int]]) -> Steps:
    """The same story on machines that have names, most of them one."""
    story, boxes = drawn
    rest = iter(boxes)
    found: Steps = []
    for pause, (kind, *values) in story:
        if kind in {"begin", "params"}:
            values[1] = as_int(values[1]) + len(USAGES) * next(rest, 1)
        found.append((pause, (kind, *values)))
    return found


on_boxes = st.lists(st.sampled_from([1, 1, 1, 1, 2, 0]), min_size=8, max_size=8)
shared_steps = st.tuples(steps, on_boxes).map(_on_boxes)
nested_and_shared_steps = st.tuples(nested_steps, on_boxes).map(_on_boxes)


@dataclass
class World:
    """What really happens on the tracking server."""

    runs: dict[str, RunObservation] = field(default_factory=dict)
    erased: dict[str, RunObservation] = field(default_factory=dict)
    tariff: int = 0

    def happen(self, now: int, what: tuple[object, ...]) -> None:
        kind, *rest = what
        if kind == "reprice":
            self.tariff = 1 - self.tariff
            return
        name, *values = rest
        assert isinstance(name, str)
        if kind == "begin":
            self._begin(now, name, values)
        elif kind == "reappear" and name in self.erased and name not in self.runs:
            self.runs[name] = self.erased.pop(name)
        elif kind == "vanish" and name in self.runs:
            self.erased[name] = self.runs.pop(name)
        elif name in self.runs:
            self.runs[name] = self._changed(now, self.runs[name], str(kind), values)

    def _begin(self, now: int, name: str, values: list[object]) -> None:
        machine, status, skew, *above = values
        assert isinstance(machine, int)
        assert isinstance(skew, int)
        if name not in self.runs and name not in self.erased:
            start = max(now + skew, 0)
            # Runs nest in runs of lower names only: r3 in r2 in r1.
            parent = str(above[0]) if above and above[0] is not None and str(above[0]) < name else None
            tags = TAGS[machine % len(TAGS)]
            self.runs[name] = run(name, str(status), start, usage=usage_of(machine), tags=tags, parent=parent)
        elif name in self.runs and str(self.runs[name].status) == "SCHEDULED":
            start = max(now + skew, self.runs[name].start_ms)  # starts only move on
            self.runs[name] = _with(self.runs[name], status="RUNNING", start_ms=start)

    def _changed(self, now: int, old: RunObservation, kind: str, values: list[object]) -> RunObservation:
        value = values[0] if values else None
        match kind:
            case "end" if str(old.status) != "SCHEDULED":
                return _with(old, status="FINISHED", end_ms=old.end_ms if value is None else now + as_int(value))
            case "resume":
                beat = None if value is None else now + as_int(value)
                return _with(old, status="RUNNING", last_metric_ms=beat)
            case "beat" if str(old.status) == "RUNNING":
                return _with(old, last_metric_ms=now + as_int(value))
            case "wait":
                return _with(old, status="SCHEDULED")
            case "tag":
                return _with(old, tags=tuple(sorted(TAGS[as_int(value)].items())))
            case "params":
                return _with(old, usage=tuple(sorted(usage_of(as_int(value)).items())))
            case "earlier":
                return _with(old, start_ms=old.start_ms - as_int(value))
            case "no start":  # a source gives the poll's time to a run that has none
                return _with(old, start_ms=max(now, old.start_ms))
            case "delete" | "restore":
                return _with(old, deleted=kind == "delete")
        return old


def as_int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _with(old: RunObservation, **changes: object) -> RunObservation:
    made = run(old.run_uuid, str(changes.pop("status", old.status)), old.start_ms)
    kept = {
        name: getattr(old, name) for name in ("end_ms", "deleted", "tags", "usage", "last_metric_ms", "parent_uuid")
    }
    return replace(made, **{"start_ms": old.start_ms, **kept, **changes})

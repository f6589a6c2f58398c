"""The oracle's side: every run's story, what the runs pay beside each other, and the alerts that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from alerter.core.usage import RunObservation
from tests.truth.alarms import NANO, Alarms, Plan, Scope, a_day, a_month, a_week, last_days
from tests.truth.company import beside, is_own_machine, met, shared
from tests.truth.days import daily
from tests.truth.oracle import Story
from tests.truth.tariff import FOREVER, Line, Tariff, counted
from tests.truth.worlds import World

FIRST_MS = int(datetime(2026, 10, 22, 9, 30, tzinfo=UTC).timestamp()) * 1000
"""A month with two changes of clocks ahead: Berlin's on 25 October, New York's on 1 November."""

BUDGETS = """
defaults: {receivers: [console], thresholds: [50%, 100%], repeat_interval: never}
budgets:
  - {name: all, amount: "40", period: daily, timezone: Europe/Berlin}
  - name: teams
    group_by: [team, project]
    amount: "90"
    period: weekly
    timezone: America/New_York
    overrides: [{team: a, amount: "700"}]
  - {name: fraud, match: {project: ["fraud*"]}, amount: "350", period: {rolling_days: 3}, timezone: Australia/Lord_Howe}
  - {name: owned, match: {team: [a, b]}, amount: "1500", period: monthly, timezone: Asia/Kathmandu}
"""
PRICES = """
catalogs: []
prices:
  - {{match: {{instance_type: m5.xlarge}}, per_instance_hour: "{m5}"}}
  - {{match: {{instance_type: p4d.24xlarge}}, per_instance_hour: "32.7726", effective_to: 2026-10-24}}
  - match: {{instance_type: p4d.24xlarge}}
    per_instance_hour: "21.957642"
    effective_from: 2026-10-24
    effective_to: 2026-10-27
  - {{match: {{instance_type: p4d.24xlarge}}, per_instance_hour: "21.9", effective_from: 2026-10-27}}
  - {{match: {{instance_type: tiny}}, per_instance_hour: "0.0000001234567891"}}
resources: {{per_vcpu_hour: "0.031611", per_gib_hour: "0.004237", per_gpu_hour: {{"*": "1.3333333333333"}}}}
"""
P4D = [("", "32.7726"), ("2026-10-24", "21.957642"), ("2026-10-27", "21.9")]
PARTS = {"vcpu": "0.031611", "gib": "0.004237", "gpu": "1.3333333333333"}
M5 = ("0.192", "0.2110000001")
TARIFFS = [
    Tariff({"m5.xlarge": [("", m5)], "p4d.24xlarge": P4D, "tiny": [("", "0.0000001234567891")]}, PARTS) for m5 in M5
]


def _team(tags: dict[str, str]) -> str:
    return tags.get("team", "(untagged)").strip()


def scopes(tags: dict[str, str]) -> dict[str, Scope]:
    """Which scope of which budget counts a run of these tags."""
    project = tags.get("project", "(untagged)")
    found: dict[str, Scope] = {"all": (), "teams": (("team", _team(tags)), ("project", project))}
    if project.startswith("fraud"):
        found["fraud"] = ()
    if _team(tags) in {"a", "b"}:
        found["owned"] = ()
    return found


PLANS = {
    "all": Plan("Europe/Berlin", a_day, lambda _: 40 * NANO),
    "teams": Plan("America/New_York", a_week, lambda scope: (700 if ("team", "a") in scope else 90) * NANO),
    "fraud": Plan("Australia/Lord_Howe", last_days(3), lambda _: 350 * NANO, rolling=True),
    "owned": Plan("Asia/Kathmandu", a_month, lambda _: 1500 * NANO),
}

Daily = dict[tuple[str, Scope], dict[date, int]]


@dataclass
class Truth:
    """The oracle's side: every run's story, and the alerts that follow."""

    stories: dict[str, Story] = field(default_factory=dict)
    complete: int = 0
    tariff: int = 0
    nests: bool = False
    alarms: Alarms = field(default_factory=lambda: Alarms(PLANS))

    def poll(self, world: World, now: int, read: Sequence[RunObservation], *, complete: bool) -> None:
        tariff = TARIFFS[world.tariff]
        ended, (_, before) = {}, self._on_machines()
        for each in read:
            story = self.stories.setdefault(each.run_uuid, Story())
            if story.is_suspect_ending(each):
                ended[each.run_uuid] = each
            else:
                story.observe(each, now, self.complete, tariff)
        if complete:
            for name, story in self.stories.items():
                if name not in world.runs and story.since is not None:
                    story.vanish(now, self.complete, tariff)
        for box, on_it in self._on_machines()[1].items():
            for name, at in met(before.get(box, {}), on_it).items():
                if at > self.complete and self.stories[name].until is None:
                    self.stories[name].reprice(tariff, at, self.complete)
        if complete:
            self._live(world, now, ended)
            self.complete = now

    def _live(self, world: World, now: int, ended: Mapping[str, RunObservation]) -> None:
        """What a complete poll knows: who is alive, what things cost by now, and which suspects really ended."""
        self.tariff = world.tariff
        tariff, found = TARIFFS[world.tariff], dict[str, int | None]()
        # Runs nest in runs of lower names only.
        for name in sorted(self.stories, reverse=True):
            if self.stories[name].since is not None:
                metric = world.runs[name].last_metric_ms
                found[name] = self.stories[name].life(metric, self._below(name, found, now, ended), now)
        for name, until in found.items():
            story = self.stories[name]
            if name in ended:
                self.stories[name] = self._ended(story, ended[name], until, now)
            else:
                story.count_to(until, tariff, now, self.complete)

    def _ended(self, story: Story, run: RunObservation, until: int | None, now: int) -> Story:
        """What becomes of a suspect that ends."""
        closed = deepcopy(story)
        closed.believe()
        closed.until = until
        closed.observe(run, now, self.complete, TARIFFS[self.tariff])
        return closed

    def _below(
        self, name: str, found: Mapping[str, int | None], now: int, ended: Mapping[str, RunObservation]
    ) -> int | None:
        """Up to when any run counts that is nested in one."""
        signs: list[int | None] = []
        for child, story in self.stories.items():
            if story.seen is None or story.seen.parent_uuid != name:
                continue
            signs.append(self._below(child, found, now, ended))
            if story.since is None:
                signs.append(story.end())
            elif child in ended:
                signs.append(self._ended(story, ended[child], found[child], now).end())
            else:
                until = found[child]
                signs.append(now if until is None else until)
        return max((each for each in signs if each is not None), default=None)

    def _time(self, story: Story) -> list[Line]:
        """When a run counts; what accrues has no end yet."""
        if story.since is None:
            return list(story.lines)
        until = FOREVER if story.until is None else max(story.until, story.since)
        return [*story.lines, Line(story.since, until, story.plan)]

    def _unshared(self, story: Story) -> tuple[list[Line], str | None]:
        """The lines of a run beside the time of the run above, and the machine that it is on."""
        assert story.seen is not None
        above, usage = story, dict(story.seen.usage)
        while self.nests:
            assert above.seen is not None
            found = self.stories.get(above.seen.parent_uuid or "")
            if found is None or found.seen is None:
                break
            above, machine = found, dict(found.seen.usage)
            if "training_epochs" not in machine:
                if is_own_machine(usage, machine):
                    break
                box = usage.get("resource_id", machine.get("resource_id"))
                usage = machine if "training_epochs" in usage else usage
                beyond = [] if above.since is None else [Line(above.since, FOREVER, ())]
                return beside(self._time(story), [*above.lines, *beyond], usage, TARIFFS[0], self.complete), box
        return self._time(story), usage.get("resource_id")

    def _on_machines(self) -> tuple[dict[str, list[Line]], dict[str, dict[str, list[Line]]]]:
        """The lines of the runs that share with nobody, and of those on each machine that has a name."""
        alone: dict[str, list[Line]] = {}
        boxes: dict[str, dict[str, list[Line]]] = {}
        for name, story in self.stories.items():
            lines, box = self._unshared(story)
            (alone if box is None else boxes.setdefault(box, {}))[name] = lines
        return alone, boxes

    def paid(self) -> dict[str, list[Line]]:
        """The lines of every run, shared where runs are on one machine, up to where they count."""
        found, boxes = self._on_machines()
        for on_it in boxes.values():
            found |= shared(on_it)
        return {name: [counted(line, self.complete) for line in lines] for name, lines in found.items()}

    def totals(self) -> Daily:
        found: Daily = {}
        for name, lines in self.paid().items():
            seen = self.stories[name].seen
            assert seen is not None
            for budget, scope in scopes(dict(seen.tags)).items():
                days = found.setdefault((budget, scope), {})
                for day, nanos in daily(lines, PLANS[budget].zone).items():
                    days[day] = days.get(day, 0) + nanos
        return {key: {day: nanos for day, nanos in days.items() if nanos} for key, days in found.items()}

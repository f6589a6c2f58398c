"""What is in use on a tracking server: tags, machines, and what has a price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from alerter.config.tags import BUILT_IN
from alerter.core.charges import Confidence
from alerter.core.usage import Meter, Pairs, Resources
from alerter.pricer import Pricer
from alerter.store.ledger import METER_CODES
from alerter.store.tag_use import runs_with_meter, sets_in_use
from alerter.store.totals import View


@dataclass(slots=True)
class Machines:
    """Runs by the machine that they log.

    Attributes:
        priced, unpriced: by instance type, with a price and without.
        parts: that log GPUs, CPUs or memory instead, all of it with a price.
        silent: that log no machine, or nothing of it that has a price.
        logged: that log what they cost.
    """

    priced: Counter[str] = field(default_factory=Counter)
    unpriced: Counter[str] = field(default_factory=Counter)
    parts: int = 0
    silent: int = 0
    logged: int = 0


@dataclass(slots=True)
class Survey:
    """What was found.

    Attributes:
        now_ms: when.
        runs: how many; the first and the last of them began at ``first_ms`` and ``last_ms``.
        tags: the values of each tag, trimmed, with how many runs have them; built-in keys too.
        providers, regions: as runs log them.
    """

    now_ms: int
    runs: int = 0
    first_ms: int = 0
    last_ms: int = 0
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    machines: Machines = field(default_factory=Machines)
    providers: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)

    @property
    def own_tags(self) -> Mapping[str, Counter[str]]:
        """The tags that people set, the most used first."""
        own = {key: values for key, values in self.tags.items() if key not in BUILT_IN}
        return dict(sorted(own.items(), key=lambda item: (-item[1].total(), item[0])))

    def untagged(self, key: str) -> int:
        """Return how many runs lack a tag."""
        return self.runs - self.tags.get(key, Counter()).total()


def survey(view: View, pricer: Pricer, now_ms: int) -> Survey:
    """Return what the runs of a ledger are tagged with, and which of their machines has a price now."""
    found = Survey(now_ms)
    used = list(sets_in_use(view.connection))
    tags = view.interner.tag_sets.all(view.connection)
    usages = view.interner.usage_sets.all(view.connection)
    for each in used:
        found.first_ms = min(found.first_ms or each.first_ms, each.first_ms)
        found.last_ms = max(found.last_ms, each.last_ms)
        found.runs += each.runs
        _add_tags(found, tags[each.tag_set_id], each.runs)
        _add_machine(found, pricer, (usages[each.usage_set_id], tags[each.tag_set_id]), each.runs)
    found.machines.logged = runs_with_meter(view.connection, METER_CODES[Meter.LOGGED])
    return found


def _add_tags(found: Survey, tags: Pairs, runs: int) -> None:
    for key, value in tags:
        if value.strip():
            found.tags.setdefault(key, Counter())[value.strip()] += runs


def _add_machine(found: Survey, pricer: Pricer, used: tuple[Pairs, Pairs], runs: int) -> None:
    resources: Resources = pricer.resources(used[0])
    if resources.provider:
        found.providers[resources.provider] += runs
    if resources.region:
        found.regions[resources.region] += runs
    rates = [rate for rate, _ in pricer.plan(*used, found.now_ms)]
    priced = all(rate.confidence is not Confidence.GAP for rate in rates)
    if resources.instance_type is not None:
        (found.machines.priced if priced else found.machines.unpriced)[resources.instance_type] += runs
    elif priced and rates:
        found.machines.parts += runs
    else:
        found.machines.silent += runs

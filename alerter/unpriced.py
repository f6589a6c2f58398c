"""Which experiments' runs have no price, and the line of configuration or code that gives them one."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerter.core.charges import Confidence, Rate
from alerter.core.coverage import RunTime
from alerter.core.periods import bounds_ms, period_at
from alerter.core.traces import UNKNOWN_MODEL
from alerter.core.usage import Meter, Resources
from alerter.coverage import Window, gap_lines, hours, month_of
from alerter.evidence import run_facts
from alerter.pricer import Pricer
from alerter.store.audit import gap_charges
from alerter.store.totals import View

PRICES = "prices.yaml"
CODE = "training code"

_PART_RATES = {Meter.VCPU: "per_vcpu_hour", Meter.GIB: "per_gib_hour"}
_QUANTITIES = {Meter.VCPU: ("vcpus", "8"), Meter.GIB: ("memory_gib", "32Gi"), Meter.GPU: ("gpu_count", "1")}
_EXAMPLES = {
    "instance_type": "m5.xlarge",
    "nodes": "4",
    "gpu_count": "1",
    "gpu_type": "T4",
    "gpu_memory_gib": "16",
    "vcpus": "8",
    "memory_gib": "32Gi",
    "dbus": "2.5",
}


@dataclass(frozen=True, slots=True)
class Fix:
    """What gives a gap its price.

    Attributes:
        where: `PRICES` with the section that the line goes under, or `CODE`.
        line: the line itself, to be completed where it says ``"..."``.
    """

    where: str
    line: str


@dataclass(slots=True)
class Unpriced:
    """One experiment's run time without a price, in ms; ``fixes`` are the most telling first, with what is missing."""

    source: str
    experiment_id: str
    experiment: str
    time_ms: int = 0
    runs: set[int] = field(default_factory=set)
    example: str = ""
    fixes: dict[Fix, tuple[str, int]] = field(default_factory=dict)


def current_of(view: View, now_ms: int) -> Window:
    """Return the time of the current month and of all periods that budgets are in, up to ``now``.

    In the first days of a month what a rolling, weekly or quarterly budget can't price lies before it.
    """
    starts = [month_of(view, now_ms)[0]]
    for budget in view.budgets.values():
        period = period_at(budget.period, budget.timezone, now_ms)
        starts += [bounds_ms(period, budget.timezone)[0]] if period else []
    return min(starts), now_ms


def top_unpriced(
    view: View, pricer: Pricer, keys: Mapping[str, Sequence[str]], now_ms: int, *, limit: int
) -> list[Unpriced]:
    """Return the experiments with most run time without a price in the current month and periods.

    Args:
        view: the ledger.
        pricer: reads the machine that a run logged.
        keys: which params and tags tell what, as ``Config.usage_keys``.
        now_ms: up to when.
        limit: how many experiments.
    """
    time, gaps = _gaps(view, now_ms)
    spans = ((run_id, levels.get(Confidence.GAP, 0)) for run_id, levels in time.by_run())
    lasting = {run_id: span for run_id, span in spans if span > 0}
    facts = run_facts(view.connection, lasting)
    usages = view.interner.usage_sets.values(view.connection, {each.usage_set_id for each in facts.values()})
    tags = view.interner.tag_sets.values(view.connection, {each.tag_set_id for each in facts.values()})
    found: dict[tuple[str, str], Unpriced] = {}
    longest: Counter[tuple[str, str]] = Counter()
    for run_id, span_ms in lasting.items():
        fact = facts[run_id]
        key = (fact.source, fact.experiment_id)
        name = dict(tags[fact.tag_set_id]).get("experiment", fact.experiment_id)
        entry = found.setdefault(key, Unpriced(*key, name))
        entry.time_ms += span_ms
        entry.runs.add(run_id)
        if span_ms > longest[key]:
            entry.example, longest[key] = fact.run_uuid, span_ms
        _add_fixes(entry, gaps[run_id], pricer.resources(usages[fact.usage_set_id]), keys)
    for entry in found.values():
        entry.fixes = dict(sorted(entry.fixes.items(), key=lambda item: -item[1][1]))
    return sorted(found.values(), key=lambda each: (-each.time_ms, each.experiment))[:limit]


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """Tokens that have no price: what is missing, how many, and the line that gives them one."""

    missing: str
    tokens: int
    fix: Fix | None


def unpriced_models(view: View, now_ms: int, *, limit: int) -> list[UnpricedModel]:
    """Return the models with most tokens without a price, as `top_unpriced`; no fix where a client logged no model."""
    used: Counter[str] = Counter()
    rates = view.all_rates()
    for charge in gap_charges(view.connection, *current_of(view, now_ms)):
        rate = rates[charge.rate_id]
        if rate.meter is Meter.TOKENS:
            used[rate.note] += charge.quantity
    most = [(missing, tokens) for missing, tokens in used.most_common() if tokens > 0]
    return [UnpricedModel(missing, tokens, _model_fix(missing)) for missing, tokens in most[:limit]]


def _model_fix(missing: str) -> Fix | None:
    if not missing.startswith(UNKNOWN_MODEL):
        return None
    model = missing.removeprefix(UNKNOWN_MODEL)
    prices = 'per_million_input: "...", per_million_output: "..."'
    return Fix(f"{PRICES}, tokens", f"- {{model: {json.dumps(model)}, {prices}}}")


def fix_of(rate: Rate, resources: Resources, keys: Mapping[str, Sequence[str]]) -> Fix:
    """Return what gives a gap of a machine its price.

    A param can't be changed once it is logged: a run of the past is mended by a tag of the same name.
    """
    unreadable = next((each for each in resources.problems if f"{each.key}: {each.why}" in rate.note), None)
    rule = rate.note.partition(f" in {PRICES} ")[2].partition(";")[0]
    match rate.meter:
        case Meter.DBU if "but no dbus" in rate.note:
            return _log("dbus", keys)
        case Meter.DBU:
            return _rule(f'- {{match: {{provider: {json.dumps(resources.provider or "databricks")}}}, per_dbu: "..."}}')
        case Meter.DRIVER:
            return _instance(resources.driver_type or "", resources)
        case Meter.GPU | Meter.VCPU | Meter.GIB if not rate.note.startswith("no per_"):
            field_name = unreadable.field if unreadable else _QUANTITIES[rate.meter][0]
            return _log(field_name, keys, unreadable.key if unreadable else None)
        case Meter.GPU | Meter.VCPU | Meter.GIB:
            where = f"{PRICES}, in {rule}" if rule else f"{PRICES}, resources"
            return Fix(where, _part_rate(rate, resources))
    if resources.instance_type is None:
        return _log("instance_type", keys)
    if "prices parts, and none is logged" in rate.note:
        return _log("vcpus", keys)
    return _instance(resources.instance_type, resources)


def models_json(found: Iterable[UnpricedModel]) -> list[dict[str, Any]]:
    """Return it for scripts."""
    return [
        {
            "missing": each.missing,
            "tokens": each.tokens,
            "where": each.fix.where if each.fix else None,
            "line": each.fix.line if each.fix else None,
        }
        for each in found
    ]


def unpriced_json(found: Iterable[Unpriced]) -> list[dict[str, Any]]:
    """Return it for scripts: run time in hours."""
    return [
        {
            "source": each.source,
            "experiment_id": each.experiment_id,
            "experiment": each.experiment,
            "hours": hours(each.time_ms),
            "runs": len(each.runs),
            "example_run": each.example,
            "fixes": [
                {"missing": missing, "where": fix.where, "line": fix.line, "hours": hours(span_ms)}
                for fix, (missing, span_ms) in each.fixes.items()
            ],
        }
        for each in found
    ]


def _gaps(view: View, now_ms: int) -> tuple[RunTime[int], dict[int, Counter[Rate]]]:
    time: RunTime[int] = RunTime()
    gaps: dict[int, Counter[Rate]] = defaultdict(Counter)
    for line in gap_lines(view, current_of(view, now_ms), now_ms):
        time.add(line.run_id, line.start_ms, line.end_ms, Confidence.GAP, line.sign)
        gaps[line.run_id][line.rate] += line.sign * (line.end_ms - line.start_ms)
    return time, gaps


def _add_fixes(entry: Unpriced, gaps: Counter[Rate], resources: Resources, keys: Mapping[str, Sequence[str]]) -> None:
    for rate, span_ms in gaps.items():
        if span_ms > 0:
            fix = fix_of(rate, resources, keys)
            missing, before = entry.fixes.get(fix, (rate.note, 0))
            entry.fixes[fix] = (missing, before + span_ms)


def _log(wanted: str, keys: Mapping[str, Sequence[str]], key: str | None = None) -> Fix:
    name = key or next(iter(keys.get(wanted, ())), wanted)
    return Fix(CODE, f"mlflow.log_param({json.dumps(name)}, {json.dumps(_EXAMPLES.get(wanted, '...'))})")


def _instance(instance_type: str, resources: Resources) -> Fix:
    # Beside the type whatever else the run itself says, so that the price is only for what it is for.
    match = {"instance_type": instance_type}
    if resources.region is not None:
        match["region"] = resources.region
    if resources.purchase_option is not None:
        match["purchase_option"] = resources.purchase_option
    wanted = ", ".join(f"{key}: {json.dumps(value)}" for key, value in match.items())
    return _rule(f'- {{match: {{{wanted}}}, per_instance_hour: "..."}}')


def _rule(line: str) -> Fix:
    return Fix(f"{PRICES}, prices", line)


def _part_rate(rate: Rate, resources: Resources) -> str:
    if rate.pricing_unit == "gpu-gib-hour":
        return 'per_gpu_gib_hour: "..."'
    if rate.meter is Meter.GPU:
        return f'per_gpu_hour: {{{json.dumps(resources.gpu_type or "*")}: "..."}}'
    return f'{_PART_RATES[rate.meter]}: "..."'

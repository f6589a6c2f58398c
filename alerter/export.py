"""The ledger as FOCUS 1.2 rows: a CSV that finance can load beside the providers' bills, and sum to the nano."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import IO

from alerter.core.charges import MICRO, TOTAL, WHOLE, Confidence, Rate, cost_between, hours_in
from alerter.core.money import plain
from alerter.core.periods import HOUR_MS, iso, utc
from alerter.core.text import hushed, visible_json
from alerter.core.usage import Meter, Pairs, Resources, TokenCount
from alerter.evidence import RunFacts, run_facts
from alerter.pricer import Pricer
from alerter.spending import accruals
from alerter.store.audit import Correction, charges_by_time, corrections
from alerter.store.carriers import FOLDED, STORAGE, TOKENS, kind_of, run_of
from alerter.store.ledger import part_of
from alerter.store.token_counts import counts_of, place_of
from alerter.store.totals import View

COLUMNS = (
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuMeter",
    "Tags",
    "x_Confidence",
    "x_CorrectedAt",
    "x_CorrectionReason",
    "x_ExperimentId",
    "x_PriceAsOf",
    "x_PriceNote",
    "x_Rule",
    "x_RunId",
    "x_Settled",
    "x_SharedBy",
    "x_Source",
    "x_TokensCached",
    "x_TokensIn",
    "x_TokensIntoCache",
    "x_TokensOut",
)
"""FOCUS 1.2's columns that apply to an estimate, then our own. There is no BilledCost: nothing here was billed."""

Window = tuple[int, int]
"""``[start, end)`` in epoch ms."""

_BATCH = 5000
_PLACES = Decimal("0.000000000001")
_FORMULA = tuple(
    "=+-@\t\r\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_UNITS = {"gib": "GiB", "vcpu": "VCPU", "gpu": "GPU", "dbu": "DBU", "month": "Month"}
_SERVICES = {
    Meter.STORAGE: ("Storage", "Object Storage"),
    Meter.TOKENS: ("AI and Machine Learning", "Generative AI"),
}
_TYPES = {"": "MLflow Run", TOKENS: "LLM", STORAGE: "MLflow Artifacts", FOLDED: "MLflow Runs"}
"""FOCUS's resource type of a run, and of rows that are no runs."""

_TRAINING = ("AI and Machine Learning", "Machine Learning")


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows were written, and what they sum to, in nanos."""

    rows: int
    nanos: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A charge, or what a running run accrues, within one calendar month (UTC); ``whole`` is where the charge lies."""

    run_id: int
    tag_set_id: int
    rate: Rate
    quantity: int
    whole: Window
    part: Window
    cost: int
    settled: bool
    correction_id: int | None = None
    tokens: TokenCount | None = None

    @property
    def list_cost(self) -> int:
        """What it costs before multipliers, in nanos."""
        if self.rate.list_unit_price == self.rate.unit_price:
            return self.cost
        listed = replace(self.rate, unit_price=self.rate.list_unit_price)
        return cost_between(listed, self.quantity, self.whole, self.part)

    @property
    def held(self) -> Decimal | None:
        """How much was used, in the rate's unit, of a shared machine its part; None of a cost known only as a whole."""
        if self.rate.pricing_unit == TOTAL:
            return None
        unit_ms = HOUR_MS * hours_in(self.rate.pricing_unit)
        return Decimal(self.quantity) * (self.part[1] - self.part[0]) / (MICRO * unit_ms * self.rate.share[1])

    @property
    def used(self) -> tuple[str, str]:
        """How much was used, and of what; nothing where only its cost is known."""
        if self.tokens is not None:
            return str(self.tokens.total), "Tokens"
        return ("", "") if self.held is None else (_decimal(self.held), unit_of(self.rate.pricing_unit))


def export_csv(view: View, pricer: Pricer, window: Window, now_ms: int, out: IO[str]) -> Exported:
    """Write the charges of a window as CSV, with a head line; returns how many rows, and their sum.

    A charge that goes beyond the window, or over the end of a month, is written in parts that sum to it. What running
    runs accrue up to ``now`` is there too, marked ``x_Settled`` false.

    Args:
        view: the ledger.
        pricer: reads the machine that a run logged.
        window: ``[start, end)`` in epoch ms.
        now_ms: up to when running runs accrue.
        out: opened with ``newline=""``.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    rows = nanos = 0
    lines = _lines(view, window, now_ms)
    while batch := list(islice(lines, _BATCH)):
        describe = _Describer(view, pricer, batch)
        for line in batch:
            writer.writerow(describe.row(line))
            rows += 1
            nanos += line.cost
    return Exported(rows, nanos)


def neutral(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one that might be begins with an apostrophe."""
    text = hushed(text)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def unit_of(pricing_unit: str) -> str:
    """Return a unit as FOCUS writes it: ``gpu-hour`` is ``GPU-Hours``."""
    words = [_UNITS.get(word, word.capitalize()) for word in pricing_unit.split("-")]
    plural = "" if words[-1] in {"GiB", "DBU"} else "s"
    return "-".join(words) + plural


def _lines(view: View, window: Window, now_ms: int) -> Iterator[_Line]:
    rates = view.all_rates()
    charges = charges_by_time(view.connection, *window)
    while batch := list(islice(charges, _BATCH)):
        counts = counts_of(view.connection, batch)
        for charge in batch:
            rate, whole = rates[charge.rate_id], (charge.start_ms, charge.end_ms)
            count = counts.get(place_of(charge))
            for part in _months(whole, window):
                known = (charge.run_id, charge.tag_set_id, rate, charge.quantity, whole, part)
                tokens = None if count is None else count.within(whole, part)
                yield _Line(*known, part_of(charge, rate, *part), True, charge.correction_id, tokens)
    for run in sorted(accruals(view, now_ms), key=lambda each: (each.start_ms, each.run_id)):
        whole = (run.start_ms, run.as_of_ms)
        for rate, quantity in run.lines if run.as_of_ms > run.start_ms else ():
            for part in _months(whole, window):
                cost = cost_between(rate, quantity, whole, part)
                yield _Line(run.run_id, run.tag_set_id, rate, quantity, whole, part, cost, settled=False)


def _months(whole: Window, window: Window) -> Iterator[Window]:
    """Yield the parts of a charge that lie in the window, one per calendar month (UTC)."""
    since, until = max(whole[0], window[0]), min(whole[1], window[1])
    while since < until:
        end = min(_month(since)[1], until)
        yield since, end
        since = end


def _month(at_ms: int) -> Window:
    first = utc(at_ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return round(first.timestamp() * 1000), round(following.timestamp() * 1000)


class _Describer:
    """Names what a batch of lines is about."""

    def __init__(self, view: View, pricer: Pricer, lines: Sequence[_Line]) -> None:
        self._runs: dict[int, RunFacts] = run_facts(view.connection, {each.run_id for each in lines})
        usage_ids = {each.usage_set_id for each in self._runs.values()}
        usages = view.interner.usage_sets.values(view.connection, usage_ids)
        self._machines: dict[int, Resources] = {key: pricer.resources(usage) for key, usage in usages.items()}
        self._tags: dict[int, Pairs] = view.interner.tag_sets.values(
            view.connection, {each.tag_set_id for each in lines}
        )
        wanted = {each.correction_id for each in lines if each.correction_id is not None}
        self._corrections: dict[int, Correction] = corrections(view.connection, sorted(wanted))

    def row(self, line: _Line) -> list[str]:
        """Return the values of `COLUMNS`; an empty one is null."""
        run, rate = self._runs[line.run_id], line.rate
        machine = self._machines[run.usage_set_id]
        month = _month(line.part[0])
        quantity, unit = line.used
        priced = rate.confidence is not Confidence.GAP and line.held is not None
        correction = self._corrections.get(line.correction_id or 0)
        category, subcategory = _SERVICES.get(rate.meter, _TRAINING)
        values = {
            "BillingCurrency": rate.currency,
            "BillingPeriodEnd": iso(month[1]),
            "BillingPeriodStart": iso(month[0]),
            "ChargeCategory": "Usage",
            # FOCUS: a correction within its own billing period has no class.
            "ChargeClass": "Correction" if correction is not None and correction.at_ms >= month[1] else "",
            "ChargeDescription": neutral(_description(run, rate)),
            "ChargeFrequency": "Usage-Based",
            "ChargePeriodEnd": iso(line.part[1]),
            "ChargePeriodStart": iso(line.part[0]),
            "ConsumedQuantity": quantity,
            "ConsumedUnit": unit,
            "ContractedCost": plain(line.cost),
            "ContractedUnitPrice": rate.unit_price if priced else "",
            "EffectiveCost": plain(line.cost),
            "ListCost": plain(line.list_cost),
            "ListUnitPrice": rate.list_unit_price if priced else "",
            "PricingQuantity": quantity,
            "PricingUnit": unit,
            "RegionId": neutral(machine.region or ""),
            "ResourceId": neutral(machine.resource_id or run.run_uuid),
            "ResourceName": neutral(run.name),
            "ResourceType": "Machine" if machine.resource_id else _TYPES[kind_of(run.run_uuid)],
            "ServiceCategory": category,
            "ServiceName": "MLflow",
            "ServiceSubcategory": subcategory,
            "SkuMeter": rate.meter.value,
            "Tags": visible_json(json.dumps(dict(self._tags[line.tag_set_id]), ensure_ascii=False, sort_keys=True)),
            "x_Confidence": rate.confidence.value,
            "x_CorrectedAt": iso(correction.at_ms) if correction else "",
            "x_CorrectionReason": neutral(correction.reason) if correction else "",
            "x_ExperimentId": run.experiment_id,
            "x_PriceAsOf": rate.as_of,
            "x_PriceNote": neutral(rate.note),
            "x_Rule": neutral(rate.rule),
            "x_RunId": neutral(run_of(run.run_uuid)),
            "x_Settled": "true" if line.settled else "false",
            "x_SharedBy": "" if rate.share == WHOLE else str(rate.share[1]),
            "x_Source": neutral(run.source),
            **_tokens(line.tokens),
        }
        return [values[column] for column in COLUMNS]


def _tokens(count: TokenCount | None) -> dict[str, str]:
    """Return how many tokens of each kind; nothing where that isn't known, or no tokens were used."""
    kinds = dict.fromkeys(("fresh", "cached", "into_cache", "out"), "") if count is None else asdict(count)
    return {
        "x_TokensCached": str(kinds["cached"]),
        "x_TokensIn": str(kinds["fresh"]),
        "x_TokensIntoCache": str(kinds["into_cache"]),
        "x_TokensOut": str(kinds["out"]),
    }


def _description(run: RunFacts, rate: Rate) -> str:
    whose = run.name if kind_of(run.run_uuid) else f"{rate.meter.value} of MLflow run {run.name}"
    return f"{whose}, {f'not priced: {rate.note}' if rate.confidence is Confidence.GAP else f'estimated: {rate.rule}'}"


def _decimal(value: Decimal) -> str:
    return f"{value.quantize(_PLACES).normalize():f}"

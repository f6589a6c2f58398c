"""Price a machine by its parts: GPUs, virtual CPUs and memory add up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from alerter.core.charges import Confidence
from alerter.core.price_lookup import gpu_names
from alerter.core.price_rules import ResourceRates, rate_for
from alerter.core.usage import Meter, Resources

_FIELDS = {
    Meter.GPU: frozenset({"gpu_count", "gpu_type", "gpu_memory_gib"}),
    Meter.VCPU: frozenset({"vcpus"}),
    Meter.GIB: frozenset({"memory_gib"}),
}
_UNITS = {Meter.GPU: "gpu-hour", Meter.VCPU: "vcpu-hour", Meter.GIB: "gib-hour"}
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is held and costs ``price`` per ``unit`` and hour; without a price it is a gap."""

    meter: Meter
    unit: str
    quantity: Decimal
    price: Decimal | None
    rule: str
    as_of: str = ""
    confidence: Confidence = Confidence.HIGH
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """How much of a part is held, at which rate; ``price`` is None where the rates don't name one."""

    quantity: Decimal
    unit: str
    rate: str
    price: Decimal | None
    note: str = ""


def parts_of(
    resources: Resources, rates: ResourceRates, where: str, *, as_of: str = "", doubts: tuple[str, ...] = ()
) -> list[Part]:
    """Return every part that is logged, with its price or as a gap; empty where none is logged.

    Args:
        resources: what was logged; its quantities are the total of all nodes.
        rates: the prices of parts.
        where: where the rates stand, for the rule's name.
        as_of: the rates' date (ISO) or ``""``.
        doubts: why these rates are only an assumption; any makes the confidence low.
    """
    if resources.nodes > 1:
        doubts = (*doubts, f"quantities taken as the total of {resources.nodes} nodes")
    doubts += tuple(_told(resources, frozenset({"instance_type", "logged_cost"})))
    found = []
    for meter, held in (
        (Meter.GPU, _gpu(resources, rates)),
        (Meter.VCPU, _amount(Meter.VCPU, resources.vcpus, "per_vcpu_hour", rates.per_vcpu_hour)),
        (Meter.GIB, _amount(Meter.GIB, resources.memory_gib, "per_gib_hour", rates.per_gib_hour)),
    ):
        unreadable = tuple(_told(resources, _FIELDS[meter]))
        if held is None:
            if unreadable:
                found.append(Part(meter, _UNITS[meter], _ONE, None, "gap", "", Confidence.GAP, unreadable))
        elif held.price is None:
            missing = f"no {held.rate} price in {where}"
            found.append(Part(meter, held.unit, held.quantity, None, "gap", "", Confidence.GAP, (missing, *unreadable)))
        else:
            notes = (*doubts, *([held.note] if held.note else []), *unreadable)
            confidence = Confidence.LOW if notes else Confidence.HIGH
            rule = f"{where} {held.rate}"
            found.append(Part(meter, held.unit, held.quantity, held.price, rule, as_of, confidence, notes))
    return found


def _told(resources: Resources, fields: frozenset[str]) -> list[str]:
    return [f"{each.key}: {each.why}" for each in resources.problems if each.field in fields]


def _amount(meter: Meter, quantity: Decimal | None, rate: str, price: Decimal | None) -> _Held | None:
    return _Held(quantity, _UNITS[meter], rate, price) if quantity else None


def _gpu(resources: Resources, rates: ResourceRates) -> _Held | None:
    """Count GPUs; where only their memory is known, count that, or else take it for one GPU."""
    count, memory = resources.gpu_count, resources.gpu_memory_gib
    if count is None and resources.gpu_type is not None:
        count = _ONE
    if count is not None:
        return _gpus(count, resources, rates) if count else None
    if not memory:
        return None
    if rates.per_gpu_gib_hour is not None:
        return _Held(memory, "gpu-gib-hour", "per_gpu_gib_hour", rates.per_gpu_gib_hour)
    one = _gpus(_ONE, resources, rates)
    if one.price is None:
        return _Held(memory, "gpu-gib-hour", "per_gpu_gib_hour", None)
    return _Held(_ONE, one.unit, one.rate, one.price, "gpu_count not logged: counted as one GPU")


def _gpus(count: Decimal, resources: Resources, rates: ResourceRates) -> _Held:
    names = gpu_names(resources.gpu_type) if resources.gpu_type is not None else ("",)
    found = rate_for(rates.per_gpu_hour, names)
    glob, price = found if found is not None else (resources.gpu_type or "*", None)
    return _Held(count, _UNITS[Meter.GPU], f"per_gpu_hour {glob}", price)

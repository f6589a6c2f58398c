"""What machines cost, for the oracle: by the hour or by the part. It shares no code with the program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction

Plan = tuple[tuple[str, Fraction, Fraction], ...]
"""(what, price an hour in currency units, how many) of each part."""

FOREVER = 2**60
"""The end of a line that accrues."""


class Tariff:
    """Prices an hour of one configuration: ``machines[type]`` are (from day, price), ``parts`` prices of one unit."""

    def __init__(self, machines: dict[str, list[tuple[str, str]]], parts: dict[str, str]) -> None:
        self.machines = machines
        self.parts = parts

    def plan(self, usage: dict[str, str], at: int) -> Plan:
        kind = usage.get("instance_type")
        if kind is not None:
            prices = [price for day, price in self.machines.get(kind, []) if not day or _utc_ms(day) <= at]
            nodes = usage.get("num_workers", "1")
            count = int(nodes) if nodes.isdigit() and 0 < int(nodes) <= 64 else 1
            return (("machine", Fraction(prices[-1] if prices else "0"), Fraction(count)),)
        held = {"gpu": "gpu_count", "vcpu": "cpu_cores", "gib": "memory_request"}
        found = []
        for part, key in held.items():
            if key in usage:
                found.append((part, Fraction(self.parts[part]), _quantity(usage[key])))
        return tuple(found) or (("machine", Fraction(0), Fraction(1)),)

    def changes(self, usage: dict[str, str], start: int, end: int) -> list[int]:
        dates = [_utc_ms(day) for day, _ in self.machines.get(usage.get("instance_type", ""), []) if day]
        return [each for each in dates if start < each < end and self.plan(usage, each - 1) != self.plan(usage, each)]


def _quantity(text: str) -> Fraction:
    for suffix, factor in (("Gi", Fraction(1)), ("Mi", Fraction(1, 1024)), ("m", Fraction(1, 1000))):
        if text.endswith(suffix):
            return Fraction(text.removesuffix(suffix)) * factor
    return Fraction(text)


def _utc_ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000


@dataclass
class Line:
    start: int
    end: int
    plan: Plan
    place: int = 1
    sharers: int = 1

    def until(self, at: int) -> int:
        """Nanos from the start up to an instant, each part rounded once and then dealt out among those who share."""
        hours = Fraction(max(min(at, self.end) - self.start, 0), 3_600_000)
        # Python's round() of a Fraction is half to even.
        return sum(self._dealt(round(price * count * hours * 10**9)) for _, price, count in self.plan)

    def _dealt(self, nanos: int) -> int:
        each, left = divmod(nanos, self.sharers)
        return each + (self.place <= left)


def joined(lines: Sequence[Line]) -> list[Line]:
    """Lines that touch at the same prices are one."""
    found: list[Line] = []
    for line in sorted(lines, key=lambda each: (each.start, each.end)):
        if found and found[-1].end == line.start and found[-1].plan == line.plan:
            found[-1] = Line(found[-1].start, line.end, line.plan)
        elif line.start < line.end:
            found.append(line)
    return found


def counted(line: Line, complete: int) -> Line:
    """Rule 3: a line that accrues counts up to the last complete poll; it has no length if it began later."""
    return line if line.end < FOREVER else replace(line, end=max(complete, line.start))

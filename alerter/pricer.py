"""Price usage sets under one price configuration, remembering what was worked out before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from alerter.core.budgets import TagCleaning
from alerter.core.charges import ChargeLine, Rate
from alerter.core.logged_cost import logged_total
from alerter.core.machines import Machines, complete
from alerter.core.ports import PriceBook
from alerter.core.price_rules import PriceRules, next_change_ms
from alerter.core.pricing import price_machine
from alerter.core.resources import read_resources
from alerter.core.usage import MachineTime, Pairs, Resources

_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """``(rate, micro-units)`` of each line that a machine costs between two changes of price.

    It is the same object for all runs of the same machine, so it is looked up by its identity.
    """

    parts: tuple[tuple[Rate, int], ...]


class Tariff:
    """What one kind of machine costs, whoever asks for it: between two changes of price always the same."""

    def __init__(self, rules: PriceRules, price: Callable[[int, int], Sequence[ChargeLine]]) -> None:
        self._rules = rules
        self._price = price
        self._templates: dict[int | None, Template] = {}

    def over(self, start_ms: int, end_ms: int) -> Template | None:
        """Return what a machine costs throughout ``[start, end)``; None where a dated price changes within."""
        change = next_change_ms(self._rules, start_ms)
        if change is not None and change < end_ms:
            return None
        template = self._templates.get(change)
        if template is None:
            lines = self._price(start_ms, max(end_ms, start_ms + 1))
            template = self._templates[change] = Template(tuple((line.rate, line.quantity) for line in lines))
        return template


class Pricer:
    """The price configuration as one function of (usage set, tags, time).

    Args:
        rules: the rules of ``prices.yaml``.
        books: catalogs, the first to know a type wins.
        keys: which params and tags give which quantity.
        max_nodes: above it ``num_workers`` isn't believed to be nodes.
        cleaning: how tag values are cleaned before rules match them.
        machines: what is known of machines by their ids, for runs that don't say it.
    """

    def __init__(
        self,
        rules: PriceRules,
        books: Sequence[PriceBook],
        keys: Mapping[str, tuple[str, ...]],
        *,
        max_nodes: int = 64,
        cleaning: TagCleaning | None = None,
        machines: Machines | None = None,
    ) -> None:
        self._rules = rules
        self._books = tuple(books)
        self._keys = keys
        self._max_nodes = max_nodes
        self._cleaning = cleaning or TagCleaning()
        self._machines = machines or {}
        self._resources: dict[Pairs, Resources] = {}
        self._tariffs: dict[tuple[Pairs, Pairs], Tariff] = {}

    @property
    def currency(self) -> str:
        """The ISO-4217 code of every price."""
        return self._rules.currency

    def next_change_ms(self, after_ms: int) -> int | None:
        """Return the next instant at which a dated price begins or ends; None if none does."""
        return next_change_ms(self._rules, after_ms)

    def logged(self, costs: Pairs) -> tuple[Rate, int] | None:
        """Return the total to date (nanos) of its cost that a run logged, and its rate; None where it logged none."""
        return logged_total(costs, self._rules.logged_cost, self._rules.currency)

    def resources(self, usage: Pairs) -> Resources:
        """Return the machine that a usage set describes."""
        found = self._resources.get(usage)
        if found is None:
            _bound(self._resources)
            found = read_resources(usage, keys=self._keys, max_nodes=self._max_nodes)
            if self._machines:
                found = complete(found, usage, self._machines)
            self._resources[usage] = found
        return found

    def lines(self, usage: Pairs, tags: Pairs, start_ms: int, end_ms: int) -> tuple[ChargeLine, ...]:
        """Return the charge lines of a machine held over ``[start, end)``, split where a dated price changes."""
        template = self.tariff(usage, tags).over(start_ms, end_ms)
        if template is None:
            return self._price(usage, self._seen(tags), start_ms, end_ms)
        return tuple([ChargeLine(rate, quantity, start_ms, end_ms) for rate, quantity in template.parts])

    def tariff(self, usage: Pairs, tags: Pairs) -> Tariff:
        """Return what a machine costs over any time."""
        seen = self._seen(tags)
        tariff = self._tariffs.get((usage, seen))
        if tariff is None:
            _bound(self._tariffs)
            tariff = self._tariffs[usage, seen] = Tariff(self._rules, partial(self._price, usage, seen))
        return tariff

    def plan(self, usage: Pairs, tags: Pairs, at_ms: int) -> tuple[tuple[Rate, int], ...]:
        """Return the rates and quantities at which a machine accrues at an instant."""
        return tuple((line.rate, line.quantity) for line in self.lines(usage, tags, at_ms, at_ms + 1))

    def _seen(self, tags: Pairs) -> Pairs:
        """Return the tags that some price rule matches on, cleaned as budgets see them."""
        keys = self._rules.tag_keys
        if not keys:
            return ()
        return tuple((key, value) for key, value in sorted(self._cleaning.clean_all(tags).items()) if key in keys)

    def _price(self, usage: Pairs, seen: Pairs, start_ms: int, end_ms: int) -> tuple[ChargeLine, ...]:
        machine = MachineTime(self.resources(usage), start_ms, end_ms, seen)
        return merge(price_machine(machine, self._rules, self._books))


def merge(lines: Sequence[ChargeLine]) -> tuple[ChargeLine, ...]:
    """Join lines of equal rate: those over the same time add up, those that touch become one."""
    added: dict[tuple[Rate, int, int], int] = {}
    for line in lines:
        key = (line.rate, line.start_ms, line.end_ms)
        added[key] = added.get(key, 0) + line.quantity
    joined: list[ChargeLine] = []
    latest: dict[tuple[Rate, int], int] = {}
    for (rate, start_ms, end_ms), quantity in sorted(added.items(), key=lambda item: item[0][1]):
        index = latest.get((rate, quantity))
        if index is not None and joined[index].end_ms == start_ms:
            joined[index] = ChargeLine(rate, quantity, joined[index].start_ms, end_ms)
            continue
        latest[rate, quantity] = len(joined)
        joined.append(ChargeLine(rate, quantity, start_ms, end_ms))
    return tuple(joined)


def _bound(cache: dict[Pairs, Resources] | dict[tuple[Pairs, Pairs], Tariff]) -> None:
    if len(cache) >= _REMEMBERED:
        cache.clear()

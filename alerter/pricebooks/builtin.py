"""List prices that come with the package: ``catalog.csv``, each row with the date it was read on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from importlib.resources import files

from alerter.core.ports import CatalogPrice
from alerter.pricebooks._rows import Table


class BuiltinBook:
    """USD per hour for Linux on demand (GCP: spot too): AWS us-east-1, Azure eastus, GCP us-central1.

    The file is read at the first look-up.
    """

    name = "builtin"
    currency = "USD"

    @cached_property
    def _table(self) -> Table:
        text = files("alerter.pricebooks").joinpath("catalog.csv").read_text(encoding="utf-8")
        return Table(text.splitlines(), self.name)

    @property
    def instance_types(self) -> Collection[str]:
        """Every instance type in the file."""
        return [prices[0].instance_type for prices in self._table.index.values()]

    def find(self, instance_type: str) -> Sequence[CatalogPrice]:
        """Return every price of an instance type, whatever its case; empty if unknown."""
        return self._table.index.get(instance_type.lower(), ())

    @property
    def problems(self) -> tuple[str, ...]:
        """Rows that could not be used."""
        return tuple(f"catalog.csv:{line}: {why}" for line, why in self._table.problems)

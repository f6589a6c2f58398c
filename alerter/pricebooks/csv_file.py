"""A user's own catalog: a CSV file with the columns of the built-in one, found by name."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from alerter.core.ports import CatalogPrice, PriceBookError
from alerter.pricebooks._rows import COLUMNS, HeaderError, Table

log = logging.getLogger(__name__)


class CsvBook:
    """Prices of one CSV file, read once when it is made.

    Attributes:
        name: the file's name.
        currency: from the header: the column ``usd_per_hour`` is USD.
        problems: ``file:line: why`` of each row that was skipped.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            PriceBookError: it can't be read, is not UTF-8, or its first line doesn't name the columns.
        """
        self.name = path.name
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                table = Table(lines, path.name)
        except OSError as error:
            raise PriceBookError(f"{path}: {error.strerror}; see catalogs in prices.yaml") from None
        except UnicodeDecodeError:
            raise PriceBookError(f"{path}: not UTF-8; save it as CSV UTF-8") from None
        except HeaderError as error:
            raise PriceBookError(f"{path}:1: {error}; needed: {', '.join(COLUMNS)}, usd_per_hour") from None
        self.currency = table.currency
        self._index = table.index
        self.problems = tuple(f"{path}:{line}: {why}" for line, why in table.problems)
        if self.problems:
            log.warning("catalog=%s skipped_rows=%d first=%s", path.name, len(self.problems), self.problems[0])

    @property
    def instance_types(self) -> Collection[str]:
        """Every instance type in the file."""
        return [prices[0].instance_type for prices in self._index.values()]

    def find(self, instance_type: str) -> Sequence[CatalogPrice]:
        """Return every price of an instance type, whatever its case; empty if unknown."""
        return self._index.get(instance_type.lower(), ())

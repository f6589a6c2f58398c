"""A tracking server in memory that has artifacts, and a ledger that reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from alerter.core.ports import SourceError
from alerter.core.storage import Artifacts, ModelBatch, ModelSeen, UnlistableError
from alerter.core.usage import RunObservation
from alerter.status import budget_status
from alerter.verify import verify_ledger
from tests.truth.ledgers import DAY, HOUR, FakeSource, House, config_of, house, run

GIB = 2**30
STORAGE = "SELECT COALESCE(SUM(cost_nanos), 0) FROM charge WHERE meter = 5"
T0 = 1_795_435_200_000 - 1_795_435_200_000 % DAY
BUDGETS = """
defaults: {timezone: Asia/Kathmandu, receivers: [console], period: {from: 2001-01-01, to: 2099-01-01}}
budgets:
  - {name: artifacts, amount: "1000000", components: [storage]}
  - {name: machines, amount: "1000000", components: [machines]}
  - {name: all, amount: "1000000", group_by: [team]}
"""
PRICES = 'catalogs: []\nstorage: {per_gib_month: "73"}\n'
"""$0.10 for a GiB and hour."""


class KilledError(BaseException):
    """The process ends here: nothing of what it does catches this."""


@dataclass
class Shelves(FakeSource):
    """Bytes by run or model id; ``asked`` is what was listed. What is in ``broken`` can't be listed.

    At ``fails_at`` the server goes down, at ``dies_at`` the process that reads it.
    """

    held: dict[str, int] = field(default_factory=dict)
    logged: dict[str, ModelSeen] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    fails_at: str = ""
    dies_at: str = ""

    def artifact_bytes(self, artifacts: Artifacts) -> int | None:
        key = artifacts.model_id or artifacts.run_uuid
        if key == self.fails_at:
            raise SourceError("main went down")
        if key == self.dies_at:
            raise KilledError
        self.asked.append(key)
        if key in self.broken:
            raise UnlistableError("the server can't list them (500)")
        return self.held.get(key) if self._is_there(artifacts) else None

    def models(self, since_ms: int, limit: int) -> Iterator[ModelBatch]:
        found = sorted(
            (each for each in self.logged.values() if each.changed_ms >= since_ms), key=lambda each: each.changed_ms
        )
        yield ModelBatch(found[:limit], behind=len(found) > limit)

    def still_there(self, artifacts: Collection[Artifacts]) -> frozenset[Artifacts]:
        return frozenset(each for each in artifacts if self._is_there(each))

    def _is_there(self, artifacts: Artifacts) -> bool:
        return artifacts.model_id in self.logged if artifacts.model_id else artifacts.run_uuid in self.runs


@contextmanager
def shelved(migrated: Path, extra: str = "", prices: str = PRICES, budgets: str = BUDGETS) -> Iterator[House]:
    """A house whose source has artifacts."""
    with TemporaryDirectory() as folder:
        config = config_of(Path(folder), budgets, prices, extra)
        with house(config, migrated, T0) as made:
            made.source = Shelves()
            made.services = replace(made.services, sources=[made.source])
            yield made


def shelves(made: House) -> Shelves:
    """The house's source."""
    assert isinstance(made.source, Shelves)
    return made.source


def ended(uuid: str, team: str = "vision", end_ms: int = T0 - HOUR) -> RunObservation:
    return run(uuid, "FINISHED", T0 - 2 * HOUR, end_ms, tags={"team": team, "experiment": "hpo"})


def spent(made: House, at_ms: int) -> dict[str, int]:
    with made.services.windows.read() as view:
        assert verify_ledger(view).ok
        return {row.title: row.spent_nanos for row in budget_status(view, at_ms) if row.spent_nanos}


def nanos(size: int, span_ms: int, per_gib_month: str = "73") -> int:
    """The price of bytes by hand: millionths of a GiB, 730 hours a month, rounded once."""
    quantity = max(int((Decimal(size) * 10**6 / GIB).to_integral_value(ROUND_HALF_EVEN)), 1) if size else 0
    exact = Decimal(per_gib_month) * quantity * span_ms * 1000 / (730 * HOUR)
    return int(exact.to_integral_value(ROUND_HALF_EVEN))

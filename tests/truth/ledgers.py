"""A ledger of its own for each test: real services on a real database, and a tracking server of ten lines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from alerter.bootstrap import wire
from alerter.config import Config, load
from alerter.core.ports import Batch, Finding, PollRequest, SourceError
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import CycleReport, run_cycle
from alerter.services import Services
from alerter.store.bulk import query
from alerter.store.engine import Store

HOUR = 3_600_000
MINUTE = 60_000
DAY = 24 * HOUR


def run(
    uuid: str,
    status: str,
    start_ms: int,
    end_ms: int | None = None,
    *,
    usage: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    deleted: bool = False,
    alive_ms: int | None = None,
    parent: str | None = None,
) -> RunObservation:
    """One run as a poll sees it."""
    return RunObservation(
        uuid,
        "1",
        f"name of {uuid}",
        "ann",
        RunStatus(status),
        start_ms,
        end_ms,
        deleted,
        tuple(sorted((tags or {}).items())),
        tuple(sorted((usage or {"instance_type": "m5.xlarge"}).items())),
        alive_ms,
        parent,
    )


@dataclass
class FakeSource:
    """A tracking server in memory: each poll reads all of it, ``size`` runs at a time; it may go down in mid-poll."""

    runs: dict[str, RunObservation] = field(default_factory=dict)
    size: int = 1000
    fails_after: int | None = None
    name: str = "main"

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        seen = list(self.runs.values())
        for number, at in enumerate(range(0, max(len(seen), 1), self.size)):
            if number == self.fails_after:
                raise SourceError("main went down")
            last = at + self.size >= len(seen)
            gone = tuple(sorted(request.open_runs - self.runs.keys())) if last and self.fails_after is None else ()
            yield Batch(seen[at : at + self.size], f"{number}", swept=last, gone=gone)
        if self.fails_after is not None:
            raise SourceError("main went down")

    def put(self, *runs: RunObservation) -> None:
        self.runs.update({each.run_uuid: each for each in runs})

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        return ""

    def check(self) -> list[Finding]:
        return []


@dataclass
class House:
    """A wired daemon's services, without its threads."""

    config: Config
    store: Store
    source: FakeSource
    services: Services

    def cycle(self, now_ms: int) -> CycleReport:
        return run_cycle(self.services, now_ms)

    def restart(self, now_ms: int, config: Config | None = None) -> None:
        """Wire everything anew on the same database, as another process would."""
        self.config = config or self.config
        self.services = services_of(self.config, self.store, self.source, now_ms)

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with self.store.read() as connection:
            return [tuple(row) for row in query(connection, sql, *values)]

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row that a second look at the same runs must leave as it is."""
        tables = {
            "charge": "run_id, meter, start_ms, revision",
            "daily": "budget_id, scope_id, local_day",
            "open_segment": "run_id",
            "correction": "id",
            "alert": "id",
            "notification": "id",
        }
        return {table: self.rows(f"SELECT * FROM {table} ORDER BY {order}") for table, order in tables.items()}  # noqa: S608


def services_of(config: Config, store: Store, source: FakeSource, now_ms: int) -> Services:
    """The services of a configuration, reading a fake server instead of the configured ones."""
    return replace(wire(config, store, now_ms=now_ms), sources=[source])


def config_of(folder: Path, budgets: str, prices: str = "catalogs: []\n", alerter: str = "") -> Config:
    """A configuration from its files' text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "budgets.yaml").write_text(budgets, encoding="utf-8")
    (folder / "prices.yaml").write_text(prices, encoding="utf-8")
    if alerter:
        (folder / "alerter.yaml").write_text(alerter, encoding="utf-8")
    return load(folder, {})


@contextmanager
def house(config: Config, migrated: Path, now_ms: int, runs: Sequence[RunObservation] = ()) -> Iterator[House]:
    """A house on a fresh copy of a migrated SQLite file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "alerter.db"
        shutil.copyfile(migrated, path)
        with closing(Store(f"sqlite:///{path}")) as store:
            yield house_on(config, store, now_ms, runs)


def house_on(config: Config, store: Store, now_ms: int, runs: Sequence[RunObservation] = ()) -> House:
    """A house on a migrated database."""
    source = FakeSource()
    source.put(*runs)
    return House(config, store, source, services_of(config, store, source, now_ms))

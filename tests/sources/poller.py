"""What records a source's batches in these tests: ten lines of ledger that remember what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.sources.mlflow_rest import MlflowRestSource

NOW = 1_795_435_200_000
"""2026-11-23 12:00 UTC, in epoch ms; every test's time is told from here."""
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OPEN = {RunStatus.RUNNING, RunStatus.SCHEDULED}


@dataclass
class Poller:
    """Polls a source and keeps what it tells.

    Attributes:
        runs: the latest observation of each run.
        gone: runs that were reported gone, in all polls.
        times_seen: how often the last poll told of each run.
        batches: of the last poll.
    """

    source: MlflowRestSource
    horizon_ms: int = NOW - 22 * DAY
    cursor: str = ""
    swept: bool = False
    runs: dict[str, RunObservation] = field(default_factory=dict)
    open_runs: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    times_seen: Counter[str] = field(default_factory=Counter)
    batches: list[Batch] = field(default_factory=list)

    def poll(self, now_ms: int = NOW, after_batch: Callable[[int], None] = lambda _number: None) -> Poller:
        """Poll once, recording each batch; ``after_batch`` is called with the number of each, from 1."""
        self.times_seen, self.batches = Counter(), []
        for number, batch in enumerate(self.polling(now_ms), start=1):
            self.record(batch)
            after_batch(number)
        return self

    def polling(self, now_ms: int) -> Generator[Batch]:
        """Begin a poll; who takes its batches records them."""
        yield from self.source.poll(PollRequest(self.cursor, frozenset(self.open_runs), self.horizon_ms, now_ms))

    def record(self, batch: Batch) -> None:
        """Take in one batch and its cursor, as one transaction would."""
        for run in batch.runs:
            self.runs[run.run_uuid] = run
            (self.open_runs.add if run.status in OPEN and not run.deleted else self.open_runs.discard)(run.run_uuid)
        self.open_runs -= set(batch.gone)
        self.gone |= set(batch.gone)
        self.times_seen.update(run.run_uuid for run in batch.runs)
        self.cursor, self.swept = batch.cursor, batch.swept
        self.batches.append(batch)

"""A cycle that tells an alert, on a long history against the same on a short one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.services import Services
from alerter.status import budget_status
from tests.bench.databases import NOW_MS
from tests.bench.workbench import Figure, cpu_of, services_for

_EVERY_MS = 20_000
_HOUR_MS = 3_600_000
_BATCH = 5_000
_TEAMS = 20
_BUDGETS = """\
defaults: {receivers: [console], timezone: UTC, beyond: 0}
budgets:
  - {name: every-team, group_by: [team], amount: 100, period: daily, thresholds: [100%]}
"""
_TAGS = [(("experiment", "x"), ("project", f"p-{each % 50}"), ("team", f"team-{each % _TEAMS}")) for each in range(100)]


class _Runs:
    """A source of finished runs in the order of their starts; then of what is put into ``news``."""

    name = "main"

    def __init__(self, runs: int) -> None:
        self.left = range(runs)
        self.news: list[RunObservation] = []

    def poll(self, _request: PollRequest) -> Iterator[Batch]:
        """Yield what is new."""
        history, self.left = self.left, range(0)
        for at in range(0, len(history), _BATCH):
            some = history[at : at + _BATCH]
            starts = ((each, NOW_MS - (len(history) - each) * _EVERY_MS - _HOUR_MS) for each in some)
            made = [_run(f"{each:032x}", each, start, start + 600_000) for each, start in starts]
            yield Batch(made, str(at), swept=False)
        yield Batch(self.news, "end", swept=True)

    def run_url(self, _experiment_id: str, _run_uuid: str) -> str:
        """Return no page."""
        return ""

    def check(self) -> list[Finding]:
        """Return nothing: there is nothing to reach."""
        return []


def _run(run_uuid: str, number: int, start_ms: int, end_ms: int, nodes: int = 1) -> RunObservation:
    return RunObservation(
        run_uuid,
        "1",
        f"run-{number}",
        "ann",
        RunStatus.FINISHED,
        start_ms,
        end_ms,
        deleted=False,
        tags=_TAGS[number % len(_TAGS)],
        usage=(("instance_type", "m5.xlarge"), ("num_nodes", str(nodes))),
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """CPU seconds of the quickest cycle that tells of a day's crossing, and of a page's figures."""

    runs: int
    tells: float
    page: float


def telling(sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
    """Yield the ratio of the CPU that telling takes on each history to that on the first."""
    least, *others = [_measure(runs, rounds) for runs in sizes]
    for each in others:
        detail = f"{each.tells * 1000:.0f} ms against {least.tells * 1000:.0f} ms of CPU at {least.runs} runs, "
        detail += f"of a day and team of some 100; minima of {rounds}"
        yield Figure(f"cycle that tells, at {each.runs} runs", each.tells / least.tells, "x", 1.3, detail)
        detail = f"{each.page * 1000:.0f} ms against {least.page * 1000:.0f} ms of CPU; days of {_TEAMS} teams"
        yield Figure(f"page's figures, at {each.runs} runs", each.page / least.page, "x", 1.3, detail)


def _measure(runs: int, rounds: int) -> _Measured:
    source = _Runs(runs)
    with tempfile.TemporaryDirectory() as kept, _services(Path(kept) / "one") as made:
        services = replace(made, sources=[source])
        _cycle(services, NOW_MS, told=0)
        tells = []
        for turn in range(rounds + 1):
            source.news = [_run(f"news-{turn}", turn, NOW_MS - 12 * _HOUR_MS, NOW_MS, nodes=64)]
            tells.append(cpu_of(lambda: _cycle(services, NOW_MS + (turn + 1) * 60_000, told=1)))  # noqa: B023 - at once
        return _Measured(runs, min(tells[1:]), min(cpu_of(lambda: _page(services)) for _ in range(rounds)))


def _services(folder: Path) -> AbstractContextManager[Services]:
    return services_for(folder, "http://127.0.0.1:9", budgets=_BUDGETS)


def _cycle(services: Services, at_ms: int, *, told: int) -> None:
    report = run_cycle(services, at_ms)
    if report.failed or report.enqueued != told:
        raise RuntimeError(f"not what was to be measured: {report}")


def _page(services: Services) -> None:
    with services.ledger.read() as view:
        budget_status(view, NOW_MS)

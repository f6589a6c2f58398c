"""Run the benchmarks: print a table, write JSON. All of them take ten to twenty minutes on two cores."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.bench.cycle import cycle
from tests.bench.database import first_sync_database
from tests.bench.databases import DEFAULT, Databases
from tests.bench.detection import detection
from tests.bench.evaluation import evaluation
from tests.bench.first_sync import first_sync
from tests.bench.ledger import backfill, rereading
from tests.bench.start_up import start_up
from tests.bench.takeover import takeover
from tests.bench.telling import telling
from tests.bench.workbench import Figure

_ROW = "{:42} {:>10} {:12} {:>8}  {:3}  {}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = (
        "first-sync",
        "database",
        "cycle",
        "telling",
        "start-up",
        "evaluation",
        "rereading",
        "backfill",
        "detection",
        "takeover",
    )
    parser.add_argument("--only", choices=names, help="one of them")
    parser.add_argument("--runs", type=int, default=5000, help="runs on the MLflow server (default 5000)")
    parser.add_argument("--database-runs", type=int, default=100_000, help="in MLflow's own database (default 100000)")
    by_hand = "of them for search_runs and pandas, which take minutes for 100000 (default 10000; 0 leaves it out)"
    parser.add_argument("--by-hand", type=int, default=10_000, help=by_hand)
    parser.add_argument("--concurrency", type=int, default=2, help="windows at once over REST (default 2)")
    parser.add_argument("--crossings", type=int, default=1000, help="alerts at once (default 1000)")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between two polls of daemons (default 5)")
    parser.add_argument("--keep", type=Path, default=DEFAULT, help=f"where databases are kept (default {DEFAULT})")
    sizes = "runs in the history of quiet cycles, and of such that tell (default 10000 100000)"
    parser.add_argument("--histories", type=int, nargs="+", default=[10_000, 100_000], help=sizes)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--scopes", type=int, default=10_000, help="scopes to evaluate (default 10000)")
    parser.add_argument("--charges", type=int, default=100_000, help="charges to back-fill from (default 100000)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    return parser.parse_args()


def main() -> int:
    """Run what is asked for; 0 even where a target is missed: a bench tells, it doesn't judge."""
    given = _arguments()
    databases = Databases(given.keep)
    benches: dict[str, Callable[[], Iterator[Figure]]] = {
        "first-sync": lambda: first_sync(given.runs, given.rounds, given.concurrency),
        "database": lambda: first_sync_database(databases, given.database_runs, given.by_hand, given.rounds),
        "cycle": lambda: cycle(databases, given.histories, given.rounds),
        "telling": lambda: telling(given.histories, given.rounds),
        "start-up": lambda: start_up(given.runs),
        "evaluation": lambda: evaluation(given.scopes),
        "rereading": lambda: rereading(given.runs),
        "backfill": lambda: backfill(given.charges),
        "detection": lambda: detection(given.crossings, given.interval),
        "takeover": lambda: takeover(databases, given.interval, given.rounds),
    }
    print(_ROW.format("what", "measured", "", "target", "", "detail"))
    figures = []
    for name, bench in benches.items():
        if given.only in {None, name}:
            for figure in bench():
                figures.append(figure)
                print(_line(figure), flush=True)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    rows = [asdict(figure) | {"reached": figure.reached} for figure in figures]
    given.json.write_text(json.dumps({"machine": machine, "figures": rows}, indent=2) + "\n")
    print(f"written to {given.json}")
    return 0


def _line(figure: Figure) -> str:
    verdict = "ok" if figure.reached else "NO"
    return _ROW.format(figure.name, f"{figure.value:.3g}", figure.unit, f"<= {figure.target:g}", verdict, figure.detail)


if __name__ == "__main__":
    sys.exit(main())

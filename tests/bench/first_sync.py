"""A first sync and a quiet cycle over REST, against the bare paging of the same runs."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import requests

from alerter.cycle import run_cycle
from alerter.services import Services
from tests.bench.workbench import Figure, cpu_of, now_ms, seconds_of, services_for
from tests.fixtures.mlflow_data import seed_runs
from tests.fixtures.mlflow_server import MlflowServer, serving

_QUIET_CYCLES = 12
_GROWTH = 3


@contextmanager
def served(runs: int) -> Iterator[tuple[MlflowServer, Path]]:
    """Give a real server with so many finished runs, and a folder to work in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "mlflow").mkdir()
        with serving(path / "mlflow") as server:
            seed_runs(server.database, runs, first_start_ms=now_ms() - runs * 60_000 - 3_600_000)
            yield server, path


def bare_paging(server: MlflowServer, concurrency: int) -> int:
    """Read every run as the cheapest correct client would: pages of 1,000, JSON, so many requests at once by time.

    Returns how many. The times between which each of them reads are known to it.
    """
    api = f"{server.uri}/api/2.0/mlflow"
    found = requests.post(f"{api}/experiments/search", json={"max_results": 1000, "view_type": "ALL"}, timeout=60)
    ids = [each["experiment_id"] for each in found.json()["experiments"]]
    with closing(sqlite3.connect(server.database)) as connection:
        first, last = connection.execute("SELECT MIN(start_time), MAX(start_time) FROM runs").fetchone()
    edges = [first + (last + 1 - first) * number // concurrency for number in range(concurrency + 1)]
    with ThreadPoolExecutor(concurrency) as pool:
        return sum(pool.map(lambda bounds: _pages(api, ids, bounds), pairwise(edges)))


def _pages(api: str, ids: list[str], bounds: tuple[int, int]) -> int:
    session, count, token = requests.Session(), 0, ""
    body: dict[str, object] = {
        "experiment_ids": ids,
        "max_results": 1000,
        "run_view_type": "ALL",
        "filter": f"attributes.start_time >= {bounds[0]} AND attributes.start_time < {bounds[1]}",
    }
    while True:
        text = json.dumps(body | {"page_token": token})
        headers = {"Content-Type": "application/json"}
        answer = session.post(f"{api}/runs/search", data=text, headers=headers, timeout=60)
        page = json.loads(answer.content)
        count += len(page.get("runs", ()))
        token = page.get("next_page_token", "")
        if not token:
            return count


def first_sync(runs: int, rounds: int, concurrency: int) -> Iterator[Figure]:
    """Yield the ratio of a first sync to the bare paging, and the CPU of quiet cycles at two sizes."""
    with served(runs) as (server, folder):
        bare, ours = [], []
        for turn in range(rounds):
            bare.append(seconds_of(lambda: bare_paging(server, concurrency)))
            with services_for(folder / f"round-{turn}", server.uri, concurrency=concurrency) as services:
                ours.append(seconds_of(lambda: run_cycle(services, now_ms())))
        detail = f"{min(ours):.2f} s against {min(bare):.2f} s, {runs} runs by {concurrency} requests at once"
        yield Figure("first sync / bare paging", min(ours) / min(bare), "x", 1.15, detail)
        with services_for(folder / "quiet", server.uri) as services:
            small = quiet_cpu(services)
    yield Figure("quiet cycle, own CPU", small * 1000, "ms", 100, f"{runs} finished runs, mean of {_QUIET_CYCLES}")
    with served(runs * _GROWTH) as (server, folder), services_for(folder / "quiet", server.uri) as services:
        large = quiet_cpu(services)
    detail = f"{large * 1000:.1f} ms at {runs * _GROWTH} finished runs"
    yield Figure(f"quiet cycle at {_GROWTH} x the runs", large / small, "x", 1.3, detail)


def quiet_cpu(services: Services) -> float:
    """Return the mean CPU seconds of a cycle in which nothing changed, after a first sync."""
    run_cycle(services, now_ms())
    run_cycle(services, now_ms())
    return cpu_of(lambda: [run_cycle(services, now_ms()) for _ in range(_QUIET_CYCLES)]) / _QUIET_CYCLES

"""Many rounds, on several stages at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from queue import Queue

from tests.crash.points import Point
from tests.crash.rounds import Outcome, play, template
from tests.crash.scene import Stage, stage
from tests.fixtures.mlflow_server import MlflowServer, serving
from tests.fixtures.slack_emulator import serve_emulate
from tests.fixtures.smtp_server import Certificates, make_certificates

ROUNDS_A_SLACK = 300
"""Rounds on one Slack emulator: it takes 5,000 requests of a token in an hour, and a round makes seven."""


def run(
    folder: Path, points: Sequence[Point], *, workers: int = 2, mlflow: MlflowServer | None = None
) -> Iterator[Outcome]:
    """Play a round for each of the points and yield how they ended; ``mlflow`` saves a server of their own."""
    with ExitStack() as stack:
        server = mlflow or stack.enter_context(serving(_made(folder / "mlflow")))
        certificates, names = make_certificates(folder), (f"crash-{number:05}" for number in count(1))
        for start in range(0, len(points), ROUNDS_A_SLACK):
            part, some = _made(folder / f"from-{start}"), points[start : start + ROUNDS_A_SLACK]
            yield from _on_one_slack(part, some, server, certificates, workers=workers, names=names)


def _on_one_slack(
    folder: Path,
    points: Sequence[Point],
    mlflow: MlflowServer,
    certificates: Certificates,
    *,
    workers: int,
    names: Iterator[str],
) -> Iterator[Outcome]:
    with ExitStack() as stack:
        slack = stack.enter_context(serve_emulate(_made(folder / "slack")))
        stages: Queue[Stage] = Queue()
        for number in range(workers):
            stages.put(stack.enter_context(stage(_made(folder / f"stage-{number}"), mlflow, slack, certificates)))
        first, lock = stages.get(), threading.Lock()
        database = template(first, next(names))
        stages.put(first)

        def one(point: Point) -> Outcome:
            with lock:
                name = next(names)
            mine = stages.get()
            try:
                return play(mine, point, name, database)
            except (RuntimeError, TimeoutError) as error:
                mine.clear()
                return Outcome(point, failed=str(error))
            finally:
                stages.put(mine)

        pool = ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(one, points)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder

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
from tests.fixtures.smtp_server import make_certificates


def run(
    folder: Path, points: Sequence[Point], *, workers: int = 2, mlflow: MlflowServer | None = None
) -> Iterator[Outcome]:
    """Play a round for each of the points and yield how they ended; ``mlflow`` saves a server of their own."""
    with ExitStack() as stack:
        server = mlflow or stack.enter_context(serving(_made(folder / "mlflow")))
        slack = stack.enter_context(serve_emulate(_made(folder / "slack")))
        certificates = make_certificates(folder)
        stages: Queue[Stage] = Queue()
        for number in range(workers):
            own = _made(folder / f"stage-{number}")
            stages.put(stack.enter_context(stage(own, server, slack, certificates)))
        first = stages.get()
        database = template(first)
        stages.put(first)
        numbers, lock = count(1), threading.Lock()

        def one(point: Point) -> Outcome:
            with lock:
                name = f"crash-{next(numbers):05}"
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
